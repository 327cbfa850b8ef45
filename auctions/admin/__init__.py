"""Auctions in the admin. Staff see everything and act through services; prices and bids are read-only."""

from auctions.admin import bids, events, products, sales
