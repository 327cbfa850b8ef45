"""How many emails one recipient gets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import CharField, Count
from django.db.models.functions import Coalesce
from prometheus_client.core import GaugeMetricFamily

from auctioncraft.core import clock
from auctioncraft.core.metrics import collector
from notifications.models import EmailDelivery

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

_WITHIN: Final = timedelta(hours=1)


@collector
def collect_metrics() -> Iterator[Metric]:
    """Yield the emails of the last hour: all, and the most to one recipient, codes included."""
    sent = EmailDelivery.objects.filter(sent_at__gt=clock.now() - _WITHIN)
    recipient = Coalesce("code__email", "notification__recipient__email", output_field=CharField())
    most = sent.values(to=recipient).annotate(count=Count("pk")).order_by("-count").values_list("count", flat=True)
    yield GaugeMetricFamily("emails_sent_last_hour", "Emails sent within the last hour.", value=sent.count())
    about = "The most emails sent to one recipient within the last hour."
    yield GaugeMetricFamily("emails_to_one_recipient_last_hour", about, value=most.first() or 0)
