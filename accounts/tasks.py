"""The periodic jobs of this app. What each does is said at its service."""

from __future__ import annotations

from accounts.services import purge as purging
from auctioncraft.core.jobs import periodic_job

purge = periodic_job("accounts.purge", every=3600)(purging.purge)
