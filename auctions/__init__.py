"""Products, bids and how an auction ends."""
