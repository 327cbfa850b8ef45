"""Erasure during other actions: what has begun is seen, what begins afterwards is refused.

Nothing depends on timing: one side stops within its transaction until the other waits for it or has ended.
"""

from decimal import Decimal

import pytest
from django.db import connection

from accounts.models import User
from accounts.services import bidder_status, user_locking
from auctioncraft.core.errors import DomainError, NotAuthenticated
from auctions.models import Auction, Bid, SecondChanceOffer, Watch
from auctions.services import buying, closing, second_chance, watching
from auctions.services.bid_store import store
from auctions.tests import auction_helpers
from notifications.models import Notification
from notifications.services import outbox
from notifications.services.outbox import write_notifications
from payments.models import Order
from privacy.errors import AccountInUse
from privacy.services import erasure
from tests import factories
from tests.db_snapshot import broken_invariants
from tests.interleave import interleave, interleave_at
from tests.races.guards_disabled import disable_in_bids
from tests.time_travel import let_order_expire

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]

PASSWORD = "correct horse battery"


@pytest.fixture
def me(db):
    return factories.user("mike@example.com")


@pytest.fixture
def on_postgres():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: the transaction is the lock")


def erase(user):
    erasure.erase_account(user=User.objects.get(pk=user.pk), password=PASSWORD)


def reasons(result):
    assert isinstance(result, AccountInUse), result
    return [reason["reason"] for reason in result.extra["reasons"]]


def erased_while(monkeypatch, user):
    """Erase the account between the read and the write of a bid."""
    look = store().read_snapshot

    def look_and_erase(**asked):
        seen = look(**asked)
        if User.objects.get(pk=user.pk).is_active:
            erase(user)
        return seen

    monkeypatch.setattr(store(), "read_snapshot", look_and_erase)


# -- a bid -------------------------------------------------------------------------------------------------------------


def test_bid_overtaken_by_erasure_is_refused(me, seller, monkeypatch):
    product = factories.product(seller)
    erased_while(monkeypatch, me)
    with pytest.raises(NotAuthenticated):
        auction_helpers.bid(product, me, "10")
    assert not Bid.objects.exists()
    assert Auction.objects.get().version == 0
    assert broken_invariants() == []


def test_bid_overtaken_by_erasure_without_version_check_is_stored(me, seller, monkeypatch):
    product = factories.product(seller)
    erased_while(monkeypatch, me)
    disable_in_bids(monkeypatch, "bidder")
    auction_helpers.bid(product, me, "10")
    assert Auction.objects.get().leader.display_name == "deleted member"


def test_bid_overtaken_by_disabling_is_refused(me, seller, monkeypatch):
    product = factories.product(seller)
    monkeypatch.setattr(f"{__name__}.erase", factories.disable_account)
    erased_while(monkeypatch, me)
    with pytest.raises(NotAuthenticated):
        auction_helpers.bid(product, me, "10")
    assert not Bid.objects.exists()


def test_erasure_during_a_bid_waits_and_is_refused(me, seller):
    product = factories.product(seller)
    bid, erased = interleave(lambda: auction_helpers.bid(product, me, "10"), lambda: erase(me))
    assert bid["outcome"] == "leading"
    assert reasons(erased) == ["leading"]
    assert broken_invariants() == []


def test_erasure_during_a_bid_without_lock_is_done(on_postgres, me, seller, monkeypatch):
    product = factories.product(seller)
    disable_in_bids(monkeypatch, "bidder_lock")
    bid, erased = interleave(lambda: auction_helpers.bid(product, me, "10"), lambda: erase(me))
    assert (bid["outcome"], erased) == ("leading", None)
    assert Auction.objects.get().leader.display_name == "deleted member"


def test_bid_during_erasure_waits_and_is_refused(me, seller):
    product = factories.product(seller)
    erased, bid = interleave(lambda: erase(me), lambda: auction_helpers.bid(product, me, "10"))
    assert erased is None
    assert isinstance(bid, NotAuthenticated)
    assert not Bid.objects.exists()


def test_erasure_of_seller_during_a_bid_is_refused(me, rival):
    product = factories.product(me)
    bid, erased = interleave(lambda: auction_helpers.bid(product, rival, "10"), lambda: erase(me))
    assert bid["outcome"] == "leading"
    assert reasons(erased) == ["has_bids"]


def test_bid_during_erasure_of_seller_is_refused(me, rival):
    product = factories.product(me)
    erased, bid = interleave(lambda: erase(me), lambda: auction_helpers.bid(product, rival, "10"))
    assert (erased, bid.code) == (None, "auction_not_open")
    assert Auction.objects.get().status == "cancelled"
    assert broken_invariants() == []


# -- a close, an order -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reserve", [None, Decimal(100)], ids=["sold", "below the reserve"])
def test_erasure_during_a_close_won_is_refused(me, seller, reserve):
    product = factories.product(seller, reserve_price=reserve)
    auction_helpers.bid(product, me, "10")
    _, erased = interleave(lambda: closing.close_auction(product_id=product.pk, actor=seller), lambda: erase(me))
    # Below the reserve: still open, or the seller may still accept.
    assert reasons(erased) == (["leading"] if reserve else ["unpaid_order"])
    assert Order.objects.count() == (0 if reserve else 1)
    assert broken_invariants() == []


