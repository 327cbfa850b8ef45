"""The periodic jobs of this app."""

from __future__ import annotations

from auctioncraft.core.jobs import periodic_job
from privacy.services import discarding

withdraw_discarded = periodic_job("privacy.withdraw_discarded", every=10)(discarding.withdraw_due)
