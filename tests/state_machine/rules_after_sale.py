"""Rules of the state machine for after a sale: payments, second chances and relistings."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from accounts.services import bidder_status
from auctions.services import relisting, second_chance
from payments import stripe_gateway
from payments.models import Order, Payment
from payments.services import payment_sync
from tests.state_machine.machine import A_SELLER, BIDDERS, LOT
from tests.state_machine.reference_checks import money
from tests.state_machine.rules_closing import Ending
from tests.state_machine.rules_listing import MOST_LOTS


def _over(lot):
    return lot.status in {"sold", "unsold"}


def _fell_through(lot):
    return lot.fell is not None


def _offered(lot):
    return bool(lot.offers)


class MarketMachine(Ending):
    """The whole market."""

    rules_for = 0  # the number of lots when the settings last changed

    # --- money -----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.market.orders)
    @rule(number=LOT, exact=st.sampled_from((True, True, True, False)), times=st.integers(1, 2))
    def pay(self, number, exact, times):
        for _ in range(times):
            self.money_arrives(self.market.orders[-1 - number % len(self.market.orders)], exact=exact)

    def money_arrives(self, order, *, exact, only_prepared=False):
        """Through an intent made just now if the order can have one, else through the one it had."""
        stored = Order.objects.get(product_id=order.lot.id, buyer=self.people[order.buyer])
        payment = stored.payments.order_by("pk").last()
        if order.status == "awaiting_payment" and not stored.payments.live().exists():
            payment = Payment.objects.create(
                order=stored, amount=stored.total, currency=stored.currency, status=Payment.Status.OPEN
            )
            payment.stripe_intent_id = f"pi_{payment.pk}"
            payment.save()
        if payment is None or only_prepared:
            return
        repeated = payment.status in {Payment.Status.SUCCEEDED, Payment.Status.SURPLUS}
        minor = stripe_gateway.to_minor_units(stored.total, stored.currency) + (0 if exact else 10)
        intent = stripe_gateway.Intent(
            payment.stripe_intent_id, "", "succeeded", minor, minor, stored.currency, livemode=False, metadata={}
        )

        def real():
            locked, paying = payment_sync.lock(payment_id=payment.pk, intent=intent)
            return payment_sync.apply(order=locked, payment=paying, intent=intent)

        was = {Payment.Status.SUCCEEDED: "", Payment.Status.SURPLUS: "surplus"}
        done = self.act(
            "pay again" if repeated else "pay",
            lambda: was[payment.status] if repeated else self.market.pay(order, exact=exact),
            real,
            [order.lot],
            details=f"{order.buyer} {order.lot.id} {exact}",
        )
        assert done[0] == done[1], f"{done[1]!r}, expected {done[0]!r}"
        self.outcomes["pay", done[0] or "paid"] += 1

    @precondition(lambda self: any(self.market.strikes.values()))
    @rule(who=st.sampled_from(BIDDERS))
    def lift(self, who):
        self.act(
            "lift",
            lambda: self.market.lift(who),
            lambda: bidder_status.clear_strikes(user=self.people[who]),
            details=who,
        )

    # --- once more -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.any_lot(_fell_through))
    @rule(number=LOT, who=A_SELLER)
    def offer(self, number, who):
        lot = self.lot(number, _fell_through)
        self.offered(lot, self.called(who, lot))

    def offered(self, lot, who):
        done = self.act(
            "offer",
            lambda: self.market.offer(lot, who),
            lambda: second_chance.offer(product_id=lot.id, actor=self.people[who]),
            [lot],
            details=f"{who} {lot.id}",
        )
        if done:
            made, real = done
            assert (self.people[made.bidder].pk, money(made.amount, lot.terms.currency)) == (
                real.bidder_id,
                real.amount,
            )

    @precondition(lambda self: self.any_lot(_offered))
    @rule(
        number=LOT,
        who=st.sampled_from(("offered",) * 8 + BIDDERS),
        accepting=st.booleans(),
        late=st.sampled_from((None, None, -1, 0, 1)),
    )
    def answer(self, number, who, accepting, late):
        """Answer an offer, at once or just before, at or after its end."""
        self.answered(self.lot(number, self.market.offered), who, accepting, late)

    @precondition(lambda self: self.any_lot(self.is_offerable))
    @rule(number=LOT, accepting=st.booleans(), late=st.sampled_from((None, -1, 0)), due_to_expire=st.booleans())
    def second_chance(self, number, accepting, late, due_to_expire):
        """Offer a second chance to an eligible bidder, who answers or not."""
        lot = self.lot(number, self.is_offerable)
        self.offered(lot, lot.terms.seller)
        if due_to_expire and lot.offers:
            self.move_to(lot.offers[-1].until + (late or 0))
            self.run_due("lapse_due")
        else:
            self.answered(lot, "offered", accepting, late)

    def is_offerable(self, lot):
        market = self.market
        return _fell_through(lot) and not market.offered(lot) and not market.again(lot) and market.next_bidder(lot)

    def answered(self, lot, who, accepting, late):
        if late is not None and lot.offers:
            self.move_to(lot.offers[-1].until + late)
        if who == "offered":
            who = lot.offers[-1].bidder if lot.offers else "ann"
        model = self.market.accept if accepting else self.market.decline
        real = second_chance.accept if accepting else second_chance.decline
        self.act(
            "accept" if accepting else "decline",
            lambda: model(lot, who),
            lambda: real(product_id=lot.id, bidder=self.people[who]),
            [lot],
            details=f"{who} {lot.id}",
        )

    @precondition(lambda self: self.any_lot(_over) and len(self.market.lots) < MOST_LOTS)
    @rule(number=LOT, who=A_SELLER, start=st.sampled_from((None, 80)))
    def relist(self, number, who, start):
        lot = self.lot(number, lambda lot: lot.status == "unsold" or _fell_through(lot))
        who = self.called(who, lot)
        model = {} if start is None else {"start": start}
        real = {} if start is None else {"starting_bid": money(start, lot.terms.currency)}
        self.act(
            "relist",
            lambda: self.market.relist(lot, who, **model),
            lambda: relisting.relist(product_id=lot.id, actor=self.people[who], changes=real),
            [lot],
            details=f"{who} {lot.id} {start}",
            learn=lambda made, product: setattr(made, "id", product.pk),
        )

    @precondition(lambda self: self.rules_for < len(self.market.lots))
    @rule(
        window=st.sampled_from((0, 120, 300)),
        extension=st.sampled_from((60, 120)),
        bands=st.sampled_from(((), ((0, 10), (20, 5)), ((0, 3),))),
    )
    def settings_change(self, window, extension, bands):
        self.rules_for = len(self.market.lots)  # once for each lot, for they show in the next one only
        self.set_rules(window=window, extension=extension, bands=bands)
        self.act("new rules", lambda: None, lambda: None)
