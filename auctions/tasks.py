"""What the worker sweeps for this app."""

from __future__ import annotations

from auctioncraft.sweeps import sweep
from auctions.services import closing, second_chance


@sweep("auctions.close_due")
def close_due() -> None:
    """Close the auctions whose time is up."""
    closing.close_due()


@sweep("auctions.lapse_offers")
def lapse_offers() -> None:
    """Let the second-chance offers lapse whose time is up."""
    second_chance.lapse_due()
