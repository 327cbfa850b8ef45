"""After the end of an auction: orders, strikes, waived reserves, second chances, relistings (docs/rules.md)."""

from __future__ import annotations

from dataclasses import dataclass

from tests.state_machine.model_bids import HOUR, Refused, replay

PAYMENT = 96 * HOUR
WAIVER = 48 * HOUR
CHANCE = 24 * HOUR
_KEPT = ("currency", "start", "reserve", "buy_now", "flat", "shipping")


@dataclass
class Order:
    """What a buyer owes."""

    lot: object
    buyer: str
    hammer: int
    premium: int
    opened: int
    status: str = "awaiting_payment"
    ended: int | None = None  # paid or expired
    reminders_sent: int = 0

    @property
    def due(self):
        return self.opened + PAYMENT

    @property
    def total(self):
        return self.hammer + self.premium + self.lot.terms.shipping

    @property
    def payable(self):
        """Whether a card can be charged that: not too little, and no thousandths."""
        least = {"USD": 50, "GBP": 30, "JPY": 50, "KWD": 1}[self.lot.terms.currency]
        return self.total >= least and not (self.lot.terms.currency == "KWD" and self.total % 10)


@dataclass
class Offer:
    """A second chance."""

    bidder: str
    amount: int
    made: int
    status: str = "offered"

    @property
    def until(self):
        return self.made + CHANCE


class Sales:
    """The part of the market after a lot is sold or not."""

    def sell(self, lot, sale, buyer, price):
        lot.status, lot.result, lot.sale, lot.winner, lot.hammer, lot.fell = "sold", "sold", sale, buyer, price, None
        self.orders.append(Order(lot, buyer, price, lot.terms.premium(price), self.now))

    def waive(self, lot, who):
        """Accept, within 48 hours, what was below the reserve."""
        self._there(lot)
        if who != lot.terms.seller:
            raise Refused("permission_denied")
        if lot.result != "reserve_not_met" or self.now >= lot.closed + WAIVER or self.again(lot):
            raise Refused("reserve_not_acceptable")
        if self.strikes.get(lot.bid_state.leader, 0) >= self.ban:
            raise Refused("reserve_not_acceptable")
        lot.events.append("reserve_waived")
        self.sell(lot, "below_reserve", lot.bid_state.leader, lot.bid_state.price)

    # --- the money -------------------------------------------------------------------------------------------------

    def pay(self, order, *, exact=True):
        """Take what arrived; return what is odd about it. Money is never lost, and pays only what is still owed."""
        if order.status != "awaiting_payment":
            return f"surplus_order_{order.status}"
        if not exact:
            return "amount_mismatch"
        order.status, order.ended, order.lot.settled = "paid", self.now, self.now
        return ""

    def expire_due(self):
        late = [order for order in self.orders if order.status == "awaiting_payment" and order.due <= self.now]
        for order in late:
            order.status, order.ended = "expired", self.now
            if order.payable:
                self.strikes[order.buyer] = self.strikes.get(order.buyer, 0) + 1
            order.lot.fell = self.now
            order.lot.events.append("sale_fell_through")
        return len(late)

    def remind_due(self):
        """24 and 48 hours after the sale, once each; after a pause of the worker the later one alone."""
        details = 0
        for order in self.orders:
            if order.status == "awaiting_payment" and self.now < order.due:
                so_far = (self.now >= order.opened + 24 * HOUR) + (self.now >= order.opened + 48 * HOUR)
                details += so_far > order.reminders_sent
                order.reminders_sent = max(order.reminders_sent, so_far)
        return details

    def lift(self, who):
        self.strikes[who] = 0

    # --- second chances --------------------------------------------------------------------------------------------

    def offer(self, lot, who):
        self._there(lot)
        self._own(lot, who)
        nxt = self.next_bidder(lot)
        if lot.fell is None or self.offered(lot) or self.again(lot) or nxt is None:
            raise Refused("second_chance_unavailable")
        lot.offers.append(Offer(*nxt, self.now))
        lot.events.append("second_chance_offered")
        return lot.offers[-1]

    def next_bidder(self, lot):
        """Return who would lead without those who had their chance or are suspended, and at which price."""
        asked = {offer.bidder for offer in lot.offers} | self.defaulters(lot)
        asked |= {who for who, strikes in self.strikes.items() if strikes >= self.ban}
        found = replay(lot.terms, [bid for bid in lot.surviving() if bid.bidder not in asked])
        return None if found.leader is None else (found.leader, found.price)

    def defaulters(self, lot):
        return {order.buyer for order in self.orders if order.lot is lot and order.status == "expired"}

    def offered(self, lot):
        return next((offer for offer in lot.offers if offer.status == "offered"), None)

    def accept(self, lot, who):
        offer = self._open_offer(lot, who)
        self._trusted(lot, who)
        offer.status = "accepted"
        lot.events.append("second_chance_accepted")
        self.sell(lot, "second_chance", who, offer.amount)

    def decline(self, lot, who):
        self._open_offer(lot, who).status = "declined"
        lot.events.append("second_chance_declined")

    def _open_offer(self, lot, who):
        self._there(lot)
        offer = next((offer for offer in lot.offers if offer.bidder == who), None)
        if offer is None:
            raise Refused("not_found")
        if offer.status != "offered" or self.now >= offer.until:
            raise Refused("second_chance_not_open")
        return offer

    def lapse_due(self):
        late = [
            (lot, lot_offer) for lot in self.lots if (lot_offer := self.offered(lot)) and lot_offer.until <= self.now
        ]
        for lot, offer in late:
            offer.status = "lapsed"
            lot.events.append("second_chance_lapsed")
        return len(late)

    # --- again -----------------------------------------------------------------------------------------------------

    def relist(self, lot, who, **changes):
        """Relist an unsold lot under today's rules for as long as before."""
        self._there(lot)
        if who != lot.terms.seller:
            raise Refused("permission_denied")
        unsold = lot.status == "unsold" or lot.fell is not None
        if not unsold or self.offered(lot) or self.again(lot):
            raise Refused("not_relistable")
        same = {name: getattr(lot.terms, name) for name in _KEPT} | {"soft": (lot.terms.window, lot.terms.extension)}
        made = self.put_up(who, **{"ends": self.now + lot.ends - lot.starts, **same, **changes})
        made.old, made.text, made.defaulters = lot, lot.text, lot.defaulters | self.defaulters(lot)
        lot.events.append("relisted")
        return made

    def again(self, lot):
        """Whether it is relisted."""
        return any(other.old is lot and not other.deleted for other in self.lots)
