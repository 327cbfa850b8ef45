"""What endpoints read: product details, images, bid history, events, a user's bids."""

from __future__ import annotations

from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connection
from django.db.models import F, Max, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce

from auctioncraft.core.clock import DatabaseNow
from auctioncraft.core.errors import DomainError, NotFound
from auctioncraft.core.precompiled import PrecompiledQuery
from auctions.formats.base import State, check_can_bid
from auctions.models import (
    AuctionEvent,
    Bid,
    Product,
    ProductImage,
    SecondChanceOffer,
    Watch,
    alias,
    minimum_bid_of,
    terms_of,
)
from auctions.services import eligibility

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.models import User

LATEST_BIDS = 10


_detail = PrecompiledQuery(
    lambda product_id: (
        Product.objects.filter(pk=product_id)
        .order_by()
        .rows(
            "description",
            "description_additions",
            "shipping",
            "premium_bands",
            "defaulters",
            "seller__is_active",
            "alias_salt",
            "relisted_from_id",
            "auction__leader_id",
            "auction__winner_id",
            "auction__payment_defaulted_at",
        )
    ),
    arguments=1,
)
_latest_bids = PrecompiledQuery(lambda product_id: Bid.objects.history(product_id)[:LATEST_BIDS], arguments=1)


def _images_of(product_id: int) -> QuerySet[Any]:
    images = ProductImage.objects.filter(product_id=product_id).order_by("position")
    return images.values("id", "image", "thumbnail", "width", "height")


_images = PrecompiledQuery(_images_of, arguments=1)


@lru_cache(maxsize=32)
def _newest(limit: int, offset: int) -> PrecompiledQuery:
    # The bounds are part of the SQL: with parameters PostgreSQL would plan the query again each time.
    return PrecompiledQuery(lambda: Product.objects.rows()[offset : offset + limit])


def get_product_detail(*, product_id: int, user: User | None = None) -> dict[str, Any]:
    """Return a product for ProductDetailSerializer, with `viewer` if a user is given. Raises NotFound."""
    row = next(iter(_detail.rows(product_id)), None)
    if row is None:
        raise NotFound
    # seq, not bid_count: voided bids are part of the history.
    bids = _latest_bids.rows(product_id) if row["auction__seq"] else []
    row["bids"] = [{**bid, "currency": row["currency"], "alias_salt": row["alias_salt"]} for bid in bids]
    row["images"] = _images.rows(product_id) if row["thumbnail"] else []
    if user is not None:
        row["viewer"] = _viewer_state(row, user)
    return row


def list_images(*, product_id: int) -> QuerySet[Any]:
    """Return the images of a product in their order. Raises NotFound."""
    if not Product.objects.filter(pk=product_id).exists():
        raise NotFound
    return _images_of(product_id)


class NewestProducts:
    """All products, newest first: the list without filters. The paginator slices and counts it like a queryset.

    Counting 10,000 rows costs more than reading a page. So the count of the first page is cached for a second, while
    the newest product is the same; it can miss a deletion for that long.
    """

    _cached_count: ClassVar[tuple[Any, float, int]] = (None, 0.0, 0)
    newest: Any = None

    def __getitem__(self, bounds: slice) -> list[dict[str, Any]]:
        """Return the rows of a page."""
        rows = _newest(bounds.stop - bounds.start, bounds.start).rows()
        if bounds.start == 0 and rows:
            self.newest = (rows[0]["created_at"], rows[0]["id"])
        return rows

    def count_up_to(self, limit: int) -> int:
        """Return how many products there are, at most `limit`."""
        newest, until, count = NewestProducts._cached_count
        if self.newest is None or newest != (self.newest, limit) or until < monotonic():
            with connection.cursor() as cursor:
                # Auctions: the same number of rows on fewer pages.
                cursor.execute("SELECT count(*) FROM (SELECT 1 FROM auctions_auction LIMIT %s) counted", [limit])
                count = int(cursor.fetchone()[0])
            NewestProducts._cached_count = ((self.newest, limit), monotonic() + 1, count)
        return count


