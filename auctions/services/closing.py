"""Ends an auction: under the row lock, once, with one result."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import F

from accounts.services import bidder_status, staff_actions, user_locking
from auctioncraft.core import clock, money
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import Invalid, PermissionDenied
from auctioncraft.core.jobs import process_each, rows_by_time
from auctions.errors import AuctionAlreadyClosed, AuctionHasBids, ReserveNotAcceptable
from auctions.formats.base import reserve_met
from auctions.models import Auction, AuctionEvent, Bid, Product
from auctions.services import eligibility, event_log, voiding
from auctions.services.actors import check_staff, role_in, sign
from auctions.services.locking import lock_auction, lock_auctions, lock_or_404
from auctions.signals import auction_sold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

    from accounts.models import User
    from auctioncraft.core.pricing import SaleTerms
    from auctions.formats.base import BidRequest

SELLER_DISABLED: Final = "The account of the seller is disabled."
# How long after the close the seller may accept a price below the reserve (docs/rules.md, Closing).
ACCEPT_BELOW_RESERVE_WINDOW: Final = timedelta(hours=48)
BATCH: Final = 200  # auctions without bids that are closed in one transaction
# The most that staff may extend an auction by.
MAX_EXTENSION: Final = timedelta(days=31)


def close_auction(*, product_id: int, actor: User, accept_below_reserve: bool = False, reason: str = "") -> Auction:
    """Close an auction now, as its seller or staff; return it with its product.

    Only the seller may accept a price below the reserve. `reason` is recorded. Raises NotFound, PermissionDenied,
    ConflictOfInterest, AuctionAlreadyClosed. Sends auction_sold in the transaction if it is sold.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        by = role_in(actor, auction.product)
        if accept_below_reserve and actor.pk != auction.product.seller_id:
            raise PermissionDenied("Only the seller may accept a price below the reserve.")
        if auction.status != Auction.Status.OPEN:
            raise AuctionAlreadyClosed
        reason = reason.strip() or (staff_actions.NOT_GIVEN if by == "staff" else "")
        _close(auction, now, by=by, accept_below_reserve=accept_below_reserve, signed=sign(actor, reason))
    return auction


def close_due(*, seconds: float = 20) -> int:
    """Close the auctions whose end has passed; return how many.

    Those with bids come first, each in its own transaction. The others are closed in batches, and after each batch
    those with bids that are due by then: thousands of listings that end at once delay no sale. Any number of workers
    can run at once: a locked row is skipped, a closed one left as it is. An auction that fails is logged and the
    others go on. Begins nothing after `seconds`.
    """
    until, done = time.monotonic() + seconds, 0
    others = rows_by_time(Auction.objects.due(clock.now()).without_bids(), "ends_at", "pk")
    tried: set[tuple[int]] = set()
    while (left := until - time.monotonic()) > 0:
        due = Auction.objects.due(clock.now()).with_bids()
        rows = [row for row in rows_by_time(due, "ends_at", "pk") if row not in tried]
        tried.update(rows)
        done += process_each(_close_if_due, rows, seconds=left)
        batch = [pk for (pk,) in islice(others, BATCH)]
        if not batch:
            break
        done += _close_each_without_bids(batch)
    return done


def _close_each_without_bids(product_ids: list[int]) -> int:
    try:
        return _close_without_bids(product_ids)
    except Exception:  # noqa: BLE001 (one of them; it is found and logged by closing them one by one)
        return process_each(_close_if_due, [(pk,) for pk in product_ids])


@transaction.atomic
def _close_without_bids(product_ids: list[int]) -> int:
    """Close those of the due auctions that nobody has locked and that still have no bid, with one statement."""
    auctions, now = lock_auctions(product_ids), clock.now()
    with_bids = set(Bid.objects.filter(product_id__in=product_ids).order_by().values_list("product_id", flat=True))
    due = [auction for auction in auctions if auction.pk not in with_bids and _is_due(auction, now)]
    for auction in due:
        _set_result(auction, ())
        auction.closed_at = now
    closed = AuctionEvent.Kind.CLOSED
    event_log.append([_outcome_event(auction, closed, now, result=auction.result, by="time") for auction in due])
    # The same for all of them.
    result = {"status": Auction.Status.UNSOLD, "result": Auction.Result.NO_BIDS, "closed_at": now}
    changes = {**result, "seq": F("seq") + 1, "version": F("version") + 1}
    return int(Auction.objects.filter(pk__in=[auction.pk for auction in due]).update(**changes))


