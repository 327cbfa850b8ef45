"""What we have for each entry on our balance at Stripe: the amount, signed as Stripe signs it, and its currency."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import F, Q
from django.db.models.functions import Round

from auctioncraft.core import money
from auctioncraft.core.model_fields import money_sum
from payments import errors, stripe_gateway
from payments.models import Dispute, Payment, Payout, Refund, TransferReversal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from decimal import Decimal

    from django.db.models import QuerySet

    from payments.stripe_gateway import BalanceTransaction

    # By the id of an entry; without those of which we have nothing.
    LocalAmounts = dict[str, tuple[Decimal, str]]
    Finder = Callable[[Sequence[BalanceTransaction]], LocalAmounts]


def _charges(entries: Sequence[BalanceTransaction]) -> LocalAmounts:
    came = Payment.objects.filter(stripe_intent_id__in=[each.parent_id for each in entries], received__isnull=False)
    ours = _by_id(came.values_list("stripe_intent_id", "received", "received_currency"))
    return {each.id: ours[each.parent_id] for each in entries if each.parent_id in ours}


def _reversals(entries: Sequence[BalanceTransaction]) -> LocalAmounts:
    """Return what our own reversals brought back; and, of what Stripe does with a refund, the refund will do."""
    made = TransferReversal.objects.filter(stripe_reversal_id__in=[each.source_id for each in entries])
    ours = _by_id(made.values_list("stripe_reversal_id", "amount", "payout__currency"))
    refunds = Refund.objects.filter(stripe_refund_id__in=[each.parent_id for each in entries])
    known = set(refunds.values_list("stripe_refund_id", flat=True))
    return {
        each.id: ours.get(each.source_id, (each.amount, each.currency))
        for each in entries
        if each.source_id in ours or each.parent_id in known
    }


def _by_source(rows: QuerySet[Any], key: str, *, sign: int = 1) -> Finder:
    def find(entries: Sequence[BalanceTransaction]) -> LocalAmounts:
        found = rows.filter(**{f"{key}__in": [each.source_id for each in entries]})
        ours = _by_id(found.values_list(key, "amount", "currency"))
        signed = {source: (sign * amount, currency) for source, (amount, currency) in ours.items()}
        return {each.id: signed[each.source_id] for each in entries if each.source_id in signed}

    return find


_FAILED: Final = Refund.objects.filter(status__in=(Refund.Status.FAILED, Refund.Status.CANCELED))
_NOT_LOST: Final = Dispute.objects.filter(closed_at__isnull=False).exclude(status="lost")
FINDERS: Final[Mapping[str, Finder]] = {
    "charge": _charges,
    "refund": _by_source(Refund.objects.all(), "stripe_refund_id", sign=-1),
    "refund_failure": _by_source(_FAILED, "stripe_refund_id"),
    "dispute": _by_source(Dispute.objects.all(), "stripe_dispute_id", sign=-1),
    "dispute_reversal": _by_source(_NOT_LOST, "stripe_dispute_id"),
    "transfer_reversal": _reversals,
}
# These name a charge, and we the PaymentIntent that made it.
CATEGORIES_BY_CHARGE: Final = ("transfer", "platform_earning")


def finders_by_charge(intent_of: dict[str, str]) -> dict[str, Finder]:
    """Return what finds ours of those; `intent_of`: the charges whose intent is known, to be added to."""
    return {
        "transfer": lambda entries: _transfers(entries, intent_of),
        "platform_earning": lambda entries: _fees(entries, intent_of),
    }


def transferred_payouts() -> QuerySet[Any]:
    """Return the payouts with our transfer; `originally_transferred` is before reversals."""
    back = money_sum("reversals__amount", filter=Q(reversals__completed_at__isnull=False))
    ours = Payout.objects.filter(route=Payout.Route.TRANSFER).exclude(stripe_transfer_id="")
    return ours.annotate(originally_transferred=Round(F("transferred") + back, precision=money.DECIMAL_PLACES))


def _transfers(entries: Sequence[BalanceTransaction], intent_of: dict[str, str]) -> LocalAmounts:
    """Return what was transferred, by us or by Stripe to a payment's destination."""
    rows = transferred_payouts().filter(stripe_transfer_id__in=[each.source_id for each in entries])
    ours = {}
    for transfer, amount, currency, by_hand in rows.values_list(
        "stripe_transfer_id", "originally_transferred", "currency", "paid_by"
    ):
        there = next(each.amount for each in entries if each.source_id == transfer)
        # Of what staff paid beside it there is no record apart from the sum.
        ours[transfer] = (max(-amount, there) if by_hand else -amount, currency)
    passed_on = _by_charge(entries, intent_of, Payment.objects.exclude(destination=""))
    return {each.id: ours[each.source_id] for each in entries if each.source_id in ours} | {
        entry: (-payment.received, payment.received_currency) for entry, payment in passed_on.items()
    }


def _fees(entries: Sequence[BalanceTransaction], intent_of: dict[str, str]) -> LocalAmounts:
    payments = _by_charge(entries, intent_of, Payment.objects.filter(fee__gt=0))
    return {entry: (payment.fee, payment.currency) for entry, payment in payments.items()}


def _by_charge(
    entries: Sequence[BalanceTransaction], intent_of: dict[str, str], payments: QuerySet[Payment]
) -> dict[str, Payment]:
    """Return, by an entry's id, the payment of the charge that it names, if its money came."""
    for charge in {each.parent_id for each in entries} - intent_of.keys() - {""}:
        try:
            intent_of[charge] = stripe_gateway.intent_of_charge(charge)
        except errors.StripeObjectMissing:
            intent_of[charge] = ""
    wanted = {each.id: intent for each in entries if (intent := intent_of.get(each.parent_id))}
    found = {
        each.stripe_intent_id: each
        for each in payments.filter(stripe_intent_id__in=wanted.values(), received__isnull=False)
    }
    return {entry: found[intent] for entry, intent in wanted.items() if intent in found}


def _by_id(rows: Iterable[Any]) -> LocalAmounts:
    return {pk: (amount, currency) for pk, amount, currency in rows}
