"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.sweeps import sweep
from auctions.services import closing


@sweep("auctions.close_due")
def close_due() -> None:
    """Close the auctions whose time is up."""
    closing.close_due()
