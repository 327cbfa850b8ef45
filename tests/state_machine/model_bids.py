"""What a bid does, in plain integers: docs/rules.md, "A bid", "Increments" and "History"."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

US = 1_000_000
HOUR = 3600 * US
DAY = 24 * HOUR

DECIMALS = {"USD": 2, "GBP": 2, "JPY": 0, "KWD": 3}
CAP = 99_999_999  # units

# (from, step), in hundredths. The yen's are the same numbers of yen; the dinar has ten times as many fils.
_USD = (
    (0, 5),
    (1_00, 25),
    (5_00, 50),
    (25_00, 1_00),
    (100_00, 2_50),
    (250_00, 5_00),
    (500_00, 10_00),
    (1_000_00, 25_00),
    (2_500_00, 50_00),
    (5_000_00, 100_00),
)
_GBP = (
    (0, 5),
    (1_00, 20),
    (5_00, 50),
    (15_00, 1_00),
    (60_00, 2_00),
    (150_00, 5_00),
    (300_00, 10_00),
    (600_00, 20_00),
    (1_500_00, 50_00),
    (3_000_00, 100_00),
)
TABLES = {"USD": _USD, "GBP": _GBP, "JPY": _USD, "KWD": tuple((start * 10, step * 10) for start, step in _USD)}


class Refused(Exception):
    """What must be answered instead: a public code."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


@dataclass
class Bid:
    """An accepted bid as it was sent. `seq` is None if it was not public."""

    bidder: str
    amount: int | None
    most: int | None
    seq: int | None
    void: bool = False
    id: object = None

    @property
    def highest(self):
        return self.amount if self.most is None else self.most


@dataclass
class Row:
    """A line of the public history; of a person (then of a bid) or of a proxy."""

    seq: int
    bidder: str
    price: int
    at: int
    bid: Bid | None


@dataclass
class BidState:
    """Who leads, up to what, at what price, after how many public bids."""

    leader: str | None = None
    most: int | None = None
    price: int | None = None
    count: int = 0


@dataclass
class Terms:
    """What a lot is sold under; `bands` is the premium, in percent from an amount of minor units on."""

    seller: str
    currency: str
    start: int
    reserve: int | None = None
    buy_now: int | None = None
    flat: int | None = None
    shipping: int = 0
    window: int = 120
    extension: int = 120
    bands: tuple = field(default=())

    def step(self, price):
        if self.flat is not None:
            return self.flat
        return [step for start, step in TABLES[self.currency] if start <= price][-1]

    def minimum(self, bid_state):
        return self.start if bid_state.price is None else bid_state.price + self.step(bid_state.price)

    def met(self, bid_state):
        return bid_state.price is not None and (self.reserve is None or bid_state.price >= self.reserve)

    @property
    def cap(self):
        return CAP * 10 ** DECIMALS[self.currency]

    def premium(self, hammer):
        """Marginal bands, rounded once, half up."""
        hundredths = 0
        ends = [start for start, _ in self.bands[1:]] + [None] * bool(self.bands)
        for (start, percent), end in zip(self.bands, ends, strict=True):
            top = hammer if end is None else min(hammer, end)
            hundredths += max(0, top - start) * percent
        unit = 10 if self.currency == "KWD" else 1  # cards take two decimals
        return (hundredths + 50 * unit) // (100 * unit) * unit


def decide(terms, old, bidder, amount, most):
    """Return the outcome, the new bid_state, and the public rows as (bidder, price, by a person); or refuse."""
    x = amount if most is None else most
    a = terms.minimum(old) if amount is None else amount
    if bidder == old.leader:
        if x <= old.most:
            raise Refused("maximum_not_raised")
        outcome, new = "maximum_raised", BidState(bidder, x, old.price)
    elif min(a, x) < terms.minimum(old):
        raise Refused("bid_too_low")
    elif old.leader is None:
        outcome, new = "leading", BidState(bidder, x, a)
    elif x > old.most:
        outcome, new = "leading", BidState(bidder, x, max(a, min(x, old.most + terms.step(old.most))))
    else:
        outcome, new = "outbid", BidState(old.leader, old.most, min(old.most, x + terms.step(x)))
    if terms.reserve is not None and new.price < terms.reserve:
        new.price = min(new.most, terms.reserve)
    rows = []
    if (new.leader, new.price) != (old.leader, old.price):
        rows = _rows(old, new, outcome, bidder, x)
    return outcome, replace(new, count=old.count + bool(rows)), rows


def _rows(old, new, outcome, bidder, x):
    if outcome == "outbid":
        return [(bidder, x, True), (old.leader, new.price, False)]
    overtaken = outcome == "leading" and old.leader is not None and old.most > old.price
    return [(old.leader, old.most, False)] * overtaken + [(bidder, new.price, True)]


def replay(terms, bids):
    """Return the state after these bids alone; one that would be refused now has no effect."""
    bid_state = BidState()
    for bid in bids:
        try:
            bid_state = decide(terms, bid_state, bid.bidder, bid.amount, bid.most)[1]
        except Refused:
            continue
    return bid_state
