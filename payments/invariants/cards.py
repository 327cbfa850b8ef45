"""Saved cards, and what is charged to them."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Exists, OuterRef, Q

from accounts.models import User
from auctioncraft.core import clock
from payments.models import Customer, Order, SavedCard
from payments.services import auto_charge


def has_card_iff_one_is_saved() -> list[str]:
    """docs/rules.md, A card on file: a bid looks at the account alone, and what stands there is what there is."""
    saved = Exists(SavedCard.objects.filter(user_id=OuterRef("pk")))
    wrong = User.objects.filter(Q(~saved, has_card=True) | Q(saved, has_card=False)).order_by("pk")
    return [f"user {pk} has_card is {has_card}, and not so" for pk, has_card in wrong.values_list("pk", "has_card")]


def cards_are_of_customers() -> list[str]:
    """docs/security.md, Saved cards: each is of a customer of ours at Stripe, whose account was not erased."""
    customer = Customer.objects.filter(user_id=OuterRef("user_id"), stripe_customer_id__isnull=False, to_delete=False)
    stray = SavedCard.objects.filter(~Exists(customer)).order_by("pk")
    return [f"card {pk} is of nobody who is a customer" for pk in stray.values_list("pk", flat=True)]


def winners_are_charged_in_time() -> list[str]:
    """No winner's card waits to be charged longer than it is tried (while a worker is up)."""
    late = clock.now() - auto_charge.RETRY_PERIOD - timedelta(hours=1)
    waiting = Order.objects.filter(auto_charge=Order.AutoCharge.DUE, created_at__lt=late).order_by("pk")
    return [f"order {pk} was to be charged, and was not tried" for pk in waiting.values_list("pk", flat=True)]
