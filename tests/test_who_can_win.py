"""Bids of disabled, suspended and erased accounts do not count, and a disabled seller sells nothing."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.services import disabling
from auctions import tasks
from auctions.models import AccountWithdrawal, Auction, AuctionEvent, Bid, BidVoid
from auctions.services import closing, second_chance
from auctions.tests import auction_helpers
from notifications.models import Notification
from notifications.services.outbox import write_notifications
from payments.models import Order
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants
from tests.time_travel import let_order_expire

pytestmark = pytest.mark.django_db

REASON = "It bid for its own seller."


@pytest.fixture
def third(db):
    return factories.user("third@example.com")


@pytest.fixture
def product(seller, bidder, rival, third):
    """Led by `bidder` at 41.00 over `rival` (40) and `third` (20)."""
    product = factories.product(seller)
    auction_helpers.bid(product, third, max_amount="20")
    auction_helpers.bid(product, bidder, "25", max_amount="30")
    auction_helpers.bid(product, rival, max_amount="40")
    auction_helpers.bid(product, bidder, max_amount="60")
    return product


def state(product):
    auction = Auction.objects.get(pk=product.pk)
    return auction.leader, auction.price, auction.bid_count


def bar(user, how):
    """Make it an account that cannot win."""
    if how == "disabled":
        factories.disable_account(user)
    elif how == "erased":  # its bids are outbid, or it could not leave
        User.objects.filter(pk=user.pk).update(is_active=False, email=f"erased-{user.pk}@invalid")
    else:
        User.objects.filter(pk=user.pk).update(strikes=3)


def test_disabled_account_loses_its_bids_on_open_auctions(as_user, client, seller, bidder, rival, staff, product):
    disabling.disable_account(user=bidder, actor=staff, reason=REASON)
    assert state(product)[0] == bidder, "a job does it"
    tasks.withdraw_accounts()
    assert state(product) == (rival, Decimal("20.50"), 2)
    voids = BidVoid.objects.order_by("version")
    assert {(void.bid.bidder, void.voided_by, void.reason) for void in voids} == {(bidder, staff, REASON)}
    assert voids.count() == 2
    event = AuctionEvent.objects.get(kind="bid_voided")
    assert event.private == {
        "bidder": bidder.pk,
        "leader": rival.pk,
        "former_leader": bidder.pk,
        "reason": REASON,
        "actor": staff.pk,
    }
    public = Bid.objects.made_by_people().filter(bidder=bidder, seq__isnull=False).values_list("seq", flat=True)
    assert sorted(event.data["bid_seqs"]) == sorted(public)
    shown = client.get(f"/api/products/{product.pk}/bids/").json()["results"]
    assert sum(row["voided"] for row in shown) == 2
    write_notifications()
    told = Notification.objects.filter(kind="bid_voided").values_list("recipient__email", flat=True)
    assert sorted(told) == sorted(user.email for user in (bidder, rival, seller))
    withdrawal = AccountWithdrawal.objects.get()
    assert (withdrawal.user, withdrawal.actor, withdrawal.reason) == (bidder, staff, REASON)
    with assert_nothing_written():
        tasks.withdraw_accounts()
    assert broken_invariants() == []


def test_disabled_seller_has_open_auctions_cancelled(as_user, seller, bidder, rival, staff, product):
    ended = factories.product(seller)
    closing.close_auction(product_id=ended.pk, actor=seller)
    disabling.disable_account(user=seller, actor=staff, reason=REASON)
    tasks.withdraw_accounts()
    auction = Auction.objects.get(pk=product.pk)
    event = AuctionEvent.objects.get(kind="cancelled")
    assert (auction.status, auction.result) == ("cancelled", "cancelled")
    assert (event.data, event.private) == ({"by": "staff"}, {"actor": staff.pk, "reason": REASON})
    assert Auction.objects.get(pk=ended.pk).result == "no_bids"
    write_notifications()
    assert Notification.objects.filter(kind="auction_cancelled", recipient__in=(bidder, rival)).count() == 2
    assert broken_invariants() == []


def test_product_of_disabled_seller_takes_no_bid_and_no_buyer(as_user, seller, bidder):
    product, caller = factories.product(seller, buy_now_price=Decimal(90)), as_user(bidder)
    factories.disable_account(seller)
    path = f"/api/products/{product.pk}/"
    with assert_nothing_written():
        bid = caller.post(f"{path}bids/", {"amount": "5"})
        bought = caller.post(f"{path}buy_now/", {"price": "90"})
        preview = caller.post(f"{path}bids/preview/", {"amount": "5"}).json()
        viewer = caller.get(path).json()["viewer"]
    for answer in (bid, bought):
        assert (answer.status_code, answer.json()["code"]) == (409, "auction_not_open")
    assert (preview["code"], viewer["reason"]) == ("auction_not_open", "auction_not_open")


def test_auction_of_disabled_seller_ends_without_a_sale(seller, product):
    factories.disable_account(seller)
    auction_helpers.move_end_to_past(product)
    closing.close_due()
    auction = Auction.objects.get(pk=product.pk)
    assert (auction.result, auction.winner, Order.objects.count()) == ("cancelled", None, 0)
    assert AuctionEvent.objects.latest("seq").private == {"actor": None, "reason": closing.SELLER_DISABLED}


@pytest.mark.parametrize("how", ["disabled", "suspended"])
def test_leader_who_cannot_win_is_passed_over_at_the_close(seller, bidder, rival, product, how):
    bar(bidder, how)
    closing.close_auction(product_id=product.pk, actor=seller)
    auction = Auction.objects.get(pk=product.pk)
    assert (auction.winner, auction.hammer_price) == (rival, Decimal("20.50"))
    assert Order.objects.get().buyer == rival
    assert set(BidVoid.objects.values_list("bid__bidder", "voided_by")) == {(bidder.pk, None)}
    kinds = AuctionEvent.objects.filter(product=product).order_by("seq").values_list("kind", flat=True)
    assert list(kinds)[-2:] == ["bid_voided", "closed"]
    write_notifications()
    User.objects.filter(pk=bidder.pk).update(strikes=0)  # there were none
    assert broken_invariants() == []


@pytest.mark.parametrize("how", ["disabled", "suspended", "erased"])
def test_bids_below_the_leader_that_do_not_count_draw_nothing_out(seller, bidder, rival, product, how):
    bar(rival, how)
    closing.close_auction(product_id=product.pk, actor=seller)
    auction = Auction.objects.get(pk=product.pk)
    assert (auction.winner, auction.hammer_price) == (bidder, 25)


def test_close_when_nobody_can_win_has_no_bids(seller, bidder, rival, third, product):
    for user in (bidder, rival, third):
        bar(user, "disabled")
    closing.close_auction(product_id=product.pk, actor=seller)
    auction = Auction.objects.get(pk=product.pk)
    assert (auction.result, auction.leader, auction.bid_count) == ("no_bids", None, 0)
    write_notifications()
    assert broken_invariants() == []


@pytest.mark.parametrize("how", ["disabled", "suspended"])
def test_bid_below_reserve_of_account_that_cannot_win_is_not_accepted(as_user, seller, bidder, how):
    product = factories.product(seller, reserve_price=Decimal(90))
    auction_helpers.bid(product, bidder, "20")
    closing.close_auction(product_id=product.pk, actor=seller)
    bar(bidder, how)
    caller = as_user(seller)
    with assert_nothing_written():
        answer = caller.post(f"/api/products/{product.pk}/accept_below_reserve/")
    assert (answer.status_code, answer.json()) == (
        409,
        {
            "code": "reserve_not_acceptable",
            "detail": "The account of the highest bidder was closed or suspended.",
        },
    )


def test_account_that_was_enabled_again_keeps_its_bids(seller, bidder, product):
    factories.disable_account(bidder)
    User.objects.filter(pk=bidder.pk).update(is_active=True)
    tasks.withdraw_accounts()
    assert state(product)[0] == bidder
    assert AccountWithdrawal.objects.filter(done_at__isnull=False).exists()


def test_second_chance_of_disabled_seller_is_not_offered(as_user, seller, staff, product):
    let_order_expire(product, seller)
    factories.disable_account(seller)
    caller = as_user(staff)
    with assert_nothing_written():
        answer = caller.post(f"/api/products/{product.pk}/offer_second_chance/")
    assert (answer.status_code, answer.json()["code"]) == (409, "second_chance_unavailable")


def test_second_chance_costs_what_the_auction_had_come_to_without_the_defaulter(as_user, seller, bidder, settings):
    settings.BUYERS_PREMIUM_BANDS = ((Decimal(0), Decimal(10)),)
    product = factories.product(seller, shipping=Decimal(5))
    auction_helpers.bid(product, bidder, max_amount="500")
    auction_helpers.bid(product, factories.user("shill@example.com"), max_amount="900000")
    let_order_expire(product, seller)
    answer = as_user(seller).post(f"/api/products/{product.pk}/offer_second_chance/").json()
    assert (answer["amount"], answer["buyers_premium"], answer["total"]) == ("1.00", "0.10", "6.10")
    second_chance.accept(product_id=product.pk, bidder=bidder)
    assert Order.objects.get(buyer=bidder).total == Decimal("6.10")
    write_notifications()
    message = Notification.objects.get(kind="second_chance_offer").message
    assert "1.00 USD" in message
    assert "6.10 USD" in message
    assert broken_invariants() == []


def test_close_asks_no_more_for_many_bidders(seller):
    def queries(bidders):
        product = factories.product(seller, soft_close_window=0)
        for number in range(bidders):
            auction_helpers.bid(product, factories.user(f"b{product.pk}.{number}@example.com"), str(5 * number + 5))
        with CaptureQueriesContext(connection) as made:
            closing.close_auction(product_id=product.pk, actor=seller)
        return len(made)

    assert queries(6) == queries(1)
