"""The market: lots, their bids and how they close (docs/rules.md). After a sale: model_sales.py."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from tests.state_machine.model_bids import (
    DAY,
    DECIMALS,
    HOUR,
    US,
    Bid,
    BidState,
    Refused,
    Row,
    Terms,
    decide,
    replay,
)
from tests.state_machine.model_sales import Sales

LONGEST = 366 * DAY
FURTHEST = 31 * DAY  # how far ahead staff may move an end
HARD = 24 * HOUR  # from the first end to the one that nothing passes
TOLERANCE = 300 * US  # a start so little in the past is now


@dataclass
class Lot:
    """A product and its auction. Times in microseconds, amounts in minor units of the currency."""

    terms: Terms
    starts: int
    ends: int
    hard: int
    text: str = ""
    bid_state: BidState = field(default_factory=BidState)
    status: str = "open"
    result: str = ""
    sale: str = ""
    winner: str | None = None
    hammer: int | None = None
    closed: int | None = None
    settled: int | None = None
    fell: int | None = None
    bids: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    events: list = field(default_factory=list)
    offers: list = field(default_factory=list)
    watchers: set = field(default_factory=set)
    old: Lot | None = None
    defaulters: set = field(default_factory=set)
    deleted: bool = False
    id: int = 0

    def surviving(self):
        return [bid for bid in self.bids if not bid.void]


@dataclass
class Market(Sales):
    """The whole market at the time `now`. Each action changes it, or raises Refused and changes nothing."""

    now: int = 0
    ban: int = 3  # strikes
    window: int = 120
    extension: int = 120
    bands: tuple = ()
    lots: list = field(default_factory=list)
    orders: list = field(default_factory=list)
    strikes: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)

    # --- before the bids -------------------------------------------------------------------------------------------

    def put_up(self, seller, *, currency="USD", starts=None, ends=None, soft=(None, None), **terms):
        """Open a lot; `soft` is its window and its extension, in seconds, or the default."""
        window, extension = soft
        window = self.window if window is None else window
        extension = self.extension if extension is None else extension
        bands = tuple((start * 10 ** DECIMALS[currency], percent) for start, percent in self.bands)
        made = Terms(seller, currency, window=window, extension=extension, bands=bands, **terms)
        self._fit(made)
        starts, ends = self._times(starts, ends)
        lot = Lot(made, starts, ends, ends + HARD)
        self.lots.append(lot)
        return lot

    def _fit(self, terms):
        amounts = [terms.start, terms.reserve, terms.buy_now, terms.flat, terms.shipping or None]
        if any(amount is not None and not 0 < amount <= terms.cap for amount in amounts):
            raise Refused("invalid")
        if terms.buy_now is not None and (terms.buy_now <= terms.start or terms.buy_now < (terms.reserve or 0)):
            raise Refused("invalid")

    def _times(self, starts, ends):
        if starts is None or self.now - TOLERANCE <= starts < self.now:
            starts = self.now
        ends = starts + 7 * DAY if ends is None else ends
        if starts < self.now or ends <= starts or ends > self.now + LONGEST:
            raise Refused("invalid")
        return starts, ends

    def edit(self, lot, who, **changes):
        """Change text, start (of the bids), reserve, buy_now or ends; after a bid, only append to the text."""
        self._there(lot)
        self._own(lot, who)
        self._undecided(lot)
        if self.now >= lot.ends:
            raise Refused("auction_already_closed")
        current = {**vars(lot.terms), "text": lot.text, "ends": lot.ends}
        changes = {name: value for name, value in changes.items() if value != current[name]}
        if lot.bids and changes and (changes.keys() != {"text"} or not changes["text"].startswith(lot.text)):
            raise Refused("auction_has_bids")
        terms = replace(lot.terms, **{name: changes[name] for name in changes if name not in {"text", "ends"}})
        self._fit(terms)
        ends = changes.get("ends", lot.ends)
        if "ends" in changes and not max(lot.starts, self.now) < ends <= self.now + LONGEST:
            raise Refused("invalid")
        lot.terms, lot.text = terms, changes.get("text", lot.text)
        lot.hard += ends - lot.ends
        lot.ends = ends
        lot.events += ["edited"] * bool(changes)

    def delete(self, lot, who):
        self._there(lot)
        self._own(lot, who)
        if lot.bids:
            raise Refused("auction_has_bids")
        if lot.status == "sold":
            raise Refused("auction_already_closed")
        lot.deleted = True

    def watch(self, lot, who, *, on):
        self._there(lot)
        (lot.watchers.add if on else lot.watchers.discard)(who)

    # --- bids ------------------------------------------------------------------------------------------------------

    def bid(self, lot, who, amount, most, *, key=None, fits=True):
        """Return (bid, outcome, bid_state, end, events so far); `fits`: the amounts have the currency's decimals."""
        if key is not None and (who, key) in self.keys:
            body, answer = self.keys[who, key]
            if body != (id(lot), amount, most):
                raise Refused("idempotency_key_reused")
            return answer
        outcome, new, rows = self.judge(lot, who, amount, most, fits=fits)
        bid = Bid(who, amount, most, len(lot.events) + 1 if rows else None)
        lot.bids.append(bid)
        lot.bid_state = new
        if rows:
            lot.events.append("bid_placed")
            lot.rows += [Row(bid.seq, name, price, self.now, bid if own else None) for name, price, own in rows]
            self._soft_close(lot)
        answer = (bid, outcome, new, lot.ends, len(lot.events))
        if key is not None:
            self.keys[who, key] = (id(lot), amount, most), answer
        return answer

    def judge(self, lot, who, amount, most, *, fits=True):
        """Preview a bid, with refusals in their order."""
        self._there(lot)
        given = [value for value in (amount, most) if value is not None]
        if not given or not fits or given[-1] < given[0] or not all(0 < value <= lot.terms.cap for value in given):
            raise Refused("invalid")
        self._may_buy(lot, who)
        decided = decide(lot.terms, lot.bid_state, who, amount, most)
        self._trusted(lot, who)
        return decided

    def preview(self, lot, who, amount, most):
        """Return what a bid would be details: whether it would do, why not, the minimum, premium and total at most."""
        code = None
        try:
            self.judge(lot, who, amount, most)
        except Refused as refused:
            code = refused.code
            if code in {"invalid", "not_found"}:
                raise
        x = amount if most is None else most
        premium = lot.terms.premium(x)
        return code is None, code, lot.terms.minimum(lot.bid_state), premium, x + premium + lot.terms.shipping

    def _may_buy(self, lot, who):
        if who == lot.terms.seller:
            raise Refused("seller_cannot_bid")
        if lot.status != "open" or not lot.starts <= self.now < lot.ends:
            raise Refused("auction_not_open")

    def _soft_close(self, lot):
        if lot.ends - self.now < lot.terms.window * US:
            ends = max(lot.ends, min(self.now + lot.terms.extension * US, lot.hard))
            if ends != lot.ends:
                lot.ends = ends
                lot.events.append("extended")

    def void(self, lot, bid, who):
        """`bid` is one of the lot's; None is one that is not."""
        self._there(lot)
        self._staff(who)
        if bid is None:
            raise Refused("not_found")
        self._undecided(lot)
        if bid.void:
            raise Refused("bid_already_voided")
        bid.void = True
        lot.bid_state = replay(lot.terms, lot.surviving())
        lot.events.append("bid_voided")

    # --- the end ---------------------------------------------------------------------------------------------------

    def buy_now(self, lot, who):
        self._there(lot)
        self._may_buy(lot, who)
        begun = lot.bid_state.leader is not None
        if lot.terms.buy_now is None or (begun and (lot.terms.reserve is None or lot.terms.met(lot.bid_state))):
            raise Refused("buy_now_unavailable")
        self._trusted(lot, who)
        self._end(lot, "sold", "sold")
        self.sell(lot, "buy_now", who, lot.terms.buy_now)

    def close(self, lot, who, *, accept):
        self._there(lot)
        self._own(lot, who)
        if accept and who != lot.terms.seller:
            raise Refused("permission_denied")
        self._undecided(lot)
        self._close(lot, accept=accept)

    def close_due(self):
        due = [lot for lot in self.lots if not lot.deleted and lot.status == "open" and lot.ends <= self.now]
        for lot in due:
            self._close(lot, accept=False)
        return len(due)

    def _close(self, lot, *, accept):
        for bidder in dict.fromkeys(bid.bidder for bid in lot.surviving()):
            if self.strikes.get(bidder, 0) >= self.ban:
                for bid in lot.surviving():
                    bid.void = bid.bidder == bidder
                lot.bid_state = replay(lot.terms, lot.surviving())
                lot.events.append("bid_voided")
        leader, price = lot.bid_state.leader, lot.bid_state.price
        if leader is None:
            self._end(lot, "unsold", "no_bids")
        elif lot.terms.met(lot.bid_state) or accept:
            self._end(lot, "sold", "sold")
            self.sell(lot, "hammer" if lot.terms.met(lot.bid_state) else "below_reserve", leader, price)
        else:
            self._end(lot, "unsold", "reserve_not_met")

    def cancel(self, lot, who):
        self._there(lot)
        self._own(lot, who)
        self._undecided(lot)
        if who != "staff" and lot.bid_state.leader is not None:
            raise Refused("auction_has_bids")
        self._end(lot, "cancelled", "cancelled", event="cancelled")

    def extend(self, lot, who, ends):
        self._there(lot)
        self._staff(who)
        self._undecided(lot)
        if not 0 < ends - max(lot.ends, self.now) <= FURTHEST:
            raise Refused("invalid")
        lot.hard += ends - lot.ends
        lot.ends = ends
        lot.events.append("extended")

    def _end(self, lot, status, result, event="closed"):
        lot.status, lot.result, lot.closed = status, result, self.now
        lot.events.append(event)

    # --- who may ---------------------------------------------------------------------------------------------------

    def _there(self, lot):
        if lot.deleted:
            raise Refused("not_found")

    def _own(self, lot, who):
        if who not in {lot.terms.seller, "staff"}:
            raise Refused("permission_denied")

    def _staff(self, who):
        if who != "staff":
            raise Refused("permission_denied")

    def _undecided(self, lot):
        if lot.status != "open":
            raise Refused("auction_already_closed")

    def _trusted(self, lot, who):
        if who in lot.defaulters:
            raise Refused("defaulter_cannot_bid")
        if self.strikes.get(who, 0) >= self.ban:
            raise Refused("bidder_suspended")
