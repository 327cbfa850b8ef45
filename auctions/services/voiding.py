"""Voids a bid: it stays on record, and the auction gets the state that the other bids lead to."""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction

from accounts.services import staff_actions
from auctioncraft.core import money
from auctioncraft.core.errors import NotFound
from auctions.errors import AuctionAlreadyClosed, BidAlreadyVoided
from auctions.models import Auction, AuctionEvent, Bid, BidVoid
from auctions.services import eligibility, event_log
from auctions.services.actors import check_staff
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User
    from auctions.models.bids import BidQuerySet

CANNOT_WIN: Final = "The account of this bidder was closed or suspended."


def void_bid(*, product_id: int, bid_id: UUID, actor: User, reason: str) -> Auction:
    """Void a bid, as staff, for a `reason` that everyone affected will read; return the auction.

    Only while the auction has no result. The other bids are evaluated again in their order (docs/rules.md, Voiding a
    bid); the auction's end stays. Raises NotFound (no such bid, or one by a proxy), PermissionDenied,
    ConflictOfInterest, AuctionAlreadyClosed, BidAlreadyVoided, Invalid.
    """
    with transaction.atomic():
        auction, now = lock_or_404(product_id)
        check_staff(actor, auction.product)
        reason = staff_actions.check_reason(reason)
        bid = Bid.objects.made_by_people().filter(pk=bid_id, product_id=product_id).first()
        if bid is None:
            raise NotFound
        if auction.status != Auction.Status.OPEN:
            raise AuctionAlreadyClosed
        if BidVoid.objects.filter(bid=bid).exists():
            raise BidAlreadyVoided
        _void(auction, [bid], now=now, actor_id=actor.pk, reason=reason)
    return auction


def void_bids_of(auction: Auction, now: datetime, *, bidder_id: int, actor_id: int | None, reason: str) -> None:
    """Void the bids of an account on a locked, open auction, with one event."""
    if found := list(_valid_bids(auction.product_id).filter(bidder_id=bidder_id).order_by("version")):
        _void(auction, found, now=now, actor_id=actor_id, reason=reason)


def void_bids_that_cannot_win(auction: Auction, now: datetime) -> None:
    """Void the bids of closed and suspended accounts on a locked, open auction that is about to close."""
    bids = _valid_bids(auction.product_id).filter(eligibility.cannot_win("bidder")).order_by("bidder_id", "version")
    for _, found in groupby(bids, key=attrgetter("bidder_id")):
        _void(auction, list(found), now=now, actor_id=None, reason=CANNOT_WIN)


def _void(auction: Auction, bids: list[Bid], *, now: datetime, actor_id: int | None, reason: str) -> None:
    """Void bids of one bidder, oldest first, on a locked auction, and save it."""
    former_leader, product = auction.leader_id, auction.product
    remaining = _valid_bids(product.pk).exclude(pk__in=[bid.pk for bid in bids])
    auction.apply(product.rules.recompute(product.terms(), auction.state(), remaining.requests()))
    versions = range(auction.version + 1, auction.version + len(bids) + 1)
    auction.version += len(bids) - 1  # the event makes the last one
    concerned = {"bidder": bids[-1].bidder_id, "leader": auction.leader_id, "former_leader": former_leader}
    public = _public(auction, bids)
    event_log.record(auction, AuctionEvent.Kind.BID_VOIDED, now, public, **concerned, reason=reason, actor=actor_id)
    BidVoid.objects.bulk_create(
        BidVoid(bid=bid, product_id=product.pk, version=version, reason=reason, voided_by_id=actor_id, voided_at=now)
        for bid, version in zip(bids, versions, strict=True)
    )


def _valid_bids(product_id: int) -> BidQuerySet:
    found: BidQuerySet = Bid.objects.made_by_people().valid().filter(product_id=product_id)
    return found


def _public(auction: Auction, bids: list[Bid]) -> dict[str, Any]:
    bid, product = bids[-1], auction.product
    return {
        "bidder": product.alias_of(bid.bidder_id),
        # A hidden amount stays hidden.
        "amount": money.to_text(bid.displayed_amount, product.currency) if bid.seq is not None else None,
        "bid_seq": bid.seq,
        "bid_seqs": [voided.seq for voided in bids if voided.seq is not None],
        "leader": product.alias_of(auction.leader_id) if auction.leader_id else None,
        "currency": product.currency,
        **event_log.public_state(product.rules, product.terms(), auction.state()),
    }
