"""The fast path of product lists and details: the answers of their serializers, written out.

Every list and every view of a product uses them, and they are faster. A test compares each with its serializer.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.core.files.storage import default_storage

from auctioncraft.core import money
from auctions.formats import get_format
from auctions.formats.base import Outcome, reserve_met
from auctions.models import alias, minimum_bid_of, public_status


def product_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return what ProductListSerializer does. Times stay datetimes: the renderer writes them."""
    currency, price, reserve = row["currency"], row["auction__price"], row["reserve_price"]
    starts_at, ends_at, now = row["auction__starts_at"], row["auction__ends_at"], row["server_time"]
    status = public_status(row["auction__status"], starts_at, ends_at, now)
    rules = get_format(row["format"])
    buy_now_available = status == "open" and rules.buy_now_available(row["buy_now_price"], reserve, price)
    return {
        "id": row["id"],
        "name": row["name"],
        "category": {"id": row["category_id"], "name": row["category__name"], "slug": row["category__slug"]},
        "seller": {"id": row["seller_id"], "display_name": row["seller__display_name"]},
        "currency": currency,
        "starting_bid": money.to_text(row["starting_bid"], currency),
        "current_price": money.to_text_or_none(price, currency),
        "minimum_bid": money.to_text(minimum_bid_of(row), currency),
        "bid_count": row["auction__bid_count"],
        "has_reserve": reserve is not None,
        "reserve_met": reserve_met(reserve, price),
        "buy_now_price": money.to_text_or_none(row["buy_now_price"], currency) if buy_now_available else None,
        "status": status,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "thumbnail": _url(row["thumbnail"]),
        "watch_count": row["watch_count"],
        "created_at": row["created_at"],
        "seq": row["auction__seq"],
        "server_time": now,
    }


def product_detail(row: dict[str, Any]) -> dict[str, Any]:
    """Return what ProductDetailSerializer does."""
    currency = row["currency"]
    body = product_row(row)
    body["description"] = row["description"]
    body["shipping"] = money.to_text(row["shipping"], currency)
    body["relisted_from"] = row["relisted_from_id"]
    body["images"] = [
        {
            "id": image["id"],
            "url": _url(image["image"]),
            "thumbnail": _url(image["thumbnail"]),
            "width": image["width"],
            "height": image["height"],
        }
        for image in row["images"]
    ]
    body["bids"] = [
        {
            "seq": bid["seq"],
            "bidder": alias(row["alias_salt"], bid["bidder_id"]),
            "amount": money.to_text(bid["displayed_amount"], currency),
            "currency": currency,
            "automatic": bid["outcome"] == Outcome.AUTOMATIC,
            "voided": bid["void__voided_at"] is not None,
            "placed_at": bid["placed_at"],
            "server_time": bid["server_time"],
        }
        for bid in row["bids"]
    ]
    if (viewer := row.get("viewer")) is not None:
        offer = viewer["second_chance"]
        body["viewer"] = {
            "alias": viewer["alias"],
            "is_leading": viewer["is_leading"],
            "my_maximum": money.to_text_or_none(viewer["my_maximum"], currency),
            "my_last_amount": money.to_text_or_none(viewer["my_last_amount"], currency),
            "watching": viewer["watching"],
            "can_bid": viewer["can_bid"],
            "reason": viewer["reason"],
            "second_chance": offer
            and {"amount": money.to_text(offer["amount"], currency), "expires_at": offer["expires_at"]},
        }
    return body


def product_etag(body: dict[str, Any]) -> str:
    """Return the ETag of a detail without a viewer: of everything in it but the time.

    The bids are covered by `seq`. Weak, because answers with the same ETag differ in `server_time`.
    """
    content = {key: value for key, value in body.items() if key not in {"server_time", "bids"}}
    return f'W/"{hashlib.blake2b(orjson.dumps(content), digest_size=12).hexdigest()}"'


def _url(name: str) -> str | None:
    return default_storage.url(name) if name else None
