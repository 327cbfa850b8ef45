"""Staff act on nothing that they take part in, over REST or in the admin, and give reasons, which are recorded."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import Permission

from accounts.models import StaffAction, User
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, BidVoid, SecondChanceOffer
from auctions.services import buying, closing
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import admin_pages, factories
from tests.admin_pages import confirm
from tests.db_snapshot import assert_nothing_written
from tests.violations import find_violations

pytestmark = pytest.mark.django_db
CONFLICT = {
    "code": "conflict_of_interest",
    "detail": "You take part in this yourself, so another member of staff must decide.",
}
REASON = {"reason": "Stolen goods."}
UNSIGNED = "25 what staff did to an auction names who and why"


@pytest.fixture
def clerk():
    """Staff with every permission on auctions, and no superuser."""
    return admin_pages.clerk()


@pytest.fixture
def product(seller, bidder):
    """A product led by the bidder at 5.00."""
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    return product


def url(product, action=""):
    return f"/api/products/{product.pk}/{action}"


def own_bid(product, user):
    return Bid.objects.made_by_people().get(product=product, bidder=user)


def later(product):
    return {"ends_at": clock.isoformat_utc(product.auction.ends_at + timedelta(hours=1)), **REASON}


def test_staff_who_bid_act_no_more_on_the_auction_over_rest(as_user, product, bidder, staff):
    auction_helpers.bid(product, staff, "9")
    caller, rival = as_user(staff), own_bid(product, bidder)
    with assert_nothing_written():
        answers = [
            caller.post(url(product, "close_auction/")),
            caller.post(url(product, "cancel/"), REASON),
            caller.post(url(product, "extend/"), later(product)),
            caller.post(url(product, f"bids/{rival.pk}/void/"), REASON),
            caller.post(url(product, f"bids/{own_bid(product, staff).pk}/void/"), REASON),
            caller.patch(url(product), {"description": "A fake."}),
            caller.delete(url(product), REASON),
        ]
    assert [(answer.status_code, answer.json()) for answer in answers] == [(403, CONFLICT)] * 7


def test_staff_whose_bid_was_voided_still_take_part(as_user, product, staff):
    made = auction_helpers.bid(product, staff, "9")
    colleague = factories.user("colleague@example.com", is_staff=True)
    as_user(colleague).post(url(product, f"bids/{made['bid']['id']}/void/"), REASON)
    assert BidVoid.objects.get().voided_by == colleague
    answer = as_user(staff).post(url(product, "close_auction/"))
    assert (answer.status_code, answer.json()) == (403, CONFLICT)


def test_staff_who_sell_keep_what_any_seller_may_do_and_no_more(as_user, bidder, staff):
    product = factories.product(staff)
    auction_helpers.bid(product, bidder, "5")
    caller = as_user(staff)
    with assert_nothing_written():
        assert caller.post(url(product, "cancel/"), REASON).json()["code"] == "auction_has_bids"
        for path, body in (
            ("extend/", later(product)),
            (f"bids/{own_bid(product, bidder).pk}/void/", REASON),
        ):
            answer = caller.post(url(product, path), body)
            assert (answer.status_code, answer.json()) == (403, CONFLICT)
    assert caller.post(url(product, "close_auction/")).json()["result"] == "sold"
    assert AuctionEvent.objects.latest("pk").data["by"] == "seller"


def test_staff_who_bought_offer_it_to_nobody(as_user, seller, bidder, staff):
    product = factories.product(seller, buy_now_price=Decimal(20))
    buying.buy_now(product_id=product.pk, buyer=staff, price=Decimal(20))
    Order.objects.update(due_at=clock.now())
    assert expiry.expire_due() == 1
    answer = as_user(staff).post(url(product, "offer_second_chance/"))
    assert (answer.status_code, answer.json()) == (403, CONFLICT)


def test_staff_in_the_admin_act_on_nothing_they_take_part_in(clerk, product, bidder):
    oneself = admin_pages.user(clerk)
    auction_helpers.bid(product, oneself, "9")
    own = factories.product(oneself)
    auction_helpers.bid(own, bidder, "5")
    before = list(Auction.objects.order_by("pk").values())
    for action in ("close_now", "cancel", "extend_by_an_hour", "extend_by_a_day", "offer_second_chance"):
        text = confirm(clerk, Auction, action, [product.auction]).content.decode()
        assert f"Product {product.pk}: {CONFLICT['detail']}" in text
    for bid in (own_bid(product, bidder), own_bid(own, bidder)):
        assert CONFLICT["detail"] in confirm(clerk, Bid, "void", [bid]).content.decode()
    assert CONFLICT["detail"] in confirm(clerk, Auction, "extend_by_a_day", [own.auction]).content.decode()
    assert list(Auction.objects.order_by("pk").values()) == before
    assert not BidVoid.objects.exists()


def test_staff_without_a_reason_are_refused_over_rest_but_for_closing(as_user, seller, product, bidder, staff):
    caller, other = as_user(staff), factories.product(seller)
    unsold = factories.product(seller)
    with assert_nothing_written():
        for method, path, body in (
            ("post", url(product, "cancel/"), {}),
            ("post", url(product, "cancel/"), {"reason": "  "}),
            ("post", url(product, "extend/"), {"ends_at": later(product)["ends_at"]}),
            ("post", url(product, f"bids/{own_bid(product, bidder).pk}/void/"), {}),
            ("delete", url(unsold), {}),
        ):
            answer = getattr(caller, method)(path, body)
            assert (answer.status_code, answer.json()["errors"].keys()) == (400, {"reason"}), path
    assert caller.post(url(product, "close_auction/")).status_code == 200
    assert caller.post(url(other, "close_auction/"), {"reason": "The seller asked."}).status_code == 200
    events = AuctionEvent.objects.filter(kind="closed").order_by("pk").values_list("private", flat=True)
    assert [(event["actor"], event["reason"]) for event in events] == [
        (staff.pk, "Not given."),
        (staff.pk, "The seller asked."),
    ]


def test_seller_closes_and_cancels_without_a_reason(as_user, seller):
    first, second = factories.product(seller), factories.product(seller)
    assert as_user(seller).post(url(first, "close_auction/")).status_code == 200
    assert as_user(seller).post(url(second, "cancel/"), {"reason": "It broke."}).status_code == 200
    closed, cancelled = AuctionEvent.objects.order_by("pk").values_list("private", flat=True)
    assert closed == {"winner": None, "seller": seller.pk, "actor": seller.pk}
    assert cancelled == {"actor": seller.pk, "reason": "It broke."}


def test_acts_of_staff_are_recorded_with_actor_and_reason(clerk, as_user, seller, product, bidder, rival, staff):
    auction_helpers.bid(product, rival, "9")
    confirm(clerk, Bid, "void", [own_bid(product, rival)], reason="A slip.")
    confirm(clerk, Auction, "extend_by_an_hour", [product.auction], reason="An outage.")
    as_user(staff).post(url(product, "close_auction/"), {"reason": "The seller asked."})
    cancelled = factories.product(seller)
    as_user(staff).post(url(cancelled, "cancel/"), REASON)
    desk = admin_pages.user(clerk).pk
    events = AuctionEvent.objects.exclude(kind="bid_placed").order_by("pk")
    assert [(event.kind, event.private["actor"], event.private["reason"]) for event in events] == [
        ("bid_voided", desk, "A slip."),
        ("extended", desk, "An outage."),
        ("closed", staff.pk, "The seller asked."),
        ("cancelled", staff.pk, "Stolen goods."),
    ]
    assert find_violations("25") == {}
    for event in events:
        for private in ({"actor": desk}, {"reason": "A slip."}, {"actor": desk, "reason": ""}):
            before = event.private
            AuctionEvent.objects.filter(pk=event.pk).update(private=private)
            assert find_violations("25") == {
                UNSIGNED: [f"event {event.pk} was caused by staff and does not say by whom or why"]
            }
            AuctionEvent.objects.filter(pk=event.pk).update(private=before)


def test_offer_of_staff_names_the_actor(clerk, seller, bidder, rival, product):
    auction_helpers.bid(product, rival, "9")

    confirm(clerk, Auction, "close_now", [product.auction])
    Order.objects.update(due_at=clock.now())
    expiry.expire_due()
    confirm(clerk, Auction, "offer_second_chance", [product.auction], reason="The seller asked.")
    assert SecondChanceOffer.objects.get().bidder == bidder
    private = AuctionEvent.objects.get(kind="second_chance_offered").private
    assert (private["actor"], private["reason"]) == (admin_pages.user(clerk).pk, "The seller asked.")


def test_staff_disable_nobody_whom_they_trade_with(clerk, product, bidder, seller):
    oneself = admin_pages.user(clerk)
    oneself.user_permissions.add(*Permission.objects.filter(codename__in=("view_user", "change_user")))
    auction_helpers.bid(product, oneself, "9")
    other = factories.user("other@example.com")
    text = confirm(clerk, User, "disable", [bidder, seller, other]).content.decode()
    for rival in (bidder, seller):
        assert f"{rival.email}: {CONFLICT['detail']}" in text
    assert "other@example.com: disabled." in text
    assert list(User.objects.filter(is_active=False)) == [other]
    assert list(StaffAction.objects.values_list("user", flat=True)) == [other.pk]
    auction_helpers.move_end_to_past(product)
    closing.close_due()
    assert f"{bidder.email}: disabled." in confirm(clerk, User, "disable", [bidder]).content.decode()
