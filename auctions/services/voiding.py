"""Voids a bid: it stays on record, and the auction gets the state that the other bids lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.services import staff_actions
from auctioncraft.core import money
from auctioncraft.core.errors import NotFound
from auctions.errors import AuctionAlreadyClosed, BidAlreadyVoided
from auctions.models import Auction, AuctionEvent, Bid, BidVoid
from auctions.services import event_log
from auctions.services.actors import check_staff
from auctions.services.locking import lock_or_404

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from accounts.models import User


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
        record_void(auction, bid, now, actor=actor, reason=reason)
    return auction


def record_void(auction: Auction, bid: Bid, now: datetime, *, actor: User, reason: str) -> None:
    """Void a valid bid on a locked, open auction, and save the auction."""
    former_leader = auction.leader_id
    _recompute_without(auction, bid)
    concerned = {"bidder": bid.bidder_id, "leader": auction.leader_id, "former_leader": former_leader}
    public = _public(auction, bid)
    event_log.record(auction, AuctionEvent.Kind.BID_VOIDED, now, public, **concerned, reason=reason, actor=actor.pk)
    BidVoid.objects.create(
        bid=bid, product_id=auction.product_id, version=auction.version, reason=reason, voided_by=actor, voided_at=now
    )


def _recompute_without(auction: Auction, bid: Bid) -> None:
    remaining = Bid.objects.made_by_people().valid().filter(product_id=bid.product_id).exclude(pk=bid.pk)
    product = auction.product
    auction.apply(product.rules.recompute(product.terms(), auction.state(), remaining.requests()))


def _public(auction: Auction, bid: Bid) -> dict[str, Any]:
    product = auction.product
    return {
        "bidder": product.alias_of(bid.bidder_id),
        # A hidden amount stays hidden.
        "amount": money.to_text(bid.displayed_amount, product.currency) if bid.seq is not None else None,
        "bid_seq": bid.seq,
        "leader": product.alias_of(auction.leader_id) if auction.leader_id else None,
        "currency": product.currency,
        **event_log.public_state(product.rules, product.terms(), auction.state()),
    }
