"""The periodic jobs of this app."""

from __future__ import annotations

from accounts.services import purge as purging
from auctioncraft.core.jobs import periodic_job


@periodic_job("accounts.purge", every=3600)
def purge() -> None:
    """Delete old codes, failed attempts, sessions and previous email addresses."""
    purging.purge()
