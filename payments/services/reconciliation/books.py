"""Stripe's books against ours: every movement on our balance there by id and amount, and ours that it does not have."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Q

from auctioncraft import money
from payments import errors, stripe_gateway
from payments.models import Dispute, Payment, Payout, Refund, TransferReversal
from payments.services import disputes, refund_outcomes
from payments.services.reconciliation.ours import BY_CHARGE, FINDERS, finders_by_charge, sent_by_us
from payments.services.reconciliation.payments import bring_forward

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from django.db.models import QuerySet

    from payments.services.reconciliation.findings import Findings
    from payments.services.reconciliation.ours import Finder, Ours
    from payments.stripe_gateway import Movement


def compare(findings: Findings) -> None:
    """Compare what moved from `since` to `until`, mending what can be; then look for what of ours did not move."""
    seen: set[str] = set()
    intent_of: dict[str, str] = {}
    by_charge: list[Movement] = []
    for page in findings.pages(stripe_gateway.list_movements(since=findings.since, until=findings.until)):
        findings.counts["movements"] += len(page)
        seen.update(each.source_id for each in page)
        intent_of |= {each.source_id: each.belongs_to for each in page if each.category == "charge"}
        by_charge += [each for each in page if each.category in BY_CHARGE]  # their charge may be on the next page
        _compare(findings, [each for each in page if each.category in FINDERS], FINDERS)
        for each in page:
            if each.category not in FINDERS and each.category not in BY_CHARGE:
                findings.counts[f"not compared: {each.category}"] += 1
    for page in findings.pages(by_charge):
        _compare(findings, page, finders_by_charge(intent_of))
    seen.update(intent_of.values())
    _look_for_ours(findings, seen)


def _compare(findings: Findings, movements: Sequence[Movement], finders: Mapping[str, Finder]) -> None:
    ours = _ours(movements, finders)
    wrong = [each for each in movements if not _agree(ours, each)]
    if wrong and findings.mend:
        for each in wrong:
            _mend(each)
        ours = _ours(movements, finders)
        findings.counts["movements_mended"] += sum(_agree(ours, each) for each in wrong)
    for each in movements:
        amount, currency = ours.get(each.id, (Decimal(0), each.currency))
        findings.add(each.currency, each.category, stripes=each.amount)
        findings.add(currency, each.category, ours=amount)
        if not _agree(ours, each):
            here = _text(amount, currency) if each.id in ours else "nothing"
            text = f"{each.category} of {_text(each.amount, each.currency)} at Stripe, here {here}"
            findings.differ(text, each.source_id, each.belongs_to, each.id)


def _ours(movements: Sequence[Movement], finders: Mapping[str, Finder]) -> Ours:
    found: Ours = {}
    for category, find in finders.items():
        if some := [each for each in movements if each.category == category]:
            found |= find(some)
    return found


def _agree(ours: Ours, movement: Movement) -> bool:
    return ours.get(movement.id) == (movement.amount, movement.currency)


def _text(amount: Decimal, currency: str) -> str:
    return f"{money.to_text(amount, currency)} {currency}"


def _mend(movement: Movement) -> None:
    """Ask Stripe how the thing that moved stands, and bring our row of it forward, if it is one of ours."""
    if movement.category in {"refund", "refund_failure"}:
        _mend_refunds(movement.belongs_to)
    elif movement.category in {"dispute", "dispute_reversal"}:
        _mend_dispute(movement.source_id)
    elif payment := Payment.objects.filter(intent_id=movement.belongs_to or None).first():
        bring_forward(payment.pk, stripe_gateway.retrieve_intent(movement.belongs_to))


def _mend_refunds(intent_id: str) -> None:
    if found := refund_outcomes.read(intent_id=intent_id):
        with transaction.atomic(durable=True):
            refund_outcomes.bring_forward(found)


def _mend_dispute(dispute_id: str) -> None:
    if found := disputes.read(dispute_id=dispute_id):
        with transaction.atomic(durable=True):
            disputes.bring_forward(found)


def follow_up(findings: Findings) -> None:
    """Look after what is under way: refunds that are pending, disputes that are open, what Stripe refuses to send."""
    pending = Refund.objects.filter(status=Refund.Status.PENDING).order_by("pk")
    for intent_id in dict.fromkeys(pending.values_list("payment__intent_id", flat=True)):
        findings.beat()
        findings.counts["refunds_pending"] += 1
        if findings.mend:
            _mend_refunds(str(intent_id))
    for dispute_id in (
        Dispute.objects.filter(closed_at__isnull=True).order_by("pk").values_list("dispute_id", flat=True)
    ):
        findings.beat()
        findings.counts["disputes_open"] += 1
        if findings.mend:
            _mend_dispute(dispute_id)
    _follow_destinations(findings)
    for name, rows in _stuck():
        for row in rows.order_by("pk"):
            findings.differ(f"{name} {row.pk} is stuck after {row.attempts} tries: {row.error}")


def _follow_destinations(findings: Findings) -> None:
    """Hold what sellers have of refunded payments that were passed on to them against what Stripe left them.

    A refund of the dashboard may take back more than their share, or leave the house its fee. Stripe rounds each
    refund's share and we their sum, so a smallest unit for each is no difference; what staff paid beside it is unknown.
    """
    refunds = Count("order__payments__refunds", filter=Q(order__payments__refunds__status=Refund.Status.SUCCEEDED))
    settled = Q(order__payments__refunds__settled_at__gte=findings.since)
    mine = Payout.objects.filter(settled, route=Payout.Route.DESTINATION, paid_by=None).values("pk")
    payments = Payment.objects.filter(order__payout__in=mine, status=Payment.Status.SUCCEEDED)
    intents = dict(payments.values_list("order_id", "intent_id"))
    payouts: QuerySet[Any] = Payout.objects.filter(pk__in=mine).annotate(refunds=refunds)
    for payout in payouts.order_by("pk"):
        findings.beat()
        there = stripe_gateway.left_with_seller(str(intents[payout.order_id]))
        if there is not None and abs(there - payout.sent) > payout.refunds * money.quantum(payout.currency):
            text = f"payout {payout.pk}: its seller has {_text(there, payout.currency)} at Stripe"
            findings.differ(f"{text}, here {_text(payout.sent, payout.currency)}", str(intents[payout.order_id]))


def _stuck() -> Iterator[tuple[str, Any]]:
    yield "payout", Payout.objects.filter(status__in=Payout.LIVE, attempts__gt=0).exclude(error="")
    yield "transfer reversal", TransferReversal.objects.filter(made_at__isnull=True, attempts__gt=0).exclude(error="")


def _look_for_ours(findings: Findings, seen: set[str]) -> None:
    """Look for each amount of ours of that time of which nothing has moved: Stripe may date it earlier than we do."""
    for text, key, charge_of, amount, currency, category in _our_own(findings):
        if key in seen:
            continue
        findings.beat()
        try:
            moved = stripe_gateway.movements_of(charge_of(key))
        except errors.NotAtStripe:
            moved = []
        if (amount, currency) not in {(each.amount, each.currency) for each in moved}:
            findings.add(currency, category, ours=amount)
            findings.differ(f"{text} of {_text(amount, currency)}, and nothing moved at Stripe", key)


def _our_own(findings: Findings) -> Iterator[tuple[str, str, Callable[[str], str], Decimal, str, str]]:
    """Yield our amounts of that time: what it is, its id at Stripe, what of it moves there, how much, its category."""
    span = (findings.since, findings.until)
    came = Payment.objects.filter(succeeded_at__range=span, received__isnull=False).order_by("pk")
    for pk, key, amount, currency in came.values_list("pk", "intent_id", "received", "received_currency"):
        yield f"payment {pk}", str(key), _charge_of, amount or Decimal(0), currency, "charge"
    back = Refund.objects.filter(settled_at__range=span, status=Refund.Status.SUCCEEDED).order_by("pk")
    for pk, key, amount, currency in back.values_list("pk", "refund_id", "amount", "currency"):
        yield f"refund {pk}", str(key), _same, -amount, currency, "refund"
    sent = sent_by_us().filter(paid_at__range=span, paid_by=None).order_by("pk")
    for pk, key, amount, currency in sent.values_list("pk", "transfer_id", "was_sent", "currency"):
        yield f"payout {pk}", key, _same, -amount, currency, "transfer"
    brought = TransferReversal.objects.filter(made_at__range=span).order_by("pk")
    for pk, key, amount, currency in brought.values_list("pk", "reversal_id", "amount", "payout__currency"):
        yield f"transfer reversal {pk}", str(key), _same, amount, currency, "transfer_reversal"


def _charge_of(intent_id: str) -> str:
    return stripe_gateway.retrieve_intent(intent_id).charge_id


def _same(key: str) -> str:
    return key
