"""Management of the auctions."""
