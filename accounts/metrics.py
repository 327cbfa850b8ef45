"""What operators watch of sign-in, read from the database (docs/operations.md, What to watch)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from accounts.models import DiscardedAccount, Session
from accounts.services import code_alarm
from auctioncraft.core import clock
from auctioncraft.core.metrics import collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric


@collector
def collect_metrics() -> Iterator[Metric]:
    """Yield every metric of this app. Three small reads."""
    now = clock.now()
    reused = Session.objects.filter(reused_at__gt=now - timedelta(hours=1)).order_by().count()
    yield GaugeMetricFamily(
        "wrong_codes_last_hour", "Wrong one-time codes that were compared.", value=code_alarm.count_wrong_codes(now)
    )
    yield GaugeMetricFamily(
        "refresh_tokens_reused_last_hour", "Sessions that ended because a used refresh token came back.", value=reused
    )
    yield GaugeMetricFamily(
        "discarded_accounts_waiting",
        "Discarded accounts whose bids, listings and orders are still to be withdrawn.",
        value=DiscardedAccount.objects.count(),
    )
