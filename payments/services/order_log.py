"""The log of an order: what happened to it, and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from accounts.services import staff_actions
from payments.models import OrderEvent

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from payments.models import Order


def record(
    *,
    order: Order,
    kind: OrderEvent.Kind,
    at: datetime,
    role: OrderEvent.Role = OrderEvent.Role.SYSTEM,
    actor: User | None = None,
    **data: Any,
) -> None:
    """Write down what has just happened to a locked order, at `at`, UTC, in the caller's transaction.

    `data`: amounts as the API writes them, and reasons. A person who acted is named by `actor`, and `role` is their
    part in it, see `role_in_order`.
    """
    OrderEvent.objects.create(order=order, kind=kind, status=order.status, role=role, actor=actor, data=data, at=at)


def role_in_order(*, user: User, order: Order) -> OrderEvent.Role:
    """Return the role of a user in an order; staff who are neither its buyer nor its seller act as staff."""
    parts = {order.buyer_id: OrderEvent.Role.BUYER, order.seller_id: OrderEvent.Role.SELLER}
    return parts.get(user.pk, OrderEvent.Role.STAFF)


def check_staff(*, user: User, order: Order) -> None:
    """Check that a user acts as staff on an order. Raises PermissionDenied, ConflictOfInterest."""
    staff_actions.check_actor(actor=user, takes_part=user.pk in {order.buyer_id, order.seller_id})


def acts_as_staff(*, user: User, order: Order) -> bool:
    """Return whether a user decides about an order for the auction house: not about one that they take part in."""
    return user.is_staff and role_in_order(user=user, order=order) == OrderEvent.Role.STAFF
