"""Refunds, disputes and surplus payments."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import MoneyField, MoneyOutputField, StrictCharField, UTCDateTimeField
from payments.models import Refund

_PUBLIC_STATUSES = [choice for choice in Refund.Status.choices if choice[0] != Refund.Status.CREATING]


class RefundRequestSerializer(serializers.Serializer):
    """A refund to make, in the currency of the payment."""

    amount = MoneyField(required=False, help_text="The amount to refund. Defaults to everything that is left.")
    reason = serializers.ChoiceField(
        choices=Refund.Reason.choices, required=False, help_text="Stripe's reason. Only staff may use `fraudulent`."
    )
    payment = StrictCharField(
        required=False,
        max_length=255,
        help_text="The payment_intent_id of the payment to refund. Defaults to the payment that paid the order; "
        "for staff, if there is none, to its only surplus payment.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse unknown fields without an amount: a misspelled `amount` would refund everything."""
        unknown = sorted(set(self.initial_data) - set(self.fields))
        if "amount" not in attrs and unknown:
            text = f"Enter an amount, or remove {', '.join(unknown)[:100]} to refund everything that is left."
            raise serializers.ValidationError({"amount": [text]})
        return attrs


class RefundSerializer(serializers.Serializer):
    """A refund. It is `pending` until Stripe reports its outcome, also before it was sent to Stripe."""

    id = serializers.IntegerField()
    payment_intent_id = serializers.CharField(source="payment.stripe_intent_id")
    amount = MoneyOutputField()
    currency = serializers.CharField()
    reason = serializers.CharField(help_text="Stripe's reason for the refund, or empty.")
    status = serializers.SerializerMethodField()
    created_at = UTCDateTimeField()
    settled_at = UTCDateTimeField(allow_null=True, help_text="When it succeeded or failed.")

    @extend_schema_field(serializers.ChoiceField(choices=_PUBLIC_STATUSES))
    def get_status(self, refund: Refund) -> str:
        """Return the status; `creating` is shown as `pending`."""
        return Refund.Status.PENDING if refund.status == Refund.Status.CREATING else refund.status


class DisputeSerializer(serializers.Serializer):
    """A dispute of a payment by the buyer's bank."""

    dispute_id = serializers.CharField(source="stripe_dispute_id", help_text="The ID of the dispute at Stripe.")
    amount = MoneyOutputField()
    currency = serializers.CharField()
    status = serializers.CharField(help_text="The status of the dispute at Stripe.")
    reason = serializers.CharField(help_text="The reason given by the cardholder.")
    evidence_due_at = UTCDateTimeField(allow_null=True, help_text="Deadline for evidence in Stripe's dashboard.")
    opened_at = UTCDateTimeField()
    closed_at = UTCDateTimeField(allow_null=True)


class SurplusSerializer(serializers.Serializer):
    """A payment that its order could not accept: it was paid already, expired, or of another amount."""

    payment_intent_id = serializers.CharField(source="stripe_intent_id")
    received = MoneyOutputField(currency_source="received_currency")
    refundable = MoneyOutputField(currency_source="received_currency")
    currency = serializers.CharField(
        source="received_currency", help_text="The currency received, which may not be the order's."
    )
    received_at = UTCDateTimeField(source="succeeded_at")
