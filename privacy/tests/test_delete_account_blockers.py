"""DELETE /api/users/me/: refused, with reasons, while something is open."""

from decimal import Decimal

import pytest

from accounts.models import User
from auctions.models import Auction
from auctions.services import buying, closing, relisting, second_chance
from auctions.tests import auction_helpers
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db
URL = "/api/users/me/"
PASSWORD = "correct horse battery"
PROVED = {"password": PASSWORD}


@pytest.fixture
def me(db):
    return factories.user("mike@example.com", display_name="Mike the Great")


@pytest.fixture
def erase(me, as_user):
    caller = as_user(me)
    return lambda body=PROVED: caller.delete(URL, body)


def refused(*reasons):
    return {
        "code": "account_in_use",
        "detail": "Your account cannot be deleted yet. See the reasons.",
        "reasons": list(reasons),
    }


def about(reason, product):
    return {"reason": reason, "product": product.pk}


def assert_refused(answer, *reasons):
    assert (answer.status_code, answer.json()) == (409, refused(*reasons))


def test_erasure_of_a_leader_is_refused(me, erase, seller, rival):
    product, led_before = factories.product(seller), factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(led_before, me, "10")
    auction_helpers.bid(led_before, rival, "20")
    with assert_nothing_written():
        assert_refused(erase(), about("leading", product))
    auction_helpers.move_end_to_past(product)  # not closed yet
    assert_refused(erase(), about("leading", product))
    auction_helpers.bid(factories.product(seller), rival, "1")
    staff = factories.user("staff@example.com", is_staff=True)
    closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    assert erase().status_code == 204


def test_erasure_while_reserve_can_be_waived_is_refused(me, erase, seller):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, me, "10")
    closing.close_auction(product_id=product.pk, actor=seller)
    assert_refused(erase(), about("leading", product))
    advance_time(product, hours=48)
    # The seller may just have accepted.
    assert_refused(erase(), about("leading", product))
    advance_time(product, minutes=1)
    assert erase().status_code == 204


def test_erasure_after_relisting_is_accepted(me, erase, seller):
    product = factories.product(seller, reserve_price=Decimal(100))
    auction_helpers.bid(product, me, "10")
    closing.close_auction(product_id=product.pk, actor=seller)
    relisting.relist(product_id=product.pk, actor=seller, changes={})
    assert erase().status_code == 204


def test_erasure_of_seller_with_bids_is_refused(me, erase, rival):
    product, bare = factories.product(me), factories.product(me)
    auction_helpers.bid(product, rival, "10")
    with assert_nothing_written():
        assert_refused(erase(), about("has_bids", product))
    assert Auction.objects.get(pk=bare.pk).status == "open"


def test_erasure_with_unpaid_order_is_refused_to_both_sides(me, erase, seller, bidder):
    bought, sold = (factories.product(who, buy_now_price=Decimal(70)) for who in (seller, me))
    buying.buy_now(product_id=bought.pk, buyer=me, price=Decimal(70))
    buying.buy_now(product_id=sold.pk, buyer=bidder, price=Decimal(70))
    owed = [{"reason": "unpaid_order", "order": order.pk} for order in Order.objects.order_by("pk")]
    with assert_nothing_written():
        assert_refused(erase(), *owed)
    advance_time(bought, hours=96)
    expiry.expire_due()
    assert_refused(erase(), owed[1])
    advance_time(sold, hours=96)
    expiry.expire_due()
    assert erase().status_code == 204
    assert broken_invariants() == []


def test_erasure_with_open_second_chance_is_refused_to_both_sides(me, erase, as_user, seller, rival):
    to_me, of_mine = factories.product(seller), factories.product(me)
    third = factories.user("third@example.com")
    for product, next_one in ((to_me, me), (of_mine, third)):
        auction_helpers.bid(product, next_one, "10")
        auction_helpers.bid(product, rival, "30")
        let_order_expire(product, product.seller)
        second_chance.offer(product_id=product.pk, actor=product.seller)
    assert_refused(erase(), about("second_chance", to_me), about("second_chance", of_mine))
    assert as_user(me).post(f"/api/products/{to_me.pk}/decline_second_chance/").status_code == 200
    assert_refused(erase(), about("second_chance", of_mine))
    second_chance.decline(product_id=of_mine.pk, bidder=third)
    assert erase().status_code == 204
    assert broken_invariants() == []


def test_erasure_refusal_lists_all_reasons(me, erase, seller, rival):
    led, sells = factories.product(seller), factories.product(me)
    bought = factories.product(seller, buy_now_price=Decimal(70))
    auction_helpers.bid(led, me, "10")
    auction_helpers.bid(sells, rival, "10")
    buying.buy_now(product_id=bought.pk, buyer=me, price=Decimal(70))
    order = {"reason": "unpaid_order", "order": Order.objects.get().pk}
    assert_refused(erase(), about("leading", led), about("has_bids", sells), order)


@pytest.mark.parametrize("rank", ["is_staff", "is_superuser"])
def test_erasure_of_staff_is_refused(me, erase, rank):
    User.objects.filter(pk=me.pk).update(**{rank: True})
    with assert_nothing_written():
        assert_refused(erase(), {"reason": "staff"})


@pytest.mark.parametrize("body", [{}, {"password": "wrong"}, {"password": ""}, {"password": None}, {"password": [1]}])
def test_erasure_without_password_is_refused(me, erase, body):
    with assert_nothing_written():
        answer = erase(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["errors"].keys() == {"password"}


def test_erasure_with_wrong_passwords_is_limited(me, erase):
    assert [erase({"password": "wrong"}).status_code for _ in range(6)] == [400] * 5 + [429]
    assert erase().status_code == 429
    assert User.objects.get().is_active


def test_erasure_of_account_without_password_needs_only_the_token(me, as_user):
    me.set_password(None)
    me.save()
    assert as_user(me).delete(URL).status_code == 204


def test_erasure_without_token_answers_401(me, client):
    assert client.delete(URL, PROVED).status_code == 401
    assert User.objects.get().email == "mike@example.com"


def test_erasure_refusal_names_no_other_user(me, erase, bidder):
    assert erase({**PROVED, "id": bidder.pk, "email": bidder.email, "user": bidder.pk}).status_code == 204
    assert User.objects.get(pk=bidder.pk).is_active
