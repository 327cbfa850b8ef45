"""Stripe's books against ours: every entry on our balance there by id and amount, and ours that it does not have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q

from auctioncraft.core import money
from payments import errors, stripe_gateway
from payments.models import Dispute, Method, Payment, Payout, Refund, TransferReversal
from payments.services import disputes, refund_sync
from payments.services.reconciliation.local_records import (
    CATEGORIES_BY_CHARGE,
    FINDERS,
    finders_by_charge,
    transferred_payouts,
)
from payments.services.reconciliation.payment_intents import sync_payment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from django.db.models import QuerySet

    from payments.services.reconciliation.local_records import Finder, LocalAmounts
    from payments.services.reconciliation.report import Report
    from payments.stripe_gateway import BalanceTransaction


def compare(report: Report) -> None:
    """Compare the transactions from `since` to `until`, fix what differs; then look for local records without one."""
    seen: set[str] = set()
    intent_of: dict[str, str] = {}
    by_charge: list[BalanceTransaction] = []
    for page in report.pages(stripe_gateway.list_balance_transactions(since=report.since, until=report.until)):
        report.counts["balance_transactions"] += len(page)
        seen.update(each.source_id for each in page)
        intent_of |= {each.source_id: each.parent_id for each in page if each.category == "charge"}
        by_charge += [
            each for each in page if each.category in CATEGORIES_BY_CHARGE
        ]  # their charge may be on the next page
        _compare(report, [each for each in page if each.category in FINDERS], FINDERS)
        for each in page:
            if each.category not in FINDERS and each.category not in CATEGORIES_BY_CHARGE:
                report.counts[f"not compared: {each.category}"] += 1
    for page in report.pages(by_charge):
        _compare(report, page, finders_by_charge(intent_of))
    seen.update(intent_of.values())
    _check_local_records(report, seen)


def _compare(report: Report, entries: Sequence[BalanceTransaction], finders: Mapping[str, Finder]) -> None:
    ours = _find_local(entries, finders)
    wrong = [each for each in entries if not _agree(ours, each)]
    if wrong and report.fix:
        for each in wrong:
            _fix(each)
        ours = _find_local(entries, finders)
        report.counts["balance_transactions_fixed"] += sum(_agree(ours, each) for each in wrong)
    for each in entries:
        amount, currency = ours.get(each.id, (Decimal(0), each.currency))
        report.add_amount(each.currency, each.category, stripes=each.amount)
        report.add_amount(currency, each.category, ours=amount)
        if not _agree(ours, each):
            here = _text(amount, currency) if each.id in ours else "nothing"
            text = f"{each.category} of {_text(each.amount, each.currency)} at Stripe, here {here}"
            report.add_difference(text, each.source_id, each.parent_id, each.id)


def _find_local(entries: Sequence[BalanceTransaction], finders: Mapping[str, Finder]) -> LocalAmounts:
    found: LocalAmounts = {}
    for category, find in finders.items():
        if some := [each for each in entries if each.category == category]:
            found |= find(some)
    return found


def _agree(ours: LocalAmounts, entry: BalanceTransaction) -> bool:
    return ours.get(entry.id) == (entry.amount, entry.currency)


def _text(amount: Decimal, currency: str) -> str:
    return f"{money.to_text(amount, currency)} {currency}"


def _fix(entry: BalanceTransaction) -> None:
    """Sync our row of what moved with Stripe, if there is one."""
    if entry.category in {"refund", "refund_failure"}:
        _fix_refunds(entry.parent_id)
    elif entry.category in {"dispute", "dispute_reversal"}:
        _fix_dispute(entry.source_id)
    elif payment := Payment.objects.filter(stripe_intent_id=entry.parent_id or None).first():
        sync_payment(payment.pk, stripe_gateway.retrieve_intent(entry.parent_id))


def _fix_refunds(intent_id: str) -> None:
    if found := refund_sync.read(intent_id=intent_id):
        with transaction.atomic(durable=True):
            refund_sync.sync(found)


def _fix_dispute(dispute_id: str) -> None:
    if found := disputes.read(dispute_id=dispute_id):
        with transaction.atomic(durable=True):
            disputes.sync(found)


def follow_up(report: Report) -> None:
    """Look after what is under way: refunds that are pending, disputes that are open, what Stripe refuses to send."""
    pending = Refund.objects.filter(status=Refund.Status.PENDING).order_by("pk")
    for intent_id in dict.fromkeys(pending.values_list("payment__stripe_intent_id", flat=True)):
        report.heartbeat()
        report.counts["refunds_pending"] += 1
        if report.fix:
            _fix_refunds(str(intent_id))
    for dispute_id in (
        Dispute.objects.filter(closed_at__isnull=True).order_by("pk").values_list("stripe_dispute_id", flat=True)
    ):
        report.heartbeat()
        report.counts["disputes_open"] += 1
        if report.fix:
            _fix_dispute(dispute_id)
    _follow_destinations(report)
    for name, rows in _stuck():
        for row in rows.order_by("pk"):
            report.add_difference(f"{name} {row.pk} is stuck after {row.attempts} tries: {row.last_error}")


def _follow_destinations(report: Report) -> None:
    """Compare sellers' shares of refunded payments with a destination with what Stripe left them.

    A refund of the dashboard may take back more than their share, or leave us our fee. Stripe rounds each
    refund's share and we their sum, so a smallest unit for each is no difference; what staff paid beside it is unknown.
    """
    refunds = Count("order__payments__refunds", filter=Q(order__payments__refunds__status=Refund.Status.SUCCEEDED))
    settled = Q(order__payments__refunds__settled_at__gte=report.since)
    mine = Payout.objects.filter(settled, route=Payout.Route.DESTINATION, paid_by=None).values("pk")
    payments = Payment.objects.filter(order__payout__in=mine, status=Payment.Status.SUCCEEDED)
    intents = dict(payments.values_list("order_id", "stripe_intent_id"))
    payouts: QuerySet[Any] = Payout.objects.filter(pk__in=mine).annotate(refunds=refunds)
    for payout in payouts.order_by("pk"):
        report.heartbeat()
        there = stripe_gateway.seller_net(str(intents[payout.order_id]))
        if there is not None and abs(there - payout.transferred) > payout.refunds * money.quantum(payout.currency):
            text = f"payout {payout.pk}: its seller has {_text(there, payout.currency)} at Stripe"
            report.add_difference(
                f"{text}, here {_text(payout.transferred, payout.currency)}", str(intents[payout.order_id])
            )


def _stuck() -> Iterator[tuple[str, Any]]:
    yield "payout", Payout.objects.filter(status__in=Payout.UNPAID_STATUSES, attempts__gt=0).exclude(last_error="")
    yield (
        "transfer reversal",
        TransferReversal.objects.pending().filter(attempts__gt=0).exclude(last_error=""),
    )


def _check_local_records(report: Report, seen: set[str]) -> None:
    """Look for local records without a balance transaction; Stripe may date one earlier than we do."""
    for text, key, charge_of, amount, currency, category in _local_records(report):
        if key in seen:
            continue
        report.heartbeat()
        try:
            moved = stripe_gateway.balance_transactions_of(charge_of(key))
        except errors.StripeObjectMissing:
            moved = []
        if (amount, currency) not in {(each.amount, each.currency) for each in moved}:
            report.add_amount(currency, category, ours=amount)
            report.add_difference(f"{text} of {_text(amount, currency)}, and nothing moved at Stripe", key)


def _local_records(report: Report) -> Iterator[tuple[str, str, Callable[[str], str], Decimal, str, str]]:
    """Yield our amounts of that time: what it is, its id at Stripe, what of it moves there, how much, its category."""
    span = (report.since, report.until)
    came = Payment.objects.filter(succeeded_at__range=span, received__isnull=False, method=Method.STRIPE).order_by("pk")
    for pk, key, amount, currency in came.values_list("pk", "stripe_intent_id", "received", "received_currency"):
        yield f"payment {pk}", str(key), _charge_of, amount or Decimal(0), currency, "charge"
    settled = Refund.objects.filter(settled_at__range=span, status=Refund.Status.SUCCEEDED)
    back = settled.filter(method=Method.STRIPE).order_by("pk")
    for pk, key, amount, currency in back.values_list("pk", "stripe_refund_id", "amount", "currency"):
        yield f"refund {pk}", str(key), _same, -amount, currency, "refund"
    sent = transferred_payouts().filter(paid_at__range=span, paid_by=None).order_by("pk")
    for pk, key, amount, currency in sent.values_list("pk", "stripe_transfer_id", "originally_transferred", "currency"):
        yield f"payout {pk}", key, _same, -amount, currency, "transfer"
    brought = TransferReversal.objects.filter(completed_at__range=span).order_by("pk")
    for pk, key, amount, currency in brought.values_list("pk", "stripe_reversal_id", "amount", "payout__currency"):
        yield f"transfer reversal {pk}", str(key), _same, amount, currency, "transfer_reversal"


def _charge_of(intent_id: str) -> str:
    return stripe_gateway.retrieve_intent(intent_id).charge_id


def _same(key: str) -> str:
    return key
