"""Auctions that end in every way break no invariant, and each check finds a corrupted row."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.models import User
from auctioncraft.core.invariants import all_invariants, run
from auctions.models import AccountWithdrawal, Auction, AuctionEvent, Bid, BidVoid, Product, SecondChanceOffer
from auctions.services import buying, closing, editing, relisting, second_chance, voiding
from auctions.tests import auction_helpers
from auctions.tests.test_invariants import CORRUPTIONS
from notifications.models import Notification
from notifications.services.outbox import write_notifications
from payments.models import Order, Payment
from payments.services import expiry
from simulation.simulated_clock import SimulatedClock
from tests import factories
from tests.violations import find_violations

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


class Scene:
    """A lamp that was edited, had a bid voided, was extended by staff and bids, sold, not paid, sold as a second
    chance, not paid again and relisted; and other products that ended in other ways."""

    def __init__(self, clock, seller, bidder, rival, staff):
        third = factories.user("third@example.com")
        self.lamp = factories.product(seller, description="Old.", starts_at=clock.now + HOUR, ends_at=clock.now + DAY)
        editing.edit_product(product_id=self.lamp.pk, actor=seller, changes={"ends_at": clock.now + DAY + HOUR})
        self.vase = factories.product(seller, reserve_price=Decimal(90), starts_at=clock.now + HOUR)
        self.bowl = factories.product(seller, buy_now_price=Decimal(20), starts_at=clock.now + HOUR)
        self.cup = factories.product(seller, starts_at=clock.now + HOUR)
        self.jug = factories.product(seller, starts_at=clock.now + HOUR, ends_at=clock.now + 5 * DAY)
        clock.move_to(clock.now + 2 * HOUR)
        auction_helpers.bid(self.lamp, third, "20", max_amount="25")
        made = auction_helpers.bid(self.lamp, rival, max_amount="500")
        voiding.void_bid(product_id=self.lamp.pk, bid_id=made["bid"]["id"], actor=staff, reason="No.")
        editing.edit_product(product_id=self.lamp.pk, actor=seller, changes={"description": "Old. It works."})
        closing.extend_auction(
            product_id=self.lamp.pk, actor=staff, ends_at=self.of(self.lamp).ends_at + HOUR, reason="A slip."
        )
        auction_helpers.bid(self.vase, bidder, "30")
        closing.close_auction(product_id=self.vase.pk, actor=seller)
        closing.accept_below_reserve(product_id=self.vase.pk, actor=seller)
        buying.buy_now(product_id=self.bowl.pk, buyer=rival, price=Decimal(20))
        auction_helpers.bid(self.cup, rival, "7")
        closing.cancel_auction(product_id=self.cup.pk, actor=staff, reason="A slip.")
        auction_helpers.bid(self.jug, third, "8")
        auction_helpers.bid(self.jug, rival, "9")
        for product in (self.vase, self.bowl):
            self.pay(product, clock.now)
        clock.move_to(self.of(self.lamp).ends_at - 30 * SECOND)
        auction_helpers.bid(self.lamp, rival, "40")
        auction_helpers.bid(self.lamp, bidder, "50")
        clock.move_to(self.of(self.lamp).ends_at)
        closing.close_due()
        clock.move_to(clock.now + 96 * HOUR)
        closing.close_due()
        expiry.expire_due()
        second_chance.offer(product_id=self.lamp.pk, actor=seller)
        clock.move_to(clock.now + DAY)
        second_chance.lapse_due()
        second_chance.offer(product_id=self.lamp.pk, actor=seller)
        second_chance.accept(product_id=self.lamp.pk, bidder=third)
        clock.move_to(clock.now + 96 * HOUR)
        expiry.expire_due()
        self.again = relisting.relist(product_id=self.lamp.pk, actor=seller, changes={})
        second_chance.offer(product_id=self.jug.pk, actor=seller)
        write_notifications()
        self.seller, self.bidder, self.rival, self.third = seller, bidder, rival, third

    @staticmethod
    def of(product):
        return Auction.objects.get(pk=product.pk)

    @staticmethod
    def pay(product, at):
        order = Order.objects.get(product=product)
        money = {"amount": order.total, "currency": "USD", "received": order.total, "received_currency": "USD"}
        payment = Payment.objects.create(
            order=order, **money, status="succeeded", stripe_intent_id=f"pi_{order.pk}", succeeded_at=at
        )
        from payments.services import orders

        with transaction.atomic():
            orders.mark_paid(order=order, payment=payment, at=at)


def events(product, **where):
    return AuctionEvent.objects.filter(product=product, **where)


def auctions(product):
    return Auction.objects.filter(pk=product.pk)


def orders(product):
    return Order.objects.filter(product=product)


REPLAY = "1, 4, 7 each auction's state and end follow from its bids"
VOIDS = "2 every void has its bid and its event"
FITS = "8 results match the state of the auction"
CLOSED = "8 every closed auction was closed once"
AFTER = "8 nothing happens after the close, nothing post-sale before it"
WAIVED = "8 reserves are waived in time"
LOGGED = "8 second chances are in the log"
FOLLOWS = "8 second chances follow an unpaid sale"
SIGNED = "25 what staff did to an auction names who and why"
NOTIFIED = "16 users are notified of auction events"
UNSOLD = "8 only unsold products are relisted"
TERMS = {"currency": "USD", "shipping": "1.00", "premium_bands": []}
CORRUPTED = [
    (REPLAY, lambda s: BidVoid.objects.all().delete()),
    (VOIDS, lambda s: BidVoid.objects.update(voided_at=F("voided_at") + SECOND)),
    (VOIDS, lambda s: BidVoid.objects.all().delete()),
    (VOIDS, lambda s: BidVoid.objects.update(product=s.cup)),
    (VOIDS, lambda s: BidVoid.objects.update(bid=Bid.objects.filter(outcome="automatic").first())),
    ("2 no bid has a later version than its auction", lambda s: BidVoid.objects.update(version=900)),
    (
        "3 amounts are within their limits and fit their currency",
        lambda s: SecondChanceOffer.objects.update(amount=0),
    ),
    (REPLAY, lambda s: events(s.lamp, data__by="staff").delete()),
    (REPLAY, lambda s: events(s.lamp, data__by="staff").update(data={"from": "2026-01-01T00:00:00Z", "ends_at": "x"})),
    (REPLAY, lambda s: events(s.lamp, kind="edited", data__has_key="ends_at").update(kind="extended")),
    (REPLAY, lambda s: events(s.lamp, kind="extended").exclude(data__has_key="by").update(kind="edited", data={})),
    (
        REPLAY,
        lambda s: events(s.lamp, kind="extended").exclude(data__has_key="by").update(created_at=F("created_at") - HOUR),
    ),
    (REPLAY, lambda s: Product.objects.filter(pk=s.lamp.pk).update(soft_close_extension=300)),
    (REPLAY, lambda s: Product.objects.filter(pk=s.lamp.pk).update(soft_close_window=5)),
    (REPLAY, lambda s: Bid.objects.filter(product=s.lamp).update(placed_at=F("placed_at") + HOUR)),
    (REPLAY, lambda s: Bid.objects.filter(product=s.cup).update(placed_at=F("placed_at") + 30 * DAY)),
    (
        "7 terms stay fixed once there is a bid",
        lambda s: events(s.lamp, data__fields=["description"]).update(data={"fields": ["name"]}),
    ),
    (FITS, lambda s: auctions(s.vase).update(sale_type="hammer")),
    (FITS, lambda s: auctions(s.lamp).update(sale_type="hammer")),
    (FITS, lambda s: auctions(s.bowl).update(hammer_price=19)),
    (FITS, lambda s: auctions(s.jug).update(sale_type="buy_now")),
    (FITS, lambda s: SecondChanceOffer.objects.filter(status="accepted").update(status="declined")),
    (CLOSED, lambda s: events(s.vase, kind="reserve_waived").update(kind="edited")),
    (CLOSED, lambda s: events(s.cup, kind="cancelled").update(kind="closed", data={"result": "sold"})),
    (SIGNED, lambda s: events(s.cup, kind="cancelled").update(private={"actor": s.seller.pk})),
    (CLOSED, lambda s: events(s.cup, kind="cancelled").update(kind="edited", data={})),
    (AFTER, lambda s: events(s.vase, kind="reserve_waived").update(kind="bid_voided")),
    (
        AFTER,
        lambda s: (
            events(s.again, kind="edited").update(kind="relisted") or events(s.jug, seq=1).update(kind="relisted")
        ),
    ),
    (WAIVED, lambda s: events(s.vase, kind="reserve_waived").update(created_at=F("created_at") + 48 * HOUR)),
    (WAIVED, lambda s: auctions(s.vase).update(sale_type="hammer")),
    (
        "8 second chances are within what the bidder bid",
        lambda s: SecondChanceOffer.objects.update(amount=F("amount") + 30),
    ),
    ("8 second chances last a day", lambda s: SecondChanceOffer.objects.update(expires_at=F("expires_at") + SECOND)),
    (
        "8 second chances last a day",
        lambda s: SecondChanceOffer.objects.filter(status="lapsed").update(status="declined"),
    ),
    (LOGGED, lambda s: events(s.lamp, kind="second_chance_lapsed").delete()),
    (LOGGED, lambda s: SecondChanceOffer.objects.filter(status="offered").delete()),
    (FOLLOWS, lambda s: auctions(s.jug).update(payment_defaulted_at=None)),
    (FOLLOWS, lambda s: auctions(s.lamp).update(winner=s.bidder)),
    (UNSOLD, lambda s: auctions(s.lamp).update(payment_defaulted_at=None)),
    (UNSOLD, lambda s: events(s.lamp, kind="relisted").update(data={"product": 0})),
    (
        "9 no second chance is overdue",
        lambda s: SecondChanceOffer.objects.filter(status="offered").update(expires_at=F("expires_at") - 25 * HOUR),
    ),
    ("11 orders match their sale", lambda s: orders(s.vase).update(buyer=s.third)),
    ("11 orders match their sale", lambda s: orders(s.lamp).update(seller=s.third)),
    (
        "21 orders follow from the terms that their buyer agreed to",
        lambda s: Bid.objects.filter(product=s.vase).update(terms=TERMS),
    ),
    (
        "21 orders follow from the terms that their buyer agreed to",
        lambda s: SecondChanceOffer.objects.update(terms=TERMS),
    ),
    (
        "21 orders follow from the terms that their buyer agreed to",
        lambda s: events(s.bowl, kind="closed").update(private={"winner": s.rival.pk, "terms": TERMS}),
    ),
    (
        "21 orders follow from the terms that their buyer agreed to",
        lambda s: orders(s.bowl).update(shipping=1, total=21),
    ),
    (
        "22 no account buys or sells after it was disabled",
        lambda s: was_disabled(s.third, timezone.now() - 400 * DAY),
    ),
    (
        "users' unpaid orders are counted",
        lambda s: User.objects.filter(pk=s.rival.pk).update(unpaid_orders=3),
    ),
    ("11 every sale has an order at its hammer price", lambda s: auctions(s.jug).update(payment_defaulted_at=None)),
    (
        "11 sales fall through when their order expires",
        lambda s: orders(s.jug).update(expired_at=F("expired_at") + SECOND),
    ),
    (
        "11 sales fall through when their order expires",
        lambda s: events(s.jug, kind="sale_fell_through").update(kind="edited"),
    ),
    (
        "11 sales fall through when their order expires",
        lambda s: orders(s.jug).update(status="awaiting_payment", expired_at=None),
    ),
    (
        "no relisted product has a live order",
        lambda s: Product.objects.filter(pk=s.again.pk).update(relisted_from=s.vase),
    ),
    (
        "users have no more strikes than expired orders",
        lambda s: User.objects.filter(pk=s.rival.pk).update(strikes=2),
    ),
    (
        "9 no order is overdue",
        lambda s: orders(s.jug).update(status="awaiting_payment", expired_at=None),
    ),
    (
        "13, 15 received money pays its order or is surplus",
        lambda s: Payment.objects.update(status="canceled", received=None),
    ),
    (NOTIFIED, lambda s: delete_notifications(s.vase, "auction_won")),
    (NOTIFIED, lambda s: delete_notifications(s.jug, "auction_lost")),
    (NOTIFIED, lambda s: delete_notifications(s.cup, "auction_cancelled")),
    (NOTIFIED, lambda s: delete_notifications(s.lamp, "description_added")),
    (NOTIFIED, lambda s: delete_notifications(s.lamp, "bid_voided")),
    (NOTIFIED, lambda s: delete_notifications(s.jug, "second_chance_offer")),
    (NOTIFIED, lambda s: delete_notifications(s.lamp, "second_chance_ended")),
    (
        "16 users are notified of their orders",
        lambda s: delete_notifications(s.lamp, "payment_expired"),
    ),
]


def test_every_auction_invariant_has_a_failing_example():
    elsewhere = {"8 categories count their open products"}  # auctions/tests/test_categories.py
    corrupted = {check for check, _ in CORRUPTED} | {check for check, _ in CORRUPTIONS.values()} | elsewhere
    assert corrupted >= {found.name for found in all_invariants("auctions")}


def was_disabled(user, at):
    User.objects.filter(pk=user.pk).update(is_active=False)
    AccountWithdrawal.objects.create(user=user, reason="A test.", created_at=at)


def delete_notifications(product, kind):
    """Delete the notifications of a kind."""
    gone, _ = Notification.objects.filter(product=product, kind=kind).delete()
    assert gone


def findings():
    return find_violations()


def is_violated(name):
    """Check one invariant of any app."""
    (found,) = run([checked for checked in all_invariants() if checked.name == name])
    return bool(found.findings)


def test_invariants_find_each_corrupted_row_and_nothing_else(seller, bidder, rival, staff):
    with SimulatedClock(timezone.now()) as clock:
        scene = Scene(clock, seller, bidder, rival, staff)
        assert findings() == {}
        silent = []
        for number, (check, corrupt) in enumerate(CORRUPTED):
            with transaction.atomic():
                corrupt(scene)
                if not is_violated(check):
                    silent.append(f"{number}: {check}")
                transaction.set_rollback(True)
        assert silent == []
        assert findings() == {}
