"""Rules of the state machine for bids: place, repeat, preview and void them; and for time passing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from auctions.services import bidding, previewing, voiding
from tests.state_machine.machine import A_BIDDER, BIDDERS, LOT, STAFF
from tests.state_machine.model_bids import DECIMALS, US
from tests.state_machine.reference_checks import minor, money, since_epoch
from tests.state_machine.rules_listing import Listing, an_undecided_lot

# An amount of a bid, by its relation to the limits; `free` units are added to it.
LEVEL = st.sampled_from(
    ("minimum",) * 4 + ("below", "maximum", "under", "over", "leap", "reserve", "short", "start", "buy_now", "step")
)
FREE = st.sampled_from((0, 0, 0, 1, 7, 250, 3000))
HOW = st.sampled_from(("aloud", "proxy", "proxy", "both"))
KEYS = ("k1", "k2", "k3")


class Trading(Listing):
    """Rules until the close."""

    def __init__(self):
        super().__init__()
        self.sent = []  # keyed bids: (who, lot, amount, most, key)

    # --- bids ------------------------------------------------------------------------------------------------------

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_BIDDER, how=HOW, level=LEVEL, free=FREE, key=st.sampled_from((None, None, None, *KEYS)))
    def bid(self, number, who, how, level, free, key):
        lot = self.lot(number)
        self.place(lot, self.called(who, lot), *self.offer_of(lot, how, level, free), key=key)

    @precondition(lambda self: self.any_lot(self.is_open))
    @rule(
        number=LOT, pair=st.permutations(BIDDERS), levels=st.lists(st.tuples(HOW, LEVEL, FREE), min_size=2, max_size=4)
    )
    def duel(self, number, pair, levels):
        lot = self.lot(number)
        for turn, level in enumerate(levels):
            self.place(lot, pair[turn % 2], *self.offer_of(lot, *level))

    @precondition(lambda self: self.any_lot(self.is_open))
    @rule(number=LOT, who=A_BIDDER, before=st.sampled_from(("end", "end", "window")), by=st.sampled_from((-1, 0, 1)))
    def bid_late(self, number, who, before, by):
        """To the microsecond: about the end, or about the moment from which on a bid extends."""
        lot = self.lot(number)
        self.move_to(lot.ends - by - (lot.terms.window * US if before == "window" else 0))
        self.place(lot, self.called(who, lot), None, lot.terms.minimum(lot.bid_state) + 10)

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_BIDDER, odd=st.sampled_from(("nothing", "decimals", "cap", "crossed")))
    def bid_oddly(self, number, who, odd):
        lot = self.lot(number)
        most, minimum = lot.terms.cap, lot.terms.minimum(lot.bid_state)
        amounts = {"nothing": (None, None), "decimals": (minimum, None), "cap": (None, most + 1)}
        self.place(lot, self.called(who, lot), *amounts.get(odd, (minimum + 1, minimum)), spoilt=odd == "decimals")

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 4), other=st.booleans())
    def bid_again(self, number, other):
        """A client without an answer repeats its request, or sends another one with the same key."""
        who, lot, amount, most, key = self.sent[-1 - number % len(self.sent)]
        self.place(lot, who, amount, most if not other else (most or amount) + 1, key=key)

    def offer_of(self, lot, how, level, free):
        """Return (amount, most)."""
        terms, bid_state = lot.terms, lot.bid_state
        minimum = terms.minimum(bid_state)
        top = minimum if bid_state.most is None else bid_state.most
        value = (
            free
            + {
                "minimum": minimum,
                "below": minimum - 1,
                "maximum": top,
                "under": top - 1,
                "over": top + 1,
                "leap": top + terms.step(top),
                "reserve": terms.reserve or minimum,
                "short": (terms.reserve or minimum) - 1,
                "start": terms.start,
                "buy_now": terms.buy_now or minimum,
                "step": minimum + terms.step(minimum),
            }[level]
        )
        value = min(max(value, 1), terms.cap)
        return {"aloud": (value, None), "proxy": (None, value), "both": (min(minimum, value), value)}[how]

    def place(self, lot, who, amount, most, *, key=None, spoilt=False):
        currency = lot.terms.currency
        aloud = money(amount, currency)
        if spoilt:
            aloud += Decimal("0.5").scaleb(-DECIMALS[currency])
        done = self.act(
            "bid" if key is None else "bid with a key",
            lambda: self.market.bid(lot, who, amount, most, key=key, fits=not spoilt),
            lambda: bidding.place_bid(
                product_id=lot.id,
                bidder_id=self.people[who].pk,
                amount=aloud,
                max_amount=money(most, currency),
                idempotency_key=key,
            ),
            [lot],
            details=f"{who} {lot.id} {amount} {most} {key or ''}",
            learn=_bid_id,
        )
        if done:
            (bid, outcome, bid_state, ends, seq), answer = done
            assert bid.id == answer["bid"]["id"]
            self.outcomes["bid", outcome] += 1
            self.compare_answer(lot, who, (outcome, bid_state, ends, seq), answer)
            if key:
                self.sent.append((who, lot, amount, most, key))

    def compare_answer(self, lot, who, expected, answer):
        product = answer["product"]
        currency = lot.terms.currency
        price, minimum = (minor(Decimal(product[name]), currency) for name in ("current_price", "minimum_bid"))
        outcome, bid_state, ends, seq = expected
        details = {
            "outcome": (answer["outcome"], outcome),
            "price": (price, bid_state.price),
            "minimum": (minimum, lot.terms.minimum(bid_state)),
            "bid_count": (product["bid_count"], bid_state.count),
            "ends_at": (since_epoch(datetime.fromisoformat(product["ends_at"])), ends),
            "reserve_met": (product["reserve_met"], lot.terms.met(bid_state)),
            "seq": (product["seq"], seq),
            "is_leading": (product["is_leading"], bid_state.leader == who),
        }
        wrong = {name: pair for name, pair in details.items() if pair[0] != pair[1]}
        assert not wrong, f"answered, expected: {wrong}"

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_BIDDER, how=HOW, level=LEVEL, free=FREE)
    def preview(self, number, who, how, level, free):
        lot = self.lot(number)
        who, currency = self.called(who, lot), lot.terms.currency
        amount, most = self.offer_of(lot, how, level, free)
        done = self.act(
            "preview",
            lambda: self.market.preview(lot, who, amount, most),
            lambda: previewing.preview_bid(
                product_id=lot.id,
                user=self.people[who],
                amount=money(amount, currency),
                max_amount=money(most, currency),
            ),
            details=f"{who} {lot.id} {amount} {most}",
        )
        if done:
            expected, answer = done
            amounts = answer["minimum_bid"], answer["at_most"]["buyers_premium"], answer["at_most"]["total"]
            found = answer["acceptable"], answer["code"], *(minor(Decimal(text), currency) for text in amounts)
            assert found == expected, f"{found}, expected {expected}"

    @precondition(lambda self: self.any_lot(lambda lot: lot.bids))
    @rule(number=LOT, who=STAFF, which=st.sampled_from((0, 0, 1, 2, -1, None)))
    def void(self, number, who, which):
        """Which of its bids, from the newest; the leader's for -1; one that is not there for None."""
        lot = self.lot(number, lambda lot: lot.bids and lot.status == "open")
        if not lot.bids:
            bid = None
        elif which == -1:
            bid = next((bid for bid in reversed(lot.bids) if bid.bidder == lot.bid_state.leader), lot.bids[-1])
        else:
            bid = None if which is None else lot.bids[-1 - which % len(lot.bids)]
        who = self.called(who, lot)
        self.act(
            "void",
            lambda: self.market.void(lot, bid, who),
            lambda: voiding.void_bid(
                product_id=lot.id, bid_id=bid.id if bid else uuid4(), actor=self.people[who], reason="a mistake"
            ),
            [lot],
            details=f"{who} {lot.id} {bid}",
        )

    # --- time ------------------------------------------------------------------------------------------------------

    @rule(which=st.sampled_from((0, 0, 0, 1, 2)), to=st.sampled_from((-1, 0, 1, -US, -20 * US)))
    def to_a_deadline(self, which, to):
        """Just before, at, or just after the next moment at which something changes."""
        ahead = self.deadlines()
        if ahead:
            self.move_to(ahead[which % len(ahead)] + to)
            self.act("wait", lambda: None, lambda: None)

    @rule(seconds=st.sampled_from((1, 1, 5, 5, 60, 119, 120, 1800, 90_000)))
    def time_passes(self, seconds):
        self.move_to(self.market.now + seconds * US)
        self.act("wait", lambda: None, lambda: None)


def _bid_id(answer, real):
    if answer[0].id is None:
        answer[0].id = real["bid"]["id"]
