"""Management of the payments."""
