"""What the worker sweeps for this app."""

from __future__ import annotations

from accounts.services import purge as purging
from auctioncraft.sweeps import sweep


@sweep("accounts.purge")
def purge() -> None:
    """Delete codes, counted failures and sign-ins whose time is over."""
    purging.purge()
