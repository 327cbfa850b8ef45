"""What we have for each movement on our balance at Stripe: the amount, signed as Stripe signs it, and its currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Q
from django.db.models.functions import Round

from auctioncraft import money
from auctioncraft.db import money_sum
from payments import errors, stripe_gateway
from payments.models import Dispute, Payment, Payout, Refund, TransferReversal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from django.db.models import QuerySet

    from payments.stripe_gateway import Movement

    # By the id of a movement; without those of which we have nothing.
    Ours = dict[str, tuple[Decimal, str]]
    Finder = Callable[[Sequence[Movement]], Ours]

_CAME_TO_NOTHING: Final = (Refund.Status.FAILED, Refund.Status.CANCELED)


def _charges(movements: Sequence[Movement]) -> Ours:
    came = Payment.objects.filter(intent_id__in=[each.belongs_to for each in movements], received__isnull=False)
    ours = _by_id(came.values_list("intent_id", "received", "received_currency"))
    return {each.id: ours[each.belongs_to] for each in movements if each.belongs_to in ours}


def _refunds(movements: Sequence[Movement]) -> Ours:
    return _by_source(movements, _refunds_of(movements), sign=-1)


def _refund_failures(movements: Sequence[Movement]) -> Ours:
    return _by_source(movements, _refunds_of(movements).filter(status__in=_CAME_TO_NOTHING))


def _refunds_of(movements: Sequence[Movement]) -> QuerySet[Refund]:
    return Refund.objects.filter(refund_id__in=[each.source_id for each in movements])


def _disputes(movements: Sequence[Movement]) -> Ours:
    return _by_source(movements, _disputes_of(movements), sign=-1)


def _disputes_won(movements: Sequence[Movement]) -> Ours:
    return _by_source(movements, _disputes_of(movements).filter(closed_at__isnull=False).exclude(status="lost"))


def _disputes_of(movements: Sequence[Movement]) -> QuerySet[Dispute]:
    return Dispute.objects.filter(dispute_id__in=[each.source_id for each in movements])


def _reversals(movements: Sequence[Movement]) -> Ours:
    """Return what our own reversals brought back; and, of what Stripe does with a refund, the refund will do."""
    made = TransferReversal.objects.filter(reversal_id__in=[each.source_id for each in movements])
    ours = _by_id(made.values_list("reversal_id", "amount", "payout__currency"))
    refunds = Refund.objects.filter(refund_id__in=[each.belongs_to for each in movements])
    known = set(refunds.values_list("refund_id", flat=True))
    return {
        each.id: ours.get(each.source_id, (each.amount, each.currency))
        for each in movements
        if each.source_id in ours or each.belongs_to in known
    }


FINDERS: Final[Mapping[str, Finder]] = {
    "charge": _charges,
    "refund": _refunds,
    "refund_failure": _refund_failures,
    "dispute": _disputes,
    "dispute_reversal": _disputes_won,
    "transfer_reversal": _reversals,
}
# These name a charge, and we the PaymentIntent that made it.
BY_CHARGE: Final = ("transfer", "platform_earning")


def finders_by_charge(intent_of: dict[str, str]) -> dict[str, Finder]:
    """Return what finds ours of those; `intent_of`: the charges whose intent is known, to be added to."""
    return {
        "transfer": lambda movements: _transfers(movements, intent_of),
        "platform_earning": lambda movements: _fees(movements, intent_of),
    }


def sent_by_us() -> QuerySet[Any]:
    """Return the payouts that transfers of ours have reached, with what `was_sent` before any of it came back."""
    back = money_sum("reversals__amount", filter=Q(reversals__made_at__isnull=False))
    ours = Payout.objects.filter(route=Payout.Route.TRANSFER).exclude(transfer_id="")
    return ours.annotate(was_sent=Round(F("sent") + back, precision=money.DECIMAL_PLACES))


def _transfers(movements: Sequence[Movement], intent_of: dict[str, str]) -> Ours:
    """Return what was sent, by a transfer of ours or, all of a payment, to its destination."""
    rows = sent_by_us().filter(transfer_id__in=[each.source_id for each in movements])
    ours = {}
    for transfer, amount, currency, by_hand in rows.values_list("transfer_id", "was_sent", "currency", "paid_by"):
        there = next(each.amount for each in movements if each.source_id == transfer)
        # Of what staff paid beside it there is no record apart from the sum.
        ours[transfer] = (max(-amount, there) if by_hand else -amount, currency)
    passed_on = _by_charge(movements, intent_of, Payment.objects.exclude(destination=""))
    return {each.id: ours[each.source_id] for each in movements if each.source_id in ours} | {
        movement: (-payment.received, payment.received_currency) for movement, payment in passed_on.items()
    }


def _fees(movements: Sequence[Movement], intent_of: dict[str, str]) -> Ours:
    payments = _by_charge(movements, intent_of, Payment.objects.filter(fee__gt=0))
    return {movement: (payment.fee, payment.currency) for movement, payment in payments.items()}


def _by_charge(
    movements: Sequence[Movement], intent_of: dict[str, str], payments: QuerySet[Payment]
) -> dict[str, Payment]:
    """Return, by a movement's id, the payment of the charge that it names, if its money came."""
    for charge in {each.belongs_to for each in movements} - intent_of.keys() - {""}:
        try:
            intent_of[charge] = stripe_gateway.intent_of_charge(charge)
        except errors.NotAtStripe:
            intent_of[charge] = ""
    wanted = {each.id: intent for each in movements if (intent := intent_of.get(each.belongs_to))}
    found = {each.intent_id: each for each in payments.filter(intent_id__in=wanted.values(), received__isnull=False)}
    return {movement: found[intent] for movement, intent in wanted.items() if intent in found}


def _by_source(movements: Sequence[Movement], rows: QuerySet[Any], *, sign: int = 1) -> Ours:
    key = "refund_id" if rows.model is Refund else "dispute_id"
    ours = _by_id(rows.values_list(key, "amount", "currency"))
    return {
        each.id: (sign * amount, currency)
        for each in movements
        for amount, currency in [ours.get(each.source_id, (None, ""))]
        if amount is not None
    }


def _by_id(rows: Iterable[Any]) -> Ours:
    return {pk: (amount, currency) for pk, amount, currency in rows}