def _close_if_due(product_id: int) -> bool:
    with transaction.atomic():
        auction, now = lock_auction(product_id, skip_locked=True), clock.now()
        if auction is None or not _is_due(auction, now):  # closed by another worker, or a bid extended it
            return False
        _close(auction, max(now, auction.last_bid_at or now), by="time", accept_below_reserve=False)
    return True


def _is_due(auction: Auction, now: datetime) -> bool:
    return auction.status == Auction.Status.OPEN and auction.ends_at <= now


def cancel_auction(*, product_id: int, actor: User, reason: str = "") -> Auction:
    """Cancel an auction without a result: staff at any time, with a reason; the seller only while there is no bid.

    Raises NotFound, PermissionDenied, ConflictOfInterest, Invalid, AuctionAlreadyClosed, AuctionHasBids.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        by = role_in(actor, auction.product)
        if auction.status != Auction.Status.OPEN:
            raise AuctionAlreadyClosed
        if by == "staff":
            reason = staff_actions.check_reason(reason)
        elif _has_valid_bids(product_id):
            raise AuctionHasBids("This auction has bids: only our staff can call it off.")
        record_cancellation(auction, now, by=by, signed=sign(actor, reason))
    return auction


def record_cancellation(auction: Auction, now: datetime, *, by: str, signed: Mapping[str, Any]) -> None:
    """Cancel a locked, open auction, with or without bids, and save it. `signed` says who did it and why (`sign`)."""
    auction.status, auction.result = Auction.Status.CANCELLED, Auction.Result.CANCELLED
    auction.closed_at = now
    event_log.record(auction, AuctionEvent.Kind.CANCELLED, now, {"by": by}, **signed)


def extend_auction(*, product_id: int, actor: User, ends_at: datetime, reason: str) -> Auction:
    """Move the end of an open auction to a later `ends_at`, UTC, as staff, for instance after an outage.

    The hard end moves by the same time. Raises NotFound, PermissionDenied, ConflictOfInterest, AuctionAlreadyClosed,
    Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        check_staff(actor, auction.product)
        if auction.status != Auction.Status.OPEN:
            raise AuctionAlreadyClosed
        reason = staff_actions.check_reason(reason)
        so_far = max(now, auction.ends_at)
        if not so_far < ends_at <= so_far + MAX_EXTENSION:
            raise Invalid(ends_at=f"It must be after now and the end so far, within {MAX_EXTENSION.days} days.")
        before, auction.ends_at = auction.ends_at, ends_at
        auction.hard_ends_at += ends_at - before
        moved = {"from": isoformat_utc(before), "ends_at": isoformat_utc(ends_at), "by": "staff"}
        event_log.record(auction, AuctionEvent.Kind.EXTENDED, now, moved, **sign(actor, reason))
    return auction


