"""A sealed first-price auction, for tests: bids are hidden until the close, then the highest wins and is the price."""

from dataclasses import replace
from enum import StrEnum

from auctioncraft.core import money
from auctions.errors import BidTooLow
from auctions.formats.base import Decision, HistoryEntry, check_amounts, check_can_bid


class Outcome(StrEnum):
    SEALED = "sealed"


def evaluate_bid(terms, state, bid, now):
    _, limit = check_amounts(terms, bid)
    placed_at = max(now, state.last_bid_at) if state.last_bid_at else now
    check_can_bid(terms, state, bid.bidder, placed_at)
    if limit < terms.starting_bid:
        raise BidTooLow(minimum_bid=money.to_text(terms.starting_bid, terms.currency))
    return Decision(
        outcome=Outcome.SEALED,
        state=replace(state, last_bid_at=placed_at),
        rows=(HistoryEntry(bid.bidder, limit, Outcome.SEALED),),
        placed_at=placed_at,
        public=False,
        extended=False,
        outbid_user=None,
    )


def recompute(terms, state, bids):
    return state


def minimum_bid(terms, price):
    return terms.starting_bid


def buy_now_available(buy_now_price, reserve_price, price):
    return False


def close(terms, state, bids):
    best = None
    for bid, _ in bids:
        if best is None or bid.limit > best.limit:  # of equal bids the first wins
            best = bid
    return state if best is None else replace(state, leader=best.bidder, leader_max=best.limit, price=best.limit)
