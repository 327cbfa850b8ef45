"""Buyers' cards and sellers' accounts at Stripe."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from accounts.models import User
from auctioncraft.core.retry import RetryModel
from payments.models.stripe import StripeKeyModel


class Customer(StripeKeyModel, RetryModel):
    """A buyer as Stripe knows them: whose saved cards are whose.

    Source: https://docs.stripe.com/api/customers
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="stripe_customer")
    stripe_customer_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    # Set when the account is erased: a job deletes the customer at Stripe, then this row.
    to_delete = models.BooleanField(default=False)

    class Meta:
        indexes = (models.Index(fields=("next_attempt_at",), name="customer_to_delete", condition=Q(to_delete=True)),)

    def __str__(self) -> str:
        return self.stripe_customer_id or f"Customer {self.pk}"


class SavedCard(models.Model):
    """A card that a buyer has saved at Stripe; we store only what a receipt shows of it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="saved_cards")
    stripe_payment_method_id = models.CharField(max_length=255, unique=True)
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    auto_charge = models.BooleanField(default=False, help_text="Its owner wants wins charged to it at once.")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.UniqueConstraint(
                fields=("user",), condition=Q(auto_charge=True), name="one_auto_charge_card_per_user"
            ),
        )

    def __str__(self) -> str:
        return f"{self.brand} {self.last4}"


class SellerAccount(StripeKeyModel):
    """A seller's account at Stripe Connect, as Stripe last described it.

    Source: https://docs.stripe.com/api/accounts/object
    """

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="seller_account")
    stripe_account_id = models.CharField(max_length=255, unique=True, null=True, blank=True)
    details_submitted = models.BooleanField(default=False)
    charges_enabled = models.BooleanField(default=False)
    payouts_enabled = models.BooleanField(default=False)
    transfers_active = models.BooleanField(default=False)
    requirements = models.JSONField(default=list, blank=True, help_text="What Stripe still wants to know: its names.")
    disabled_reason = models.CharField(max_length=100, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.stripe_account_id or f"SellerAccount {self.pk}"

    @property
    def can_receive_payouts(self) -> bool:
        """Whether money can be sent to it and paid out of it."""
        return self.transfers_active and self.payouts_enabled

    @property
    def state(self) -> User.SellerState:
        """How far the onboarding has come."""
        if self.stripe_account_id is None:
            return User.SellerState.NONE
        return User.SellerState.ENABLED if self.can_receive_payouts else User.SellerState.PENDING
