"""Money that goes back: what is asked for, and what those who are part of an order see of it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import MoneyField, StrictCharField, UTCDateTimeField
from payments.models import Refund
from payments.serializers.fields import AmountField

_SHOWN = [status for status in Refund.Status.choices if status[0] != Refund.Status.CREATING]


class RefundRequestSerializer(serializers.Serializer):
    """How much to give back, and why. The currency is that of the money that came in."""

    amount = MoneyField(required=False, help_text="By default all that is left.")
    reason = serializers.ChoiceField(
        choices=Refund.Reason.choices, required=False, help_text="Stripe's words; `fraudulent` is for staff."
    )
    payment = StrictCharField(
        required=False,
        max_length=255,
        help_text="The payment_intent_id of the payment to refund. By default the one that paid the order, for staff "
        "else its only surplus.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask how much where that may be misspelt: elsewhere what we do not know is ignored, here all would go back."""
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if "amount" not in attrs and unknown:
            text = f"Say how much, or leave out {', '.join(unknown)[:100]} to refund all that is left."
            raise serializers.ValidationError({"amount": [text]})
        return attrs


class RefundSerializer(serializers.Serializer):
    """A refund. `pending` until Stripe says how it went, also while Stripe has not been reached yet."""

    id = serializers.IntegerField()
    payment_intent_id = serializers.CharField(source="payment.stripe_intent_id")
    amount = AmountField()
    currency = serializers.CharField()
    reason = serializers.CharField(help_text="One of Stripe's words, or empty.")
    status = serializers.SerializerMethodField()
    created_at = UTCDateTimeField()
    settled_at = UTCDateTimeField(allow_null=True)

    @extend_schema_field(serializers.ChoiceField(choices=_SHOWN))
    def get_status(self, refund: Refund) -> str:
        """Return its status; one that Stripe has not been asked for yet is on its way too."""
        return Refund.Status.PENDING if refund.status == Refund.Status.CREATING else refund.status


class DisputeSerializer(serializers.Serializer):
    """What a buyer's bank takes back, or asks about."""

    dispute_id = serializers.CharField(source="stripe_dispute_id")
    amount = AmountField()
    currency = serializers.CharField()
    status = serializers.CharField(help_text="Stripe's word for how it stands.")
    reason = serializers.CharField()
    evidence_due_at = UTCDateTimeField(allow_null=True)
    opened_at = UTCDateTimeField()
    closed_at = UTCDateTimeField(allow_null=True)


class SurplusSerializer(serializers.Serializer):
    """Money that came in and that the order could not take."""

    payment_intent_id = serializers.CharField(source="stripe_intent_id")
    received = AmountField(currency="received_currency")
    refundable = AmountField(currency="received_currency")
    currency = serializers.CharField(source="received_currency", help_text="Of what came in; not always the order's.")
    received_at = UTCDateTimeField(source="succeeded_at")
