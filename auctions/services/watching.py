"""Watch products."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F

from accounts.services import user_locking
from auctioncraft.core.errors import NotFound
from auctions.models import Product, Watch

if TYPE_CHECKING:
    from accounts.models import User


def watch(*, product_id: int, user: User) -> None:
    """Watch a product. Does nothing if the user watches it already. Raises NotFound, NotAuthenticated."""
    with transaction.atomic():
        if not Product.objects.select_for_update(no_key=True).filter(pk=product_id).exists():
            raise NotFound
        user_locking.lock_active_user(user_id=user.pk)
        if Watch.objects.get_or_create(product_id=product_id, user=user)[1]:
            Product.objects.filter(pk=product_id).update(watch_count=F("watch_count") + 1)


def unwatch(*, product_id: int, user: User) -> None:
    """Stop watching a product. Does nothing if the user does not watch it. Raises NotFound."""
    with transaction.atomic():
        if not Product.objects.select_for_update(no_key=True).filter(pk=product_id).exists():
            raise NotFound
        if Watch.objects.filter(product_id=product_id, user=user).delete()[0]:
            Product.objects.filter(pk=product_id).update(watch_count=F("watch_count") - 1)
