"""Placing a bid: look, decide, commit only if nothing moved (docs/concurrency.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from auctioncraft import idempotency, money
from auctioncraft.clock import to_text
from auctioncraft.errors import NotAuthenticated, NotFound, Unavailable
from auctioncraft.ids import uuid7
from auctions import pricing
from auctions.errors import AuctionNotOpen, BidTooLow, MaximumNotRaised
from auctions.models import Auction, alias
from auctions.models import AuctionEvent as Event
from auctions.services import admission
from auctions.services.bid_store import store
from auctions.services.bid_store.records import BidRow, BidWrite, EventRow, KeyRow, Look

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.services.tokens import Credential
    from auctioncraft.errors import DomainError

# Without the lock, before the lock is taken so that everybody gets an answer.
TRIES = 3


@dataclass(frozen=True, slots=True)
class _Request:
    """A bid as it came in."""

    product_id: int
    offer: pricing.Offer
    credential: Credential | None
    key: str | None
    fingerprint: str

    def earlier_answer(self) -> dict[str, Any] | None:
        """Return what its Idempotency-Key was answered before."""
        if not self.key:
            return None
        return idempotency.earlier_answer(user_id=self.offer.bidder, key=self.key, fingerprint=self.fingerprint)


def place_bid(
    *,
    product_id: int,
    bidder_id: int,
    amount: Decimal | None = None,
    max_amount: Decimal | None = None,
    idempotency_key: str | None = None,
    credential: Credential | None = None,
) -> dict[str, Any]:
    """Place a bid, money in the product's currency; return its public answer: bid, outcome, product, server_time.

    `credential` is the token it came with, checked in the same query as the bidder. Raises NotFound, NotAuthenticated,
    BidderSuspended, CardRequired, IdempotencyKeyReused, Unavailable, and the refusals of pricing.decide; then nothing
    is written.
    """
    request = _Request(
        product_id,
        pricing.Offer(bidder_id, amount, max_amount),
        credential,
        idempotency_key,
        idempotency.fingerprint("bid", product=product_id, amount=amount, max_amount=max_amount)
        if idempotency_key
        else "",
    )
    if (answer := request.earlier_answer()) is not None:
        _look(request)  # a token that has ended gets no answer of old either
        return answer
    try:
        return _place(request)
    except (IntegrityError, AuctionNotOpen, BidTooLow, MaximumNotRaised):
        # The same key at the same time, and the other request was faster: nothing of ours was written. Its bid may be
        # what ours was refused for.
        if (answer := request.earlier_answer()) is None:
            raise
        return answer


def _place(request: _Request) -> dict[str, Any]:
    for _ in range(TRIES):
        if (answer := _try(request)) is not None:
            return answer
    with transaction.atomic():
        Auction.objects.select_for_update(no_key=True).filter(pk=request.product_id).exists()
        if (answer := _try(request)) is not None:
            return answer
        # Under the lock only the auction's end can come between looking and writing: then this refuses.
        _decide(request)
    raise Unavailable


def _try(request: _Request) -> dict[str, Any] | None:
    """Look, decide and commit once; None if somebody was faster."""
    look, decision = _decide(request)
    write, answer = _compose(request, look, decision)
    return answer if store().commit(write) else None


def _look(request: _Request) -> Look:
    look = store().look(product_id=request.product_id, bidder_id=request.offer.bidder, credential=request.credential)
    if look is None:
        raise NotFound
    if not (look.bidder_active and look.credential_good):
        raise NotAuthenticated
    return look


def _decide(request: _Request) -> tuple[Look, pricing.Decision]:
    look = _look(request)
    decision = pricing.decide(look.terms, look.state, request.offer, look.now)
    if (refused := refusal(look, request.offer)) is not None:
        raise refused
    return look, decision


def refusal(look: Look, offer: pricing.Offer) -> DomainError | None:
    """Return why the bidder may not make an offer that pricing.decide takes, or None."""
    return admission.refusal(
        strikes=look.bidder_strikes, has_card=look.bidder_has_card, most=offer.most, currency=look.terms.currency
    )


def _compose(request: _Request, look: Look, decision: pricing.Decision) -> tuple[BidWrite, dict[str, Any]]:
    """Return everything the bid writes, and its answer."""
    currency, state = look.terms.currency, decision.state
    price = state.price
    assert price is not None  # noqa: S101 (an accepted bid has one)  # nosec B101
    standing = {
        "current_price": money.to_text(price, currency),
        "minimum_bid": money.to_text(pricing.minimum_bid(look.terms, price), currency),
        "bid_count": state.bid_count,
        "ends_at": to_text(state.ends_at),
        "reserve_met": pricing.reserve_met(look.terms.reserve_price, price),
    }
    seq = look.seq + 1 if decision.public else None
    bids = tuple(
        BidRow(uuid7(), place, seq, row, None if row.outcome is pricing.Outcome.AUTOMATIC else request.offer)
        for place, row in enumerate(decision.rows)
    )
    own = next(bid for bid in bids if bid.offer)
    events = _events(request, look, decision, standing, own.row.price)
    answer = {
        "bid": {
            "id": str(own.id),
            "amount": money.to_text_or_none(request.offer.amount, currency),
            "max_amount": money.to_text_or_none(request.offer.max_amount, currency),
            "currency": currency,
            "placed_at": to_text(decision.placed_at),
        },
        "outcome": decision.outcome.value,
        "product": {
            "id": request.product_id,
            "currency": currency,
            **standing,
            "seq": look.seq + len(events),
            "is_leading": state.leader == request.offer.bidder,
        },
        "server_time": to_text(decision.placed_at),
    }
    write = BidWrite(
        product_id=request.product_id,
        bidder_id=request.offer.bidder,
        version=look.version,
        seq=look.seq + len(events),
        state=state,
        placed_at=decision.placed_at,
        bids=bids,
        events=events,
        key=KeyRow(request.key, request.fingerprint, answer) if request.key else None,
    )
    return write, answer


def _events(
    request: _Request, look: Look, decision: pricing.Decision, standing: dict[str, Any], stood_at: Decimal
) -> tuple[EventRow, ...]:
    """Return the public events of the bid: none for a raised maximum that nobody may see."""
    if not decision.public:
        return ()
    currency, bidder = look.terms.currency, request.offer.bidder
    leader = decision.state.leader
    assert leader is not None  # noqa: S101 (an accepted bid has one)  # nosec B101
    placed = EventRow(
        look.seq + 1,
        Event.Kind.BID_PLACED,
        {
            "bidder": alias(look.alias_salt, bidder),
            "leader": alias(look.alias_salt, leader),
            "amount": money.to_text(stood_at, currency),
            "currency": currency,
            **standing,
        },
        {"bidder": bidder, "leader": leader, "outbid": decision.displaced},
    )
    if not decision.extended:
        return (placed,)
    moved = {"from": to_text(look.state.ends_at), "ends_at": to_text(decision.state.ends_at)}
    return placed, EventRow(look.seq + 2, Event.Kind.EXTENDED, moved, {})
