"""Holds: nothing is paid to a seller until staff release it (invariant 22).

A hold is on the seller: every payout to them that is not paid yet is `held`, and a payment to them has no destination.
A disabled account is held by itself, and stays held when it is enabled again. Code that is about to pay locks the
seller's account first (`lock_and_check`), and so does a hold: it comes before the payment or after it.
Lock order: Order, Payment, Payout, User.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.models import User
from accounts.services import staff_actions
from auctioncraft.core import clock
from payments import errors
from payments.models import Order, SellerHold

if TYPE_CHECKING:
    from django.db.models import QuerySet

DISABLED = "The seller's account was disabled."


def is_held(*, seller_id: int) -> bool:
    """Return whether a seller is held now. Code that then pays uses `lock_and_check`."""
    return _open(seller_id).exists()


def lock_and_check(*, seller_id: int) -> bool:
    """Lock a seller's account until the caller's transaction ends; return whether the seller is held."""
    seller = User.objects.select_for_update(no_key=True).only("is_active").get(pk=seller_id)
    if _open(seller_id).exists():
        return True
    if seller.is_active or SellerHold.objects.filter(seller_id=seller_id).exists():
        return False  # or disabled, and released since
    SellerHold.objects.create(seller_id=seller_id, reason=DISABLED, held_at=clock.now())
    return True


def hold_seller(*, seller_id: int, actor: User, reason: str) -> SellerHold:
    """Hold the payouts to a seller. Raises PermissionDenied, PayoutsHeld."""
    with transaction.atomic():
        _check_actor(actor, seller_id)
        if lock_and_check(seller_id=seller_id):
            raise errors.PayoutsHeld
        return SellerHold.objects.create(seller_id=seller_id, reason=reason, held_by=actor, held_at=clock.now())


def hold_disabled_seller(*, user_id: int, actor: User | None = None) -> None:
    """Hold the payouts to a seller whose account is being disabled by `actor`, in the transaction that does it."""
    User.objects.select_for_update(no_key=True).only("pk").get(pk=user_id)
    sells = Order.objects.filter(seller_id=user_id).exists() or SellerHold.objects.filter(seller_id=user_id).exists()
    # Of a seller who has sold nothing there is nothing to hold yet: see `lock_and_check`.
    if sells and not _open(user_id).exists():
        SellerHold.objects.create(seller_id=user_id, reason=DISABLED, held_by=actor, held_at=clock.now())


def release_seller(*, seller_id: int, actor: User, reason: str) -> SellerHold:
    """Release the payouts to a seller. Raises PermissionDenied, PayoutsNotHeld."""
    with transaction.atomic():
        _check_actor(actor, seller_id)
        if not lock_and_check(seller_id=seller_id):
            raise errors.PayoutsNotHeld
        hold = _open(seller_id).get()
        hold.release_reason, hold.released_by, hold.released_at = reason, actor, clock.now()
        hold.save(update_fields=("release_reason", "released_by", "released_at"))
        return hold


def _open(seller_id: int) -> QuerySet[SellerHold]:
    return SellerHold.objects.filter(seller_id=seller_id, released_at__isnull=True)


def _check_actor(actor: User, seller_id: int) -> None:
    staff_actions.check_actor(actor=actor, takes_part=actor.pk == seller_id)
