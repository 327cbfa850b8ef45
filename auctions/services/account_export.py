"""The data export of an account: what this app stores about a user."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from django.db.models import F

from auctioncraft.core import money
from auctions.models import Bid, Product, ProductImage, SecondChanceOffer, Watch
from auctions.product_fields import AMOUNTS, TEXTS

if TYPE_CHECKING:
    from accounts.models import User


def export_account(*, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return the user's products, bids with their maxima, watched products and second-chance offers.

    One query per section, and one for images.
    """
    watches = Watch.objects.filter(user=user).order_by("product")
    return {
        "products": _products(user),
        "bids": _bids(user),
        "watches": [{"product": pk, "name": name} for pk, name in watches.values_list("product", "product__name")],
        "second_chances": _second_chances(user),
    }


def _products(user: User) -> list[dict[str, Any]]:
    image_urls: defaultdict[int, list[str]] = defaultdict(list)
    images = ProductImage.objects.filter(product__seller=user).order_by("product", "position")
    for product_id, name in images.values_list("product", "image"):
        image_urls[product_id].append(default_storage.url(name))
    return [
        {
            "id": product.pk,
            **{field: getattr(product, field) for field in TEXTS},
            "category": product.category.name,
            "currency": product.currency,
            **{field: money.to_text_or_none(getattr(product, field), product.currency) for field in AMOUNTS},
            "images": image_urls[product.pk],
            "relisted_from": product.relisted_from_id,
            "created_at": product.created_at,
            "starts_at": product.auction.starts_at,
            "ends_at": product.auction.ends_at,
            "status": product.auction.status,
            "result": product.auction.result or None,
            "final_price": money.to_text_or_none(product.auction.hammer_price, product.currency),
            "closed_at": product.auction.closed_at,
        }
        for product in Product.objects.filter(seller=user).select_related("category", "auction").order_by("pk")
    ]


def _bids(user: User) -> list[dict[str, Any]]:
    rows = Bid.objects.filter(bidder=user).order_by("placed_at", "product", "version", "position")
    columns = rows.values(
        *("id", "product", "amount", "max_amount", "outcome", "placed_at"),
        name=F("product__name"),
        currency=F("product__currency"),
        price=F("displayed_amount"),
        voided_at=F("void__voided_at"),
        void_reason=F("void__reason"),
    )
    return [_with_text(row, "price", "amount", "max_amount") for row in columns.iterator()]


def _second_chances(user: User) -> list[dict[str, Any]]:
    rows = SecondChanceOffer.objects.filter(bidder=user).order_by("pk")
    columns = rows.values(
        *("product", "amount", "status", "offered_at", "expires_at", "answered_at"),
        name=F("product__name"),
        currency=F("product__currency"),
    )
    return [_with_text(row, "amount") for row in columns]


def _with_text(row: dict[str, Any], *amounts: str) -> dict[str, Any]:
    return row | {name: money.to_text_or_none(row[name], row["currency"]) for name in amounts}