def test_erasure_during_a_close_without_bids_is_done(me):
    product = factories.product(me)
    _, erased = interleave(lambda: closing.close_auction(product_id=product.pk, actor=me), lambda: erase(me))
    assert erased is None
    assert Auction.objects.get().result == "no_bids"
    assert broken_invariants() == []


def test_erasure_during_buy_now_is_refused_to_both_sides(me, seller, rival):
    for one, other in ((me, seller), (rival, me)):
        product = factories.product(other, buy_now_price=Decimal(70))
        _, erased = interleave(
            lambda product=product, one=one: buying.buy_now(product_id=product.pk, buyer=one, price=Decimal(70)),
            lambda: erase(me),
        )
        assert set(reasons(erased)) == {"unpaid_order"}
    assert Order.objects.count() == 2
    assert broken_invariants() == []


def test_erasure_during_buy_now_without_lock_is_done(on_postgres, me, seller, monkeypatch):
    product = factories.product(seller, buy_now_price=Decimal(70))
    monkeypatch.setattr(bidder_status, "lock_account", bidder_status.get_account)
    monkeypatch.setattr(bidder_status, "add_unpaid_order", lambda **_: None)  # it locks the row too
    monkeypatch.setattr(user_locking, "_LOCK_CLAUSE", "")
    _, erased = interleave(
        lambda: buying.buy_now(product_id=product.pk, buyer=me, price=Decimal(70)), lambda: erase(me)
    )
    assert erased is None
    assert Order.objects.get().buyer.display_name == "deleted member"


def on_offer(seller, bidder, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "10")
    auction_helpers.bid(product, rival, "30")
    let_order_expire(product, seller)
    return product


def test_erasure_during_second_chance_offer_is_refused(me, bidder, rival, staff):
    product = on_offer(me, bidder, rival)
    _, erased = interleave(lambda: second_chance.offer(product_id=product.pk, actor=staff), lambda: erase(me))
    assert reasons(erased) == ["second_chance"]


def test_erasure_during_second_chance_accept_is_refused(me, bidder, rival):
    product = on_offer(me, bidder, rival)
    second_chance.offer(product_id=product.pk, actor=me)
    _, erased = interleave(lambda: second_chance.accept(product_id=product.pk, bidder=bidder), lambda: erase(me))
    # Until the acceptance is written the offer is open.
    assert reasons(erased) in (["second_chance"], ["unpaid_order"])
    assert broken_invariants() == []


def test_second_chance_offered_to_erased_user_lapses(me, seller, rival):
    """An open offer to the erased user does not block the erasure."""
    product = on_offer(seller, me, rival)
    _, erased = interleave(lambda: second_chance.offer(product_id=product.pk, actor=seller), lambda: erase(me))
    assert erased is None or reasons(erased) == ["second_chance"]
    if erased is None:
        SecondChanceOffer.objects.update(expires_at=SecondChanceOffer.objects.get().offered_at)
        assert second_chance.lapse_due() == 1


# -- notifications, and the erasure itself -----------------------------------------------------------------------------


def written_while_erased(monkeypatch, me, seller, rival):
    """Write a notification to `me` in a transaction that stops before its end; return the result of the erasure."""
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(product, rival, "20")
    reset = outbox.ending_soon.reset

    def write(stop):
        def reset_and_stop(moved):
            reset(moved)
            stop()

        monkeypatch.setattr(outbox.ending_soon, "reset", reset_and_stop)
        return write_notifications()

    written, erased = interleave_at(write, lambda: erase(me))
    assert written == 2
    return erased


def test_erasure_during_notification_writes_deletes_them(me, seller, rival, monkeypatch):
    assert written_while_erased(monkeypatch, me, seller, rival) is None
    assert not Notification.objects.exists()
    assert broken_invariants() == []


def test_erasure_during_notification_writes_without_lock_leaves_them(on_postgres, me, seller, rival, monkeypatch):
    monkeypatch.setattr(user_locking, "_LOCK_CLAUSE", "")
    assert written_while_erased(monkeypatch, me, seller, rival) is None
    assert Notification.objects.get().recipient.display_name == "deleted member"


def test_erasure_twice_at_once_is_done_once(me):
    results = interleave(lambda: erase(me), lambda: erase(me))
    assert results[0] is None
    assert isinstance(results[1], NotAuthenticated | DomainError | User.DoesNotExist), results
    assert User.objects.filter(display_name="deleted member").count() == 1


def test_erasure_that_fails_is_rolled_back(me, seller, monkeypatch):
    watching.watch(product_id=factories.product(seller).pk, user=me)
    mine = factories.product(me)

    def fail(**_):
        raise RuntimeError

    monkeypatch.setattr(erasure.accounts, "erase_account", fail)
    with pytest.raises(RuntimeError):
        erase(me)
    assert User.objects.get(pk=me.pk).email == "mike@example.com"
    assert Auction.objects.get(pk=mine.pk).status == "open"
    assert Watch.objects.exists()