def accept_below_reserve(*, product_id: int, actor: User) -> Auction:
    """Sell to the leader at a price below the reserve, as the seller, within 48 hours after the close.

    Raises NotFound, PermissionDenied, ReserveNotAcceptable, NotAuthenticated. Sends auction_sold in the transaction.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        product = auction.product
        if actor.pk != product.seller_id:
            raise PermissionDenied("Only the seller may accept a price below the reserve.")
        is_below_reserve = auction.result == Auction.Result.RESERVE_NOT_MET
        in_time = auction.closed_at is not None and now < auction.closed_at + ACCEPT_BELOW_RESERVE_WINDOW
        if not (is_below_reserve and in_time) or was_relisted(product):
            raise ReserveNotAcceptable
        user_locking.lock_active_user(user_id=actor.pk)
        leader_id = auction.leader_id
        if leader_id is None or not eligibility.lock_winner(user_id=leader_id):
            raise ReserveNotAcceptable("The account of the highest bidder was closed or suspended.")
        mark_sold(auction, to=leader_id, price=auction.price, sale_type=Auction.SaleType.BELOW_RESERVE)
        record_outcome(auction, AuctionEvent.Kind.RESERVE_WAIVED, now)
    return auction


def record_close(
    auction: Auction,
    now: datetime,
    *,
    by: str,
    signed: Mapping[str, Any] | None = None,
    terms: SaleTerms | None = None,
) -> None:
    """Record the close of a locked auction whose result is set, as `record_outcome` does."""
    auction.closed_at = now
    closed = AuctionEvent.Kind.CLOSED
    record_outcome(auction, closed, now, signed=signed, terms=terms, result=auction.result, by=by)


def record_outcome(
    auction: Auction,
    kind: AuctionEvent.Kind,
    now: datetime,
    *,
    signed: Mapping[str, Any] | None = None,
    terms: SaleTerms | None = None,
    **data: str,
) -> None:
    """Record how a locked auction ended, with price and winner, and save it. Sends auction_sold if it is sold.

    `signed` says who ended it, and why (`sign`). `terms` are those that the buyer agreed to; without them, those of the
    winner's bid.
    """
    private = dict(signed or {})
    if auction.winner_id is not None:
        terms = terms or Bid.objects.terms_of_leader(auction.product_id, auction.winner_id)
        private["terms"] = terms.to_json()
    event_log.append([_outcome_event(auction, kind, now, private, **data)])
    auction.save()
    if terms is not None:
        auction_sold.send(sender=Auction, auction=auction, terms=terms, at=now)


def _outcome_event(
    auction: Auction, kind: AuctionEvent.Kind, now: datetime, signed: Mapping[str, Any] | None = None, **data: str
) -> AuctionEvent:
    product = auction.product
    sale = {
        "final_price": money.to_text_or_none(auction.hammer_price, product.currency),
        "currency": product.currency,
        "winner": product.alias_of(auction.winner_id) if auction.winner_id else None,
    }
    private = {"winner": auction.winner_id, "seller": product.seller_id, **(signed or {})}
    return event_log.new_event(auction, kind, now, {**data, **sale}, **private)


def mark_sold(auction: Auction, *, to: int | None, price: Decimal | None, sale_type: Auction.SaleType) -> None:
    """Set the winner, price and sale type of a locked auction; the caller records and saves it."""
    auction.status, auction.result, auction.sale_type = Auction.Status.SOLD, Auction.Result.SOLD, sale_type
    auction.winner_id, auction.hammer_price = to, price


def check_changeable(auction: Auction, actor: User, now: datetime) -> None:
    """Check that `actor` is the seller or staff and that the auction has not ended.

    Raises PermissionDenied, ConflictOfInterest, AuctionAlreadyClosed.
    """
    role_in(actor, auction.product)
    if auction.status != Auction.Status.OPEN or now >= auction.ends_at:
        raise AuctionAlreadyClosed


def has_ever_had_bids(product_id: int) -> bool:
    """Return whether there ever was a bid. Voided bids count: they were made on these terms and stay on record."""
    return Bid.objects.filter(product_id=product_id).exists()


def _has_valid_bids(product_id: int) -> bool:
    return Bid.objects.made_by_people().valid().filter(product_id=product_id).exists()


def was_relisted(product: Product) -> bool:
    """Return whether it was relisted as another product."""
    return Product.objects.filter(relisted_from=product).exists()


def _close(
    auction: Auction, now: datetime, *, by: str, accept_below_reserve: bool, signed: Mapping[str, Any] | None = None
) -> None:
    """Write the result of a locked, open auction: no disabled seller sells, and no account wins that may not."""
    product = auction.product
    if not bidder_status.is_active(user_id=product.seller_id):
        record_cancellation(auction, now, by="staff", signed={"actor": None, "reason": SELLER_DISABLED})
        return
    while True:
        voiding.void_bids_that_cannot_win(auction, now)
        bids = Bid.objects.made_by_people().valid().filter(product=product).requests()
        auction.apply(product.rules.close(product.terms(), auction.state(), bids))
        # Locked, so that nobody is disabled between this and the sale. If it just happened: again, without them.
        if auction.leader_id is None or eligibility.lock_winner(user_id=auction.leader_id):
            break
    _set_result(auction, bids, accept_below_reserve=accept_below_reserve)
    record_close(auction, now, by=by, signed=signed)


def _set_result(
    auction: Auction, bids: Iterable[tuple[BidRequest, datetime]], *, accept_below_reserve: bool = False
) -> None:
    product = auction.product
    auction.apply(product.rules.close(product.terms(), auction.state(), bids))
    met = reserve_met(product.reserve_price, auction.price)
    if auction.leader_id is None:
        auction.status, auction.result = Auction.Status.UNSOLD, Auction.Result.NO_BIDS
    elif met or accept_below_reserve:
        sale_type = Auction.SaleType.HAMMER if met else Auction.SaleType.BELOW_RESERVE
        mark_sold(auction, to=auction.leader_id, price=auction.price, sale_type=sale_type)
    else:
        auction.status, auction.result = Auction.Status.UNSOLD, Auction.Result.RESERVE_NOT_MET
