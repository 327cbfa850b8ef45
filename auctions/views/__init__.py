"""The endpoints of auctions, by what they are about."""
