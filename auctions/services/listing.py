"""Putting a product up for auction."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from accounts.services import user_locking
from auctioncraft.core import clock, money
from auctioncraft.core.errors import Invalid
from auctions.formats import ascending
from auctions.models import Auction, Category, Product

if TYPE_CHECKING:
    from accounts.models import User

DEFAULT_DURATION = timedelta(days=7)
MAX_DURATION = timedelta(days=366)
# A client that sends its own "now" is a little behind by the time it arrives.
START_TOLERANCE = timedelta(minutes=5)
AMOUNTS = ("starting_bid", "reserve_price", "buy_now_price", "bid_increment", "shipping")


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
    relisted_from: Product | None = None,
) -> Product:
    """List a product and open its auction; return it with `auction`.

    Money in `currency` (ISO 4217, default DEFAULT_CURRENCY), times UTC, the soft close in seconds. Without times it
    starts now and runs for seven days. The rules of today are frozen with it: the increment table, the soft close, the
    bands of the buyer's premium. Raises Invalid, NotAuthenticated.
    """
    currency = currency or settings.DEFAULT_CURRENCY
    amounts = check_amounts(
        currency,
        starting_bid=Decimal(starting_bid),
        reserve_price=reserve_price,
        buy_now_price=buy_now_price,
        bid_increment=bid_increment,
        shipping=shipping or Decimal(0),
    )
    check_category(category_id)
    starts_at, ends_at = check_times(clock.now(), starts_at, ends_at)
    with transaction.atomic():
        user_locking.lock_active_user(user_id=seller.pk)
        product = Product.objects.create(
            seller=seller,
            category_id=category_id,
            name=name,
            description=description,
            currency=currency,
            increments=increment_table(currency, amounts["bid_increment"]),
            premium_bands=[[str(start), str(percent)] for start, percent in settings.BUYERS_PREMIUM_BANDS],
            soft_close_window=_seconds(soft_close_window, settings.SOFT_CLOSE_WINDOW),
            soft_close_extension=_seconds(soft_close_extension, settings.SOFT_CLOSE_EXTENSION),
            relisted_from=relisted_from,
            **amounts,
        )
        product.auction = Auction.objects.create(
            product=product, starts_at=starts_at, ends_at=ends_at, hard_ends_at=ends_at + settings.SOFT_CLOSE_CAP
        )
    return product


def check_amounts(currency: str, **amounts: Decimal | None) -> dict[str, Any]:
    """Return the amounts of a listing (AMOUNTS) with the currency's decimals. Raises Invalid."""
    if currency not in money.CURRENCIES:
        raise Invalid(currency="It must be an ISO 4217 code that Stripe charges in, like USD.")
    fitted: dict[str, Any] = {}
    for field, amount in amounts.items():
        try:
            fitted[field] = None if amount is None else money.check_precision(amount, currency, settings.MAX_AMOUNT)
        except money.InvalidAmount as error:
            raise Invalid(**{field: str(error)}) from error
    buy_now, reserve = fitted["buy_now_price"], fitted["reserve_price"]
    if buy_now is not None and buy_now <= fitted["starting_bid"]:
        raise Invalid(buy_now_price="It must be above the starting bid.")
    if buy_now is not None and reserve is not None and buy_now < reserve:
        raise Invalid(buy_now_price="It must be at least the reserve.")
    return fitted


def check_category(category_id: int) -> None:
    """Raise Invalid if there is no such category."""
    if not Category.objects.filter(pk=category_id).exists():
        raise Invalid(category="There is no such category.")


def check_times(now: datetime, starts_at: datetime | None, ends_at: datetime | None) -> tuple[datetime, datetime]:
    """Return start and end, UTC, of an auction that has not begun at `now`. Raises Invalid."""
    if starts_at is None or now - START_TOLERANCE <= starts_at < now:
        starts_at = now
    if starts_at < now:
        raise Invalid(starts_at="It is in the past.")
    ends_at = ends_at or starts_at + DEFAULT_DURATION
    check_end(now, starts_at, ends_at)
    return starts_at, ends_at


def check_end(now: datetime, starts_at: datetime, ends_at: datetime) -> None:
    """Raise Invalid unless the end is after the start, ahead, and within a year."""
    if ends_at <= max(starts_at, now):
        raise Invalid(ends_at="It must be after the start." if ends_at <= starts_at else "It is in the past.")
    if ends_at > now + MAX_DURATION:
        raise Invalid(ends_at=f"It must be within {MAX_DURATION.days} days.")


def increment_table(currency: str, flat: Decimal | None) -> list[list[str]]:
    """Return the increment table of a listing as it is frozen with it: the currency's, or one flat step."""
    table = ascending.increments_for(currency) if flat is None else ((Decimal(0), flat),)
    return [[str(start), str(step)] for start, step in table]


def _seconds(given: int | None, default: timedelta) -> int:
    return int(default.total_seconds()) if given is None else given
