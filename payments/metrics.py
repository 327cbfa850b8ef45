"""What operators watch of the money: read from the database at the moment of asking, so right in every process."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db.models import Avg, Count, F, Max, Min, Q
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from auctioncraft.core import clock
from auctioncraft.core.metrics import collector
from payments.models import Dispute, Order, Payout, Reconciliation, Refund, SellerHold, StripeEvent, TransferReversal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from prometheus_client import Metric

_LAG_OVER: Final = timedelta(hours=1)
_DIFFERS_FOR: Final = timedelta(days=1)


@collector
def collect_metrics() -> Iterator[Metric]:
    """Yield every metric of this app; docs/operations.md says what to alert on. A dozen indexed reads."""
    now = clock.now()
    yield from _events(now)
    yield from _orders(now)
    yield _counted(
        "refunds_waiting",
        "Refunds that are not settled, by status.",
        Refund.objects.filter(status__in=(Refund.Status.CREATING, Refund.Status.PENDING)),
        "status",
    )
    given_up = Refund.objects.filter(status=Refund.Status.CREATING, next_attempt_at=None).count()
    yield _gauge("refunds_given_up", "Refunds that Stripe has not confirmed and no job sends any more.", given_up)
    first = Refund.objects.pending().filter(reversal__completed_at=None, reversal__isnull=False, forced_reason="")
    yield _gauge("refunds_awaiting_reversal", "Refunds that wait for the seller's share to come back.", first.count())
    refused = TransferReversal.objects.pending().filter(attempts__gt=0).exclude(last_error="")
    yield _gauge("transfer_reversals_failing", "Reversals of transfers whose last try failed.", refused.count())
    yield _gauge("sellers_held", "Sellers whom nothing is paid.", SellerHold.objects.filter(released_at=None).count())
    yield _counted(
        "payouts_waiting",
        "Payouts that are due, blocked or held.",
        Payout.objects.filter(status__in=Payout.UNPAID_STATUSES),
        "status",
        "blocked_by",
    )
    yield _gauge("disputes_open", "Disputes that are not over.", Dispute.objects.filter(closed_at=None).count())
    yield from _reconciliation(now)


def _events(now: datetime) -> Iterator[Metric]:
    waiting = StripeEvent.objects.filter(processed_at__isnull=True)
    found = waiting.aggregate(
        count=Count("pk"), failed=Count("pk", filter=~Q(last_error="")), oldest=Min("received_at")
    )
    oldest = _seconds(now - found["oldest"]) if found["oldest"] else 0
    yield _gauge("stripe_events_waiting", "Stripe events that were kept and not acted on yet.", found["count"])
    yield _gauge("stripe_events_failed", "Those of them whose last try failed.", found["failed"])
    yield _gauge("stripe_event_oldest_waiting_seconds", "How long the oldest of them has waited here.", oldest)
    lag = F("processed_at") - F("created_at")
    late = StripeEvent.objects.filter(processed_at__gt=now - _LAG_OVER, created_at__isnull=False).aggregate(
        count=Count("pk"), mean=Avg(lag), max=Max(lag)
    )
    yield _gauge("stripe_events_processed_last_hour", "Stripe events acted on within the last hour.", late["count"])
    about = "From Stripe's `created` until we had acted on it, of the events acted on within the last hour."
    lags = GaugeMetricFamily("stripe_event_lag_seconds", about, labels=["stat"])
    for stat in ("mean", "max"):
        lags.add_metric([stat], _seconds(late[stat]))
    yield lags
    flagged = CounterMetricFamily("stripe_events_flagged", "Stripe events that staff should look at.", labels=["flag"])
    for flag, count in _by(StripeEvent.objects.exclude(flag=""), "flag"):
        flagged.add_metric([flag], count)
    yield flagged


def _orders(now: datetime) -> Iterator[Metric]:
    found = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT).aggregate(
        count=Count("pk"), overdue=Count("pk", filter=Q(due_at__lte=now))
    )
    yield _gauge("orders_awaiting_payment", "Orders that are not paid yet.", found["count"])
    yield _gauge("orders_overdue", "Those of them whose time to pay is up.", found["overdue"])
    unpaid = Order.objects.filter(status=Order.Status.AWAITING_PAYMENT).order_by().values("buyer_id")
    per_buyer = unpaid.annotate(count=Count("pk"))
    most = per_buyer.aggregate(most=Max("count"))["most"] or 0
    yield _gauge("unpaid_orders_most_of_one_buyer", "The most unpaid orders that one account has.", most)
    many = per_buyer.filter(count__gt=settings.MAX_UNPAID_ORDERS).count()
    yield _gauge("buyers_over_unpaid_limit", "Accounts with more unpaid orders than MAX_UNPAID_ORDERS.", many)


def _reconciliation(now: datetime) -> Iterator[Metric]:
    """Nothing before the first has finished: an alert on its absence is one on its never having run."""
    last = Reconciliation.objects.filter(finished_at__isnull=False).first()
    if last is not None and last.finished_at is not None:
        age = _seconds(now - last.finished_at)
        yield _gauge("reconciliation_age_seconds", "Since our rows were last compared with Stripe's.", age)
        # The next looks no further back than an hour: a difference that it does not see is there all the same.
        recent = Reconciliation.objects.filter(finished_at__gte=now - _DIFFERS_FOR)
        most = max(row.difference_count for row in (last, *recent.only("counts")))
        yield _gauge("reconciliation_differences", "The most that differed in one of the last day.", most)
        yield _gauge("reconciliation_failed", "Whether it broke off.", int(bool(last.error)))


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(name, about, value=value)


def _counted(name: str, about: str, rows: Any, *labels: str) -> Metric:
    metric = GaugeMetricFamily(name, about, labels=labels)
    for *values, count in _by(rows, *labels):
        metric.add_metric(values, count)
    return metric


def _by(rows: Any, *fields: str) -> Iterable[tuple[Any, ...]]:
    counted: Iterable[tuple[Any, ...]] = rows.order_by(*fields).values_list(*fields).annotate(count=Count("pk"))
    return counted


def _seconds(length: timedelta | None) -> float:
    return length.total_seconds() if length else 0
