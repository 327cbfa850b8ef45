"""Create the data of a benchmark; run as its own process, with the settings of the server.

Prints what the load needs as JSON: tokens of bidders, ids of products.
"""

from __future__ import annotations

import argparse
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import django
from django.db import models, transaction

django.setup()

from rest_framework_simplejwt.tokens import AccessToken  # noqa: E402 (the settings come first)

from accounts.models import User  # noqa: E402
from accounts.services import tokens  # noqa: E402
from auctions.models import Auction, Bid, Category, Product  # noqa: E402
from auctions.services.bidding import place_bid  # noqa: E402
from auctions.services.listing import create_product  # noqa: E402

CATEGORIES = 20
SELLERS = 50
# Above the last step of the increments, so that every bid rises by the same 100.
STARTING_BID = 10_000
WITH_HISTORY = 100
BIDS_EACH = 12


def main() -> None:
    """Create the data, and print what the load needs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--products", type=int, required=True)
    parser.add_argument("--bidders", type=int, required=True)
    options = parser.parse_args()
    sellers = _users("seller", SELLERS)
    bidders = _users("bidder", options.bidders)
    # A run takes longer than an access token lasts; here they last a day.
    AccessToken.lifetime = timedelta(days=1)
    with transaction.atomic():
        access = [tokens.sign_in(user=user, user_agent="benchmark", ip="127.0.0.1").access for user in bidders]
    products = _products(sellers, options.products)
    history = products[-WITH_HISTORY:]
    _bid(history, bidders)
    plan = {
        "tokens": access,
        "bidders": [user.pk for user in bidders],
        "products": products[:-WITH_HISTORY],
        "with_history": history,
        "bids": Bid.objects.exclude(outcome="automatic").count(),
    }
    print(json.dumps(plan))


def _users(kind: str, count: int) -> list[User]:
    return User.objects.bulk_create(
        User(email=f"{kind}{number}@example.com", display_name=f"{kind}-{number}", password="!")
        for number in range(count)
    )


def _products(sellers: list[User], count: int) -> list[int]:
    """List one product per seller by the service and copy those, so that every column is like a real product's."""
    categories = Category.objects.bulk_create(
        Category(name=f"Category {number}", slug=f"category-{number}") for number in range(CATEGORIES)
    )
    templates = [
        create_product(
            seller=seller,
            name=f"Pocket watch {number}, silver, working",
            category_id=categories[number % CATEGORIES].pk,
            starting_bid=str(STARTING_BID),
            description="Made about 1900, serviced last year, with its chain and box. " * 8,
        )
        for number, seller in enumerate(sellers)
    ]
    chosen = [templates[number % len(templates)] for number in range(count - len(templates))]
    products = Product.objects.bulk_create((_copy(template) for template in chosen), batch_size=2000)
    Auction.objects.bulk_create(
        (_copy(template.auction, product=product) for template, product in zip(chosen, products, strict=True)),
        batch_size=2000,
    )
    return [product.pk for product in (*templates, *products)]


def _copy(row: Any, **changes: Any) -> Any:
    fields = {
        field.attname: getattr(row, field.attname)
        for field in row._meta.concrete_fields  # noqa: SLF001 (Django's documented API)
        if not (field.primary_key or isinstance(field, models.GeneratedField))
    }
    return type(row)(**fields, **changes)


def _bid(products: list[int], bidders: list[User]) -> None:
    """Place more bids on each product than its detail shows, by the service."""
    for number, product in enumerate(products):
        for bid in range(BIDS_EACH):
            bidder = bidders[(number + bid) % len(bidders)]
            place_bid(product_id=product, bidder_id=bidder.pk, amount=Decimal(STARTING_BID + 100 * bid))


main()
