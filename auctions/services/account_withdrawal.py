"""Withdraw an account from open auctions: its bids are voided, its own auctions cancelled.

For an account that is disabled, or that was registered with another person's address. Each auction is its own
transaction, and what is done is skipped, so it can be repeated. What a bid in flight adds is left to the close, which
passes such accounts over.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction

from auctioncraft.core import clock, retry
from auctions.models import AccountWithdrawal, Auction, Bid
from auctions.services import account_erasure, closing, voiding
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

REASON: Final = "The account of this bidder was disabled."
POLICY: Final = retry.RetryPolicy(longest_delay=timedelta(hours=1), max_attempts=10**9)
_SECONDS: Final = 20.0  # of one attempt of the job
_OPEN: Final = Auction.Status.OPEN


def withdraw_account(*, user: User, actor: User | None, reason: str, seconds: float) -> bool:
    """Cancel the user's open auctions, with bids too, void their bids on others', and stop watching.

    Begins with no auction after `seconds`; return whether all is done. Everybody affected is notified; of a voided bid
    they read the `reason`. `actor` is who is on record for it.
    """
    if not _withdraw(user=user, actor_id=None if actor is None else actor.pk, reason=reason, seconds=seconds):
        return False
    with transaction.atomic():
        account_erasure.lock_rows(user=user)
        account_erasure.erase_account(user=user)
    return True


def request_withdrawal(*, user: User, actor: User | None, reason: str, at: datetime) -> None:
    """Record that an account was disabled `at`, UTC, and is to be withdrawn. In the transaction that disables it."""
    AccountWithdrawal.objects.create(user=user, actor=actor, reason=reason or REASON, created_at=at)


def withdraw_due() -> int:
    """Withdraw the disabled accounts that are waiting; return how many. A job."""
    return retry.process_due(AccountWithdrawal.objects.filter(done_at__isnull=True), _withdraw_disabled, policy=POLICY)


def _withdraw_disabled(row: AccountWithdrawal) -> None:
    # Enabled again before the job came: nothing to withdraw.
    if not row.user.is_active and not _withdraw(
        user=row.user, actor_id=row.actor_id, reason=row.reason, seconds=_SECONDS
    ):
        raise retry.RetryLater(timedelta(0))
    AccountWithdrawal.objects.filter(pk=row.pk).update(done_at=clock.now())


def _withdraw(*, user: User, actor_id: int | None, reason: str, seconds: float) -> bool:
    until = time.monotonic() + seconds
    own = Auction.objects.filter(product__seller=user, status=_OPEN).order_by("pk")
    for product_id in list(own.values_list("pk", flat=True)):
        if time.monotonic() > until:
            return False
        with transaction.atomic():
            auction, now = lock_or_404(product_id)
            if auction.status == _OPEN:
                closing.record_cancellation(auction, now, by="staff", signed={"actor": actor_id, "reason": reason})
    bids = Bid.objects.made_by(user.pk).filter(product__auction__status=_OPEN).order_by("product")
    for product_id in list(bids.values_list("product", flat=True).distinct()):
        if time.monotonic() > until:
            return False
        with transaction.atomic():
            auction, now = lock_or_404(product_id)
            if auction.status == _OPEN:
                voiding.void_bids_of(auction, now, bidder_id=user.pk, actor_id=actor_id, reason=reason)
    return True
