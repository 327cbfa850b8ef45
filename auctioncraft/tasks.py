"""The periodic jobs of the shared code."""

from __future__ import annotations

from auctioncraft.core import idempotency
from auctioncraft.core.jobs import periodic_job

purge = periodic_job("auctioncraft.purge", every=3600)(idempotency.purge)
