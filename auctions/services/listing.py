"""Putting a product up for auction, and keeping an eye on one."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import F

from auctioncraft import clock, money
from auctioncraft.errors import Invalid, NotFound
from auctions import pricing
from auctions.models import Auction, AuctionEvent, Category, Product, Watch
from auctions.services import events

if TYPE_CHECKING:
    from collections.abc import Collection

    from accounts.models import User

DURATION = timedelta(days=7)
LONGEST = timedelta(days=366)
# A client that sends its own "now" is a little behind by the time it arrives.
START_TOLERANCE = timedelta(minutes=5)


def create_product(
    *,
    seller: User,
    name: str,
    category_id: int,
    starting_bid: Decimal | str,
    description: str = "",
    currency: str | None = None,
    reserve_price: Decimal | None = None,
    buy_now_price: Decimal | None = None,
    bid_increment: Decimal | None = None,
    shipping: Decimal | None = None,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    soft_close_window: int | None = None,
    soft_close_extension: int | None = None,
    thumbnail: str = "",
) -> Product:
    """List a product and open its auction; return it with `auction`.

    Money in `currency` (ISO 4217, default DEFAULT_CURRENCY), times UTC, the soft close in seconds. Without times it
    starts now and runs for seven days. The increment table and the soft close are frozen with it. Raises Invalid.
    """
    currency = currency or settings.DEFAULT_CURRENCY
    if currency not in money.CURRENCIES:
        raise Invalid(currency="It must be an ISO 4217 code that Stripe charges in, like USD.")
    amounts = _fit(
        currency,
        starting_bid=Decimal(starting_bid),
        reserve_price=reserve_price,
        buy_now_price=buy_now_price,
        bid_increment=bid_increment,
        shipping=shipping,
    )
    _check_buy_now(amounts)
    if not Category.objects.filter(pk=category_id).exists():
        raise Invalid(category="There is no such category.")
    starts_at, ends_at = _times(starts_at, ends_at)
    with transaction.atomic():
        product = Product.objects.create(
            seller=seller,
            category_id=category_id,
            name=name,
            description=description,
            currency=currency,
            increments=_increments(currency, amounts["bid_increment"]),
            soft_close_window=_seconds(soft_close_window, settings.SOFT_CLOSE_WINDOW),
            soft_close_extension=_seconds(soft_close_extension, settings.SOFT_CLOSE_EXTENSION),
            thumbnail=thumbnail,
            **{**amounts, "shipping": amounts["shipping"] or Decimal(0)},
        )
        product.auction = Auction.objects.create(
            product=product, starts_at=starts_at, ends_at=ends_at, hard_ends_at=ends_at + settings.SOFT_CLOSE_CAP
        )
    return product


def _fit(currency: str, **amounts: Decimal | None) -> dict[str, Any]:
    fitted: dict[str, Decimal | None] = {}
    for field, amount in amounts.items():
        try:
            fitted[field] = None if amount is None else money.fit(amount, currency, settings.MAX_AMOUNT)
        except money.BadAmount as error:
            raise Invalid(**{field: str(error)}) from error
    return fitted


def _check_buy_now(amounts: dict[str, Any]) -> None:
    buy_now, reserve = amounts["buy_now_price"], amounts["reserve_price"]
    if buy_now is not None and buy_now <= amounts["starting_bid"]:
        raise Invalid(buy_now_price="It must be above the starting bid.")
    if buy_now is not None and reserve is not None and buy_now < reserve:
        raise Invalid(buy_now_price="It must be at least the reserve.")


def _times(starts_at: datetime | None, ends_at: datetime | None) -> tuple[datetime, datetime]:
    now = clock.now()
    if starts_at is None or now - START_TOLERANCE <= starts_at < now:
        starts_at = now
    if starts_at < now:
        raise Invalid(starts_at="It is in the past.")
    ends_at = ends_at or starts_at + DURATION
    if ends_at <= starts_at:
        raise Invalid(ends_at="It must be after the start.")
    if ends_at > now + LONGEST:
        raise Invalid(ends_at=f"It must be within {LONGEST.days} days.")
    return starts_at, ends_at


def _increments(currency: str, flat: Decimal | None) -> list[list[str]]:
    table = pricing.increments_of(currency) if flat is None else ((Decimal(0), flat),)
    return [[str(start), str(step)] for start, step in table]


def _seconds(given: int | None, default: timedelta) -> int:
    return int(default.total_seconds()) if given is None else given


def correct_text(*, product: Product, fields: Collection[str], editor_id: int) -> None:
    """Save what staff changed on `product`: some of name, description, category. An event of the log says what."""
    if not fields:
        return
    with transaction.atomic():
        auction = Auction.objects.select_for_update(no_key=True).get(pk=product.pk)
        product.save(update_fields=fields)
        events.record(
            auction=auction,
            kind=AuctionEvent.Kind.EDITED,
            at=clock.now(),
            data={"fields": sorted(fields)},
            private={"editor": editor_id},
        )
        auction.save(update_fields=("seq", "version"))


def watch(*, product_id: int, user: User) -> None:
    """Follow a product; following it twice is following it. Raises NotFound."""
    with transaction.atomic():
        if not Product.objects.select_for_update(no_key=True).filter(pk=product_id).exists():
            raise NotFound
        if Watch.objects.get_or_create(product_id=product_id, user=user)[1]:
            Product.objects.filter(pk=product_id).update(watch_count=F("watch_count") + 1)


def unwatch(*, product_id: int, user: User) -> None:
    """Follow it no more. Raises NotFound."""
    with transaction.atomic():
        if not Product.objects.select_for_update(no_key=True).filter(pk=product_id).exists():
            raise NotFound
        if Watch.objects.filter(product_id=product_id, user=user).delete()[0]:
            Product.objects.filter(pk=product_id).update(watch_count=F("watch_count") - 1)
