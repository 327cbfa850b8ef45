"""Auctions in the admin: staff see how a sale stands and act through services; nobody types a price or a bid."""

from auctions.admin import bids, events, products, sales

__all__ = ["bids", "events", "products", "sales"]
