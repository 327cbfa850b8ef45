"""Rows for tests, created by the services. Everything that is not given has its default."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from accounts.models import User
from accounts.services import disabling
from auctioncraft.core import card_amounts, clock
from auctions.models import Category
from privacy.services import erasure

if TYPE_CHECKING:
    from auctions.models import Product


def user(email: str = "somebody@example.com", **fields: Any) -> User:
    """Create an account with a verified address and the password `correct horse battery`."""
    return User.objects.create_user(email, "correct horse battery", **{"email_verified_at": clock.now(), **fields})


def erase_account(user: User) -> None:
    """Erase an account that `user` made."""
    erasure.erase_account(user=User.objects.get(pk=user.pk), password="correct horse battery")


def disable_account(user: User) -> None:
    """Disable an account as a member of staff, who is made for it."""
    actor = User.objects.filter(email="desk@staff.example").first()
    actor = actor or User.objects.create_user("desk@staff.example", is_staff=True)
    disabling.disable_account(user=user, actor=actor, reason="A test.")


def category(name: str = "Things", **fields: Any) -> Category:
    """Return the category of that name, created if needed."""
    return Category.objects.get_or_create(slug=name.lower(), defaults={"name": name, **fields})[0]


def product(seller: User, **fields: Any) -> Product:
    """Create a product that is open now, in USD, starting at 1.00, or at what a card can be charged."""
    from auctions.services.listing import create_product

    if "category_id" not in fields:
        fields["category_id"] = category().pk
    least = max(Decimal(1), card_amounts.minimum(fields.get("currency", "USD")))
    return create_product(seller=seller, **{"name": "A thing", "starting_bid": least, **fields})
