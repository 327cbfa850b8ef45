"""Saved cards, and what is charged to them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from auctioncraft.core import clock
from auctioncraft.core.invariants import describe, invariant
from payments.models import Customer, Order, SavedCard, SellerAccount
from payments.services import auto_charge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auctioncraft.core.invariants import Batch


@invariant(None, "has_card is set for users with a saved card", over=User)
def check_has_card(users: Batch) -> Iterator[str]:
    # docs/rules.md, A bid: a bid reads only the account.
    saved = Exists(SavedCard.objects.filter(user_id=OuterRef("pk")))
    wrong = users.rows.filter(Q(~saved, has_card=True) | Q(saved, has_card=False))
    yield from describe(wrong, "user {} has has_card {}, and saved cards say otherwise", "has_card")


@invariant(None, "saved cards belong to customers at Stripe", over=SavedCard)
def check_card_owners(cards: Batch) -> Iterator[str]:
    # docs/security.md, Money: saved cards.
    customer = Customer.objects.filter(user_id=OuterRef("user_id"), stripe_customer_id__isnull=False, to_delete=False)
    yield from describe(cards.rows.filter(~Exists(customer)), "card {} has no customer at Stripe")


@invariant(23, "a saved card belongs to a proved address", over=SavedCard)
def check_card_owners_proved(cards: Batch) -> Iterator[str]:
    # docs/accounts.md: anybody can register an address; only its owner saves a card.
    unproved = cards.rows.filter(user__email_verified_at__isnull=True)
    yield from describe(unproved, "card {} belongs to an address that nobody has proved")


@invariant(23, "a payout account belongs to a proved address", over=SellerAccount)
def check_sellers_proved(sellers: Batch) -> Iterator[str]:
    unproved = sellers.rows.filter(user__email_verified_at__isnull=True)
    yield from describe(unproved, "seller account {} belongs to an address that nobody has proved")


@invariant(None, "winners' cards are charged in time")
def check_auto_charges_in_time() -> Iterator[str]:
    # No charge waits longer than it may be tried.
    late = clock.now() - auto_charge.RETRY_PERIOD - timedelta(hours=1)
    waiting = Order.objects.filter(auto_charge=Order.AutoCharge.DUE, created_at__lt=late).order_by("pk")
    yield from describe(waiting, "order {} should have been charged, and nothing was tried")
