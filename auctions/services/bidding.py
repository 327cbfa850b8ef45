"""Places a bid: read a snapshot, evaluate, write only if nothing changed meanwhile (docs/concurrency.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from uuid_utils.compat import uuid7

from auctioncraft.core import idempotency, money
from auctioncraft.core.clock import isoformat_utc
from auctioncraft.core.errors import NotAuthenticated, NotFound, Unavailable
from auctions.errors import AuctionNotOpen, BidTooLow, MaximumNotRaised
from auctions.formats.base import BidRequest, Outcome
from auctions.models import Auction, alias
from auctions.models import AuctionEvent as Event
from auctions.services import agreed_total, eligibility, event_log
from auctions.services.bid_store import store
from auctions.services.bid_store.types import AuctionSnapshot, BidWrite

if TYPE_CHECKING:
    from decimal import Decimal

    from accounts.services.tokens import Credential
    from auctions.formats.base import Decision

# Attempts without the lock; the last one takes it, so that every bid gets an answer.
TRIES = 3


@dataclass(frozen=True, slots=True)
class _Request:
    """A bid with the token and the key that it came with."""

    product_id: int
    bid: BidRequest
    total: Decimal | None
    currency: str | None
    credential: Credential | None
    idempotent: idempotency.IdempotentRequest


def place_bid(
    *,
    product_id: int,
    bidder_id: int,
    amount: Decimal | None = None,
    max_amount: Decimal | None = None,
    total: Decimal | None = None,
    currency: str | None = None,
    idempotency_key: str | None = None,
    credential: Credential | None = None,
) -> dict[str, Any]:
    """Place a bid in the product's currency; return the response: bid, outcome, product, server_time.

    `total`, the most that the bidder agrees to pay with premium and shipping, and `currency` are checked if given.
    `credential` is the token of the request, checked in the same query as the bidder. Writes nothing if it raises
    NotFound, NotAuthenticated, IdempotencyKeyReused, PriceChanged, Unavailable or a refusal of eligibility or
    Format.evaluate_bid.
    """
    request = _Request(
        product_id,
        BidRequest(bidder_id, amount, max_amount),
        total,
        currency,
        credential,
        idempotency.identify(
            "bid",
            user_id=bidder_id,
            key=idempotency_key,
            product=product_id,
            amount=amount,
            max_amount=max_amount,
            total=total,
            currency=currency,
        ),
    )
    if (answer := idempotency.stored_response(request.idempotent)) is not None:
        _read_snapshot(request)  # an ended session gets no stored response either
        return answer
    try:
        return _place(request)
    except (IntegrityError, AuctionNotOpen, BidTooLow, MaximumNotRaised):
        # A request with the same key may have been faster, and its bid the reason for this refusal.
        if (answer := idempotency.stored_response(request.idempotent)) is None:
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
        # Under the lock only the auction's end can come between reading and writing; then this refuses.
        _decide(request)
    raise Unavailable


def _try(request: _Request) -> dict[str, Any] | None:
    """Read, evaluate and write once; return None if another write came between."""
    snapshot, decision = _decide(request)
    write, answer = _compose(request, snapshot, decision)
    return answer if store().write_bid(write) else None


def _read_snapshot(request: _Request) -> AuctionSnapshot:
    snapshot = store().read_snapshot(
        product_id=request.product_id, bidder_id=request.bid.bidder, credential=request.credential
    )
    if snapshot is None:
        raise NotFound
    if not (snapshot.bidder_active and snapshot.credential_good):
        raise NotAuthenticated
    return snapshot


def _decide(request: _Request) -> tuple[AuctionSnapshot, Decision]:
    snapshot = _read_snapshot(request)
    decision = snapshot.rules.evaluate_bid(snapshot.terms, snapshot.state, request.bid, snapshot.now)
    agreed_total.check(snapshot.sale, request.bid.limit, total=request.total, currency=request.currency)
    refusal = eligibility.find_refusal(snapshot.bidder, limit=request.bid.limit, currency=snapshot.terms.currency)
    if refusal is not None:
        raise refusal
    return snapshot, decision


def _compose(request: _Request, snapshot: AuctionSnapshot, decision: Decision) -> tuple[BidWrite, dict[str, Any]]:
    """Return the rows that the bid writes, and its response."""
    currency, state = snapshot.terms.currency, decision.state
    public_state = event_log.public_state(snapshot.rules, snapshot.terms, state)
    seq = snapshot.seq + 1 if decision.public else None
    bids: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "position": position,
            "seq": seq,
            "bidder_id": entry.bidder,
            "displayed_amount": entry.displayed_amount,
            "amount": None if entry.outcome is Outcome.AUTOMATIC else request.bid.amount,
            "max_amount": None if entry.outcome is Outcome.AUTOMATIC else request.bid.max_amount,
            "outcome": entry.outcome,
            "terms": None if entry.outcome is Outcome.AUTOMATIC else snapshot.sale.to_json(),
        }
        for position, entry in enumerate(decision.rows)
    ]
    own = next(bid for bid in bids if bid["outcome"] is not Outcome.AUTOMATIC)
    events = _events(request, snapshot, decision, public_state, own["displayed_amount"])
    answer = {
        "bid": {
            "id": str(own["id"]),
            "amount": money.to_text_or_none(request.bid.amount, currency),
            "max_amount": money.to_text_or_none(request.bid.max_amount, currency),
            "currency": currency,
            "placed_at": isoformat_utc(decision.placed_at),
        },
        "outcome": decision.outcome.value,
        "product": {
            "id": request.product_id,
            "currency": currency,
            **public_state,
            "seq": snapshot.seq + len(events),
            "is_leading": state.leader == request.bid.bidder,
        },
        "server_time": isoformat_utc(decision.placed_at),
    }
    write = BidWrite(
        product_id=request.product_id,
        bidder_id=request.bid.bidder,
        version=snapshot.version,
        seq=snapshot.seq + len(events),
        state=state,
        placed_at=decision.placed_at,
        bids=bids,
        events=events,
        key=idempotency.new_row(request.idempotent, answer),
    )
    return write, answer


def _events(
    request: _Request,
    snapshot: AuctionSnapshot,
    decision: Decision,
    public_state: dict[str, Any],
    displayed_amount: Decimal,
) -> list[dict[str, Any]]:
    """Return the public events of the bid; none for a hidden one, like a raised maximum."""
    if not decision.public:
        return []
    currency, bidder = snapshot.terms.currency, request.bid.bidder
    leader = decision.state.leader
    data = {
        "bidder": alias(snapshot.alias_salt, bidder),
        "leader": None if leader is None else alias(snapshot.alias_salt, leader),
        "amount": money.to_text(displayed_amount, currency),
        "currency": currency,
        **public_state,
    }
    private = {"bidder": bidder, "leader": leader, "outbid": decision.outbid_user}
    placed = {"seq": snapshot.seq + 1, "kind": Event.Kind.BID_PLACED, "data": data, "private": private}
    if not decision.extended:
        return [placed]
    extension = {"from": isoformat_utc(snapshot.state.ends_at), "ends_at": isoformat_utc(decision.state.ends_at)}
    return [placed, {"seq": snapshot.seq + 2, "kind": Event.Kind.EXTENDED, "data": extension, "private": {}}]
