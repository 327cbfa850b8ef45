"""Disabled accounts, to be withdrawn from open auctions."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from auctioncraft.core.retry import RetryModel


class AccountWithdrawal(RetryModel):
    """An account was disabled: by whom, when and why. A job voids its bids and cancels its auctions."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="withdrawals")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, db_index=False, related_name="+"
    )
    reason = models.CharField(max_length=500, help_text="Shown to everyone affected.")
    created_at = models.DateTimeField(help_text="When the account was disabled.")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = (models.Index(fields=("next_attempt_at",), name="withdrawal_due", condition=Q(done_at__isnull=True)),)

    def __str__(self) -> str:
        return f"Withdrawal of user {self.user_id}"
