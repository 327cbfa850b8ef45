"""Hold and release the payouts to a seller, as staff decide (services/holds.py), and what follows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from payments.models import Order, Payout, SellerHold
from payments.services import expiry, holds, order_log, payouts

if TYPE_CHECKING:
    from accounts.models import User


def hold(*, payout_id: int, actor: User, reason: str) -> Payout:
    """Hold every payout to the seller of a payout that is not paid yet; return the payout.

    Effects in order: the hold is committed, from when on nothing is sent; the payouts are `held`, each with an entry in
    its order's history; what the buyers could still pay to the seller's account is canceled at Stripe. A job completes
    what is interrupted. A transfer that Stripe is being asked for at that moment still goes.
    Raises PermissionDenied, ConflictOfInterest, PayoutsHeld.
    """
    seller_id = _check_actor(payout_id, actor)
    holds.hold_seller(seller_id=seller_id, actor=actor, reason=reason)
    apply(seller_id=seller_id)
    expiry.cancel_now(seller_id=seller_id)
    return Payout.objects.get(pk=payout_id)


def release(*, payout_id: int, actor: User, reason: str) -> Payout:
    """Release every payout to the seller of a payout; a job sends them.

    Raises PermissionDenied, ConflictOfInterest, PayoutsNotHeld.
    """
    seller_id = _check_actor(payout_id, actor)
    holds.release_seller(seller_id=seller_id, actor=actor, reason=reason)
    apply(seller_id=seller_id)
    return Payout.objects.get(pk=payout_id)


def _check_actor(payout_id: int, actor: User) -> int:
    """Check that `actor` decides as staff, and neither buys nor sells in the payout's order; return the seller's id."""
    payout = Payout.objects.select_related("order").get(pk=payout_id)
    order_log.check_staff(user=actor, order=payout.order)
    return int(payout.seller_id)


def apply(*, seller_id: int | None = None) -> int:
    """Bring the unpaid payouts whose seller was held or released since to that; return how many. A job."""
    of_seller = SellerHold.objects.filter(seller_id=OuterRef("seller_id"))
    to_hold = Exists(of_seller.filter(released_at__isnull=True)) | Q(~Exists(of_seller), seller__is_active=False)
    unpaid = Payout.objects.filter(status__in=Payout.UNPAID_STATUSES, **({"seller_id": seller_id} if seller_id else {}))
    held = Q(status=Payout.Status.HELD)
    changed = list(unpaid.filter(Q(to_hold) & ~held | ~Q(to_hold) & held).order_by("pk").values_list("pk", "order_id"))
    for pk, order_id in changed:
        with transaction.atomic(durable=True):
            Order.objects.locked(order_id)
            payouts.refresh_status(Payout.objects.select_for_update(no_key=True).get(pk=pk))
    return len(changed)