def _viewer_state(row: dict[str, Any], user: User) -> dict[str, Any]:
    """Return the product of a detail row from the side of `user`, for ViewerSerializer."""
    latest = Bid.objects.made_by(user.pk).filter(product_id=row["id"]).order_by("-version").first()
    refusal = _bid_refusal_code(row, user)
    # Once closed, the winner counts: another user can have bought the product at once.
    leader_id = row["auction__leader_id" if row["auction__status"] == "open" else "auction__winner_id"]
    return {
        "alias": alias(row["alias_salt"], user.pk),
        "is_leading": leader_id == user.pk and row["auction__payment_defaulted_at"] is None,
        "my_maximum": latest and (latest.max_amount or latest.amount),
        "my_last_amount": latest and latest.displayed_amount,
        "second_chance": _open_offer_for(row, user),
        "watching": Watch.objects.filter(user=user, product_id=row["id"]).exists(),
        "can_bid": refusal is None,
        "reason": refusal,
        "currency": row["currency"],
    }


def _open_offer_for(row: dict[str, Any], user: User) -> dict[str, Any] | None:
    """Return the second-chance offer that `user` can accept. A query only if there can be one."""
    if row["auction__payment_defaulted_at"] is None:
        return None
    offers = SecondChanceOffer.objects.open().filter(product_id=row["id"], bidder=user)
    offer = offers.filter(expires_at__gt=row["server_time"]).first()
    return None if offer is None else {"expires_at": offer.expires_at, "amount": offer.amount, **offer.costs}


def _bid_refusal_code(row: dict[str, Any], user: User) -> str | None:
    ends_at = row["auction__ends_at"]
    is_open = row["auction__status"] == "open" and row["seller__is_active"]
    state = State(row["auction__starts_at"], ends_at, hard_ends_at=ends_at, open=is_open)
    try:
        check_can_bid(terms_of(row), state, user.pk, row["server_time"])
    except DomainError as refusal:
        return refusal.code
    bidder = eligibility.bidder_of(user, defaulters=row["defaulters"], now=row["server_time"])
    ineligible = eligibility.find_refusal(bidder, limit=minimum_bid_of(row), currency=row["currency"])
    return ineligible.code if ineligible else None


def list_bid_history(*, product_id: int, with_ids: bool) -> Any:
    """Return the public bids of a product, newest first. Raises NotFound."""
    product = Product.objects.only("currency", "alias_salt").filter(pk=product_id).first()
    if product is None:
        raise NotFound
    history = Bid.objects.history(product_id, *(["id"] if with_ids else []))
    return history.annotate(currency=Value(product.currency), alias_salt=Value(product.alias_salt))


def list_events(*, product_id: int) -> QuerySet[Any]:
    """Return the events of a product, oldest first. Raises NotFound."""
    if not Product.objects.filter(pk=product_id).exists():
        raise NotFound
    return (
        AuctionEvent.objects.filter(product_id=product_id)
        .order_by("seq")
        .annotate(server_time=DatabaseNow())
        .values("seq", "kind", "data", "created_at", "server_time")
    )


def list_my_bids(*, user: User) -> QuerySet[Any]:
    """Return a row for MyBidSerializer per product that `user` has bid on, latest bid first, without voided bids."""
    own = Bid.objects.made_by(user.pk).filter(product_id=OuterRef("pk")).order_by().values("product_id")
    last = Subquery(own.annotate(last=Max("placed_at")).values("last"))
    maximum = Subquery(own.annotate(maximum=Max(Coalesce("max_amount", "amount"))).values("maximum"))
    return (
        Product.objects.filter(pk__in=Bid.objects.made_by(user.pk).values("product_id"))
        .annotate(my_last_bid_at=last, my_maximum=maximum)
        .rows(
            *("my_last_bid_at", "my_maximum", "auction__leader_id", "auction__winner_id"),
            *("auction__paid_at", "auction__payment_defaulted_at"),
        )
        .order_by(F("my_last_bid_at").desc(nulls_last=True), "-id")
    )
