"""Put a product up for auction."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.db import transaction

from accounts.services import bidder_status, user_locking
from accounts.services.quotas import quota
from auctioncraft.core import clock, money
from auctioncraft.core.errors import Invalid
from auctioncraft.core.pricing import SaleTerms, check_chargeable
from auctions.errors import ListingQuotaReached
from auctions.formats.base import increments_for
from auctions.models import Auction, Category, Product
from auctions.product_fields import AMOUNTS

if TYPE_CHECKING:
    from accounts.models import User
    from auctioncraft.core.pricing import Bands

DEFAULT_DURATION: Final = timedelta(days=7)
MAX_DURATION: Final = timedelta(days=366)
# A client that sends its own "now" is a little behind when it arrives.
START_TOLERANCE: Final = timedelta(minutes=5)
# The amounts at which the product can be sold. Every other price lies between a starting bid and a bid's maximum.
_PRICES: Final = ("starting_bid", "reserve_price", "buy_now_price")


def create_product(*, seller: User, relisted_from: Product | None = None, **fields: Any) -> Product:
    """List a product and open its auction; return the product with its `auction`.

    `fields` are `format` and those of auctions/product_fields.py; None means the default. Without times the auction
    starts now and runs for seven days. Today's rules are stored with the product: the increment table, the soft close
    and the bands of the buyer's premium. Raises Invalid, NotAuthenticated,
    ListingQuotaReached.
    """
    values = {name: value for name, value in fields.items() if value is not None}
    currency = values.pop("currency", settings.DEFAULT_CURRENCY)
    bands = [[str(start), str(percent)] for start, percent in settings.BUYERS_PREMIUM_BANDS]
    amounts = {"shipping": 0, **{name: values[name] for name in AMOUNTS if name in values}}
    values |= check_amounts(currency, bands, **amounts)
    check_category(values["category_id"])
    starts_at, ends_at = check_times(clock.now(), values.pop("starts_at", None), values.pop("ends_at", None))
    values.setdefault("soft_close_window", int(settings.SOFT_CLOSE_WINDOW.total_seconds()))
    values.setdefault("soft_close_extension", int(settings.SOFT_CLOSE_EXTENSION.total_seconds()))
    with transaction.atomic():
        user_locking.lock_active_user(user_id=seller.pk)
        _check_quota(seller)
        product = Product.objects.create(
            seller=seller,
            currency=currency,
            increments=increment_table(currency, values.get("bid_increment")),
            premium_bands=bands,
            relisted_from=relisted_from,
            **values,
        )
        bidder_status.record_listing(user=seller)
        product.auction = Auction.objects.create(
            product=product, starts_at=starts_at, ends_at=ends_at, hard_ends_at=ends_at + settings.SOFT_CLOSE_CAP
        )
    return product


def _check_quota(seller: User) -> None:
    """Check how much a seller lists. The lock is shared: requests at once may pass the limit by their number."""
    limit = quota(seller, "listings")
    listed = Auction.objects.filter(product__seller=seller, status=Auction.Status.OPEN)
    if limit and listed.count() >= limit:
        raise ListingQuotaReached(limit)


def check_amounts(currency: str, premium_bands: Bands, **amounts: Any) -> dict[str, Any]:
    """Return the amounts of a product with the currency's decimals. Raises Invalid.

    Unless sales may be paid outside Stripe, a card must be able to pay the total at each price.
    """
    if currency not in money.CURRENCIES:
        raise Invalid(currency="Use an ISO 4217 code that Stripe supports, for example USD.")
    fitted: dict[str, Any] = {}
    for field, amount in amounts.items():
        try:
            fitted[field] = (
                None if amount is None else money.check_precision(Decimal(amount), currency, settings.MAX_AMOUNT)
            )
        except money.InvalidAmount as error:
            raise Invalid(**{field: str(error)}) from error
    buy_now, reserve = fitted.get("buy_now_price"), fitted.get("reserve_price")
    if buy_now is not None and buy_now <= fitted["starting_bid"]:
        raise Invalid(buy_now_price="The buy-now price must be above the starting bid.")
    if buy_now is not None and reserve is not None and buy_now < reserve:
        raise Invalid(buy_now_price="The buy-now price must not be below the reserve price.")
    if not settings.OFFLINE_PAYMENTS:
        check_chargeable(SaleTerms(currency, fitted["shipping"], premium_bands), fitted, prices=_PRICES)
    return fitted


def check_category(category_id: int) -> None:
    """Raise Invalid if there is no such category."""
    if not Category.objects.filter(pk=category_id).exists():
        raise Invalid(category="This category does not exist.")


def check_times(now: datetime, starts_at: datetime | None, ends_at: datetime | None) -> tuple[datetime, datetime]:
    """Return the start and the end of an auction that has not started at `now`. Raises Invalid."""
    if starts_at is None or now - START_TOLERANCE <= starts_at < now:
        starts_at = now
    if starts_at < now:
        raise Invalid(starts_at="This time is in the past.")
    ends_at = ends_at or starts_at + DEFAULT_DURATION
    check_end(now, starts_at, ends_at)
    return starts_at, ends_at


def check_end(now: datetime, starts_at: datetime, ends_at: datetime) -> None:
    """Raise Invalid unless the end is after the start, in the future, and within MAX_DURATION."""
    if ends_at <= max(starts_at, now):
        raise Invalid(
            ends_at="The end must be after the start." if ends_at <= starts_at else "This time is in the past."
        )
    if ends_at > now + MAX_DURATION:
        raise Invalid(ends_at=f"The end must be within {MAX_DURATION.days} days.")


def increment_table(currency: str, flat: Decimal | None) -> list[list[str]]:
    """Return the increment table to store with a product: the currency's, or one flat step."""
    table = increments_for(currency) if flat is None else ((Decimal(0), flat),)
    return [[str(start), str(step)] for start, step in table]
