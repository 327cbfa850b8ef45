"""Closing an auction: under the row lock, once, with one result."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from django.db import transaction

from auctioncraft import clock, money
from auctioncraft.errors import NotFound, PermissionDenied
from auctions import pricing
from auctions.errors import AuctionAlreadyClosed
from auctions.models import Auction, AuctionEvent
from auctions.services import events
from auctions.signals import auction_closed

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User

logger = logging.getLogger(__name__)


def close_auction(*, product_id: int, actor: User, accept_below_reserve: bool = False) -> Auction:
    """Close an auction now, for its seller or staff; return it with its product.

    Below the reserve only the seller may accept. Raises NotFound, PermissionDenied, AuctionAlreadyClosed. Sends
    auction_closed inside the transaction.
    """
    with transaction.atomic():
        auction = _lock(product_id)
        if auction is None:
            raise NotFound
        if not (actor.is_staff or actor.pk == auction.product.seller_id):
            raise PermissionDenied
        if accept_below_reserve and actor.pk != auction.product.seller_id:
            raise PermissionDenied("Only the seller may accept a price below the reserve.")
        if auction.status != Auction.Status.OPEN:
            raise AuctionAlreadyClosed
        _close(auction, clock.now(), accept_below_reserve=accept_below_reserve)
    return auction


def close_due(*, limit: int = 200) -> int:
    """Close auctions whose time is up, each in its own transaction; return how many.

    Any number of workers: a row that another one holds is skipped, one that it closed meanwhile is left alone. An
    auction that fails is logged and the others go on.
    """
    closed = 0
    for product_id in Auction.objects.due(clock.now()).values_list("pk", flat=True)[:limit]:
        try:
            closed += _close_if_due(product_id)
        except Exception:  # one auction's failure must not keep the others open
            logger.exception("could not close the auction of product %s", product_id)
    return closed


def _close_if_due(product_id: int) -> bool:
    with transaction.atomic():
        auction = _lock(product_id, skip_locked=True)
        if auction is None or auction.status != Auction.Status.OPEN:
            return False
        now = clock.now()
        if now < auction.ends_at:  # a bid extended it after we looked
            return False
        _close(auction, now, accept_below_reserve=False)
    return True


def _lock(product_id: int, *, skip_locked: bool = False) -> Auction | None:
    # NO KEY, or inserting bids and events, which refer to the row's product, would wait as well.
    found: Auction | None = (
        Auction.objects.select_for_update(no_key=True, of=("self",), skip_locked=skip_locked)
        .select_related("product")
        .filter(pk=product_id)
        .first()
    )
    return found


def _close(auction: Auction, now: datetime, *, accept_below_reserve: bool) -> None:
    """Write the result of a locked, open auction."""
    product = auction.product
    # A clock that steps back never makes the close look earlier than a bid.
    now = max(now, auction.last_bid_at or now)
    met = pricing.reserve_met(product.reserve_price, auction.price)
    if auction.leader_id is None:
        auction.status, auction.result = Auction.Status.UNSOLD, Auction.Result.NO_BIDS
    elif met or accept_below_reserve:
        auction.status, auction.result = Auction.Status.SOLD, Auction.Result.SOLD
        auction.winner_id, auction.hammer_price = auction.leader_id, auction.price
    else:
        auction.status, auction.result = Auction.Status.UNSOLD, Auction.Result.RESERVE_NOT_MET
    auction.closed_at = now
    events.record(
        auction=auction,
        kind=AuctionEvent.Kind.CLOSED,
        at=now,
        data={
            "result": auction.result,
            "final_price": money.to_text_or_none(auction.hammer_price, product.currency),
            "currency": product.currency,
            "winner": product.alias_of(auction.winner_id) if auction.winner_id else None,
        },
        private={"winner": auction.winner_id, "seller": product.seller_id},
    )
    auction.save()
    auction_closed.send(sender=Auction, auction=auction)
