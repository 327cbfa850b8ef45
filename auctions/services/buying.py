"""Buys a product at its buy-now price."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction

from accounts.services import bidder_status
from auctions.errors import AuctionNotOpen, BuyNowUnavailable, SellerCannotBid
from auctions.formats.base import check_can_bid
from auctions.models import Auction
from auctions.services import agreed_total, closing, eligibility
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.models import User


def buy_now(
    *, product_id: int, buyer: User, price: Decimal, total: Decimal | None = None, currency: str | None = None
) -> Auction:
    """Close an auction as sold to `buyer` at the buy-now price, which they name; return it with its product.

    `price` is the one that the buyer saw. `total`, the most that they agree to pay with premium and shipping, and
    `currency` are checked if given. The auction's format says while buying is possible (docs/rules.md, Buy now). The
    auction's lock makes sure that there is one buyer. Raises NotFound, SellerCannotBid, AuctionNotOpen,
    BuyNowUnavailable, PriceChanged, NotAuthenticated and what eligibility.check raises. Sends auction_sold in the
    transaction.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        try:
            check_can_bid(product.terms(), auction.state(), buyer.pk, now)
        except SellerCannotBid as error:
            raise SellerCannotBid("You cannot buy your own product.") from error
        if not bidder_status.is_active(user_id=product.seller_id):
            raise AuctionNotOpen
        asked = product.buy_now_price
        if asked is None or not product.rules.buy_now_available(asked, product.reserve_price, auction.price):
            raise BuyNowUnavailable
        terms = product.sale_terms()
        if price != asked:
            raise agreed_total.price_changed(terms, asked)
        agreed_total.check(terms, asked, total=total, currency=currency)
        eligibility.check(user_id=buyer.pk, price=asked, product=product, now=now)
        closing.mark_sold(auction, to=buyer.pk, price=asked, sale_type=Auction.SaleType.BUY_NOW)
        closing.record_close(auction, now, by="buy_now", terms=terms)
    return auction
