"""May this person bid? The one rule, for bids, buy now, second chances, previews and the product's `viewer`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from django.conf import settings
from django.db.models import Q

from accounts.services import bidder_status
from accounts.services.account_states import is_suspended
from auctioncraft.core import money
from auctioncraft.core.errors import NotAuthenticated
from auctions.errors import BidderSuspended, CardRequired, DefaulterCannotBid, TooManyUnpaidOrders

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from decimal import Decimal

    from accounts.models import User
    from auctioncraft.core.errors import DomainError
    from auctions.models import Product


class Bidder(NamedTuple):
    """What is known of a bidder on a product."""

    strikes: int
    has_card: bool
    unpaid_orders: int
    is_new: bool
    has_defaulted: bool  # did not pay for an earlier listing of the product


def bidder_of(account: User, *, defaulters: Collection[int], now: datetime) -> Bidder:
    """Return what is known of an account on a product whose earlier listings `defaulters` did not pay."""
    is_new = bidder_status.is_new(created_at=account.created_at, email_verified_at=account.email_verified_at, now=now)
    return Bidder(account.strikes, account.has_card, account.unpaid_orders, is_new, account.pk in defaulters)


def cannot_win(path: str) -> Q:
    """Return the condition that the account at `path` is disabled, suspended or erased: its bids do not count."""
    return Q((f"{path}__is_active", False)) | Q((f"{path}__strikes__gte", settings.STRIKES_BEFORE_BAN))


def lock_winner(*, user_id: int) -> bool:
    """Lock an account that is about to win, and return whether it can: it is neither disabled, suspended nor erased."""
    account = bidder_status.lock_account(user_id=user_id)
    return account.is_active and not is_suspended(account.strikes)


def find_refusal(bidder: Bidder, *, limit: Decimal, currency: str) -> DomainError | None:
    """Return why a bidder may not bid or buy up to `limit`, or None.

    Above CARD_REQUIRED_ABOVE, where the currency has such an amount, a card on file is required.
    """
    if bidder.has_defaulted:
        return DefaulterCannotBid()
    if is_suspended(bidder.strikes):
        return BidderSuspended()
    above = settings.CARD_REQUIRED_ABOVE.get(currency)
    if above is not None and limit > above and not bidder.has_card:
        return CardRequired(above=money.to_text(above, currency), currency=currency)
    most = settings.MAX_UNPAID_ORDERS_NEW if bidder.is_new else settings.MAX_UNPAID_ORDERS
    if bidder.unpaid_orders >= most:
        return TooManyUnpaidOrders(unpaid_orders=bidder.unpaid_orders, max_unpaid_orders=most)
    return None


def check(*, user_id: int, price: Decimal, product: Product, now: datetime) -> None:
    """Lock an account that is about to buy at `price`, and check it.

    Raises NotAuthenticated, and what find_refusal returns.
    """
    account = bidder_status.lock_account(user_id=user_id)
    if not account.is_active:
        raise NotAuthenticated
    if (refusal := _find_refusal_to_buy(account, price, product, now)) is not None:
        raise refusal


def may_buy(*, user_id: int, price: Decimal, product: Product, now: datetime) -> bool:
    """Return whether an account could buy a product at `price` now."""
    account = bidder_status.get_account(user_id=user_id)
    return account.is_active and _find_refusal_to_buy(account, price, product, now) is None


def _find_refusal_to_buy(account: User, price: Decimal, product: Product, now: datetime) -> DomainError | None:
    bidder = bidder_of(account, defaulters=product.defaulters, now=now)
    return find_refusal(bidder, limit=price, currency=product.currency)
