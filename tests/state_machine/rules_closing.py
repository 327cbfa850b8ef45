"""Rules of the state machine for the end of an auction: close, buy now, cancel, extend, and the worker."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from auctions.services import buying, closing, second_chance
from payments.services import expiry
from tests.state_machine.machine import A_BIDDER, A_SELLER, BIDDERS, LOT, STAFF
from tests.state_machine.model_bids import US
from tests.state_machine.model_sales import WAIVER
from tests.state_machine.reference_checks import moment, money
from tests.state_machine.rules_bidding import Trading
from tests.state_machine.rules_listing import an_undecided_lot, undecided


def _below(lot):
    return lot.result == "reserve_not_met" and not lot.deleted


# In the order in which they run one after the other; a worker has no order.
JOBS = {
    "close_due": closing.close_due,
    "remind_due": expiry.remind_due,
    "expire_due": expiry.expire_due,
    "lapse_due": second_chance.lapse_due,
}


class Ending(Trading):
    """Rules for the ways an auction ends."""

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_BIDDER)
    def buy_now(self, number, who):
        lot = self.lot(number, lambda lot: self.is_open(lot) and lot.terms.buy_now)
        who = self.called(who, lot)
        self.act(
            "buy_now",
            lambda: self.market.buy_now(lot, who),
            lambda: buying.buy_now(
                product_id=lot.id, buyer=self.people[who], price=money(lot.terms.buy_now, lot.terms.currency)
            ),
            [lot],
            details=f"{who} {lot.id}",
        )

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_SELLER, accept=st.booleans())
    def close(self, number, who, accept):
        lot = self.lot(number, undecided)
        who = self.called(who, lot)
        self.act(
            "close",
            lambda: self.market.close(lot, who, accept=accept),
            lambda: closing.close_auction(product_id=lot.id, actor=self.people[who], accept_below_reserve=accept),
            [lot],
            details=f"{who} {lot.id} {accept}",
        )

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=A_SELLER)
    def cancel(self, number, who):
        lot = self.lot(number, undecided)
        who = self.called(who, lot)
        self.act(
            "cancel",
            lambda: self.market.cancel(lot, who),
            lambda: closing.cancel_auction(product_id=lot.id, actor=self.people[who], reason="a mistake"),
            [lot],
            details=f"{who} {lot.id}",
        )

    @precondition(an_undecided_lot)
    @rule(number=LOT, who=STAFF, seconds=st.sampled_from((0, 1, 600, 31 * 86_400, 31 * 86_400 + 1)))
    def extend(self, number, who, seconds):
        lot = self.lot(number, undecided)
        who = self.called(who, lot)
        ends = max(lot.ends, self.market.now) + seconds * US
        self.act(
            "extend",
            lambda: self.market.extend(lot, who, ends),
            lambda: closing.extend_auction(
                product_id=lot.id, actor=self.people[who], ends_at=moment(ends), reason="an outage"
            ),
            [lot],
            details=f"{who} {lot.id} {ends}",
        )

    @precondition(lambda self: self.any_lot(_below))
    @rule(number=LOT, who=A_SELLER, late=st.sampled_from((None, None, -1, 0)))
    def waive(self, number, who, late):
        """Accept a price below the reserve: at once, or just before or at the end of the 48 hours."""
        self.waived(self.lot(number, _below), who, late)

    @precondition(lambda self: self.any_lot(self.may_stay_below))
    @rule(number=LOT, bidder=st.sampled_from(BIDDERS), late=st.sampled_from((None, -1, 0)))
    def sold_below_the_reserve(self, number, bidder, late):
        lot = self.lot(number, self.may_stay_below)
        self.place(lot, bidder, lot.terms.minimum(lot.bid_state), None)
        self.move_to(lot.ends)
        self.run_due("close_due")
        self.waived(lot, "seller", late)

    def may_stay_below(self, lot):
        return self.is_open(lot) and lot.terms.minimum(lot.bid_state) < (lot.terms.reserve or 0)

    def waived(self, lot, who, late):
        if late is not None and _below(lot):
            self.move_to(lot.closed + WAIVER + late)
        who = self.called(who, lot)
        self.act(
            "waive",
            lambda: self.market.waive(lot, who),
            lambda: closing.accept_below_reserve(product_id=lot.id, actor=self.people[who]),
            [lot],
            details=f"{who} {lot.id}",
        )

    # --- the worker ------------------------------------------------------------------------------------------------

    @rule(which=st.sampled_from((*JOBS, "all", "all", "all")))
    def run_jobs(self, which):
        self.run_due(which)

    def run_due(self, which):
        names = JOBS if which == "all" else [which]
        done = self.act(
            "run_jobs",
            lambda: [getattr(self.market, name)() for name in names],
            lambda: [JOBS[name]() for name in names],
            details=which,
        )
        assert done[0] == done[1], f"{which}: {done[1]}, expected {done[0]}"
        for name, times in zip(names, done[0], strict=True):
            self.outcomes[name, "some" if times else "none"] += 1

    @precondition(lambda self: self.any_lot(self.is_open))
    @rule(number=LOT, bidders=st.permutations(BIDDERS), most=st.lists(st.integers(0, 20_00), min_size=1, max_size=4))
    def sold_at_the_end(self, number, bidders, most):
        """A few people bid, then the worker closes the auction."""
        lot = self.lot(number)
        for bidder, more in zip(bidders, most, strict=False):
            self.place(lot, bidder, None, lot.terms.minimum(lot.bid_state) + more)
        self.move_to(lot.ends)
        self.run_due("close_due")

    @precondition(lambda self: any(order.status == "awaiting_payment" for order in self.market.orders))
    @rule(number=LOT, late=st.sampled_from((-1, 0, 1)), at_last=st.booleans())
    def nobody_pays(self, number, late, at_last):
        """The clock comes to the moment at which an order is due, or to just before or after it."""
        waiting = [order for order in self.market.orders if order.status == "awaiting_payment"]
        order = waiting[-1 - number % len(waiting)]
        self.money_arrives(order, exact=True, only_prepared=True)
        self.move_to(order.due + late)
        self.run_due("all")
        if at_last:
            self.money_arrives(order, exact=True)
