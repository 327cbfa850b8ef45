"""The payment calls. Who may do what, and whether, is in services."""
