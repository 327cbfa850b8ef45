"""Buys a product at its buy-now price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.services import user_locking
from auctions.errors import BuyNowUnavailable, SellerCannotBid
from auctions.formats.base import check_can_bid
from auctions.models import Auction
from auctions.services import closing, eligibility
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from accounts.models import User


def buy_now(*, product_id: int, buyer: User) -> Auction:
    """Close an auction as sold to `buyer` at the buy-now price; return it with its product.

    The auction's format says while this is possible (docs/rules.md, Buy now). The auction's lock makes sure that there
    is one buyer. Raises NotFound, SellerCannotBid, AuctionNotOpen, BuyNowUnavailable,
    BidderSuspended, CardRequired, NotAuthenticated. Sends auction_sold in the transaction.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        try:
            check_can_bid(product.terms(), auction.state(), buyer.pk, now)
        except SellerCannotBid as error:
            raise SellerCannotBid("You cannot buy your own product.") from error
        if not product.rules.buy_now_available(product.buy_now_price, product.reserve_price, auction.price):
            raise BuyNowUnavailable
        user_locking.lock_active_user(user_id=buyer.pk)
        eligibility.check(user_id=buyer.pk, price=product.buy_now_price, currency=product.currency)
        closing.mark_sold(auction, to=buyer.pk, price=product.buy_now_price, sale_type=Auction.SaleType.BUY_NOW)
        closing.record_close(auction, now, by="buy_now")
    return auction
