"""The use cases of auctions: whatever changes a row."""
