"""The periodic jobs of the shared code."""

from __future__ import annotations

from auctioncraft.core import idempotency
from auctioncraft.core.jobs import periodic_job


@periodic_job("auctioncraft.purge", every=3600)
def purge() -> None:
    """Delete old idempotency keys."""
    idempotency.purge()
