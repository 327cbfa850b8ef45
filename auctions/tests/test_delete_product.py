"""DELETE /api/products/{id}/."""

from datetime import timedelta
from decimal import Decimal

import pytest

from accounts.models import StaffAction
from auctions.models import Auction, AuctionEvent, EventOutbox, Product, Watch
from auctions.services import buying, closing, editing, relisting, voiding, watching
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db


def url(product):
    return f"/api/products/{product.pk}/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("who", ["seller", "staff"])
def test_delete_product_without_bids_deletes_everything_about_it(request, as_user, client, seller, bidder, who):
    product, kept = factories.product(seller), factories.product(seller)
    for one in (product, kept):
        watching.watch(product_id=one.pk, user=bidder)
        editing.edit_product(product_id=one.pk, actor=seller, changes={"name": "A lamp"})
    caller = as_user(request.getfixturevalue(who))
    if who == "staff":
        with assert_nothing_written():
            assert caller.delete(url(product)).json()["errors"].keys() == {"reason"}
    answer = caller.delete(url(product), {"reason": "Stolen goods."})
    assert (answer.status_code, answer.content) == (204, b"")
    recorded = [("staff@example.com", "product_deleted", f"product {product.pk}", "Stolen goods.")] * (who == "staff")
    assert list(StaffAction.objects.values_list("actor__email", "action", "target", "reason")) == recorded
    for path in ("", "bids/", "events/"):
        assert refusal(client.get(f"{url(product)}{path}")) == (404, "not_found")
    for model in (Product, Auction, AuctionEvent, EventOutbox, Watch):
        assert model.objects.count() == 1, model
    assert client.get("/api/products/").json()["count"] == 1
    assert broken_invariants() == []


@pytest.mark.parametrize("state", ["scheduled", "ended", "unsold", "cancelled"])
def test_delete_product_scheduled_or_unsold_deletes(as_user, seller, state):
    product = factories.product(seller)
    if state == "scheduled":
        auction_helpers.move_start_to_tomorrow(product)
    elif state == "ended":
        auction_helpers.move_end_to_past(product, timedelta(days=2))
    elif state == "unsold":
        closing.close_auction(product_id=product.pk, actor=seller)
    else:
        closing.cancel_auction(product_id=product.pk, actor=seller)
    assert as_user(seller).delete(url(product)).status_code == 204
    assert not Product.objects.exists()


@pytest.mark.parametrize("state", ["open", "void", "ended", "sold", "reserve not met", "cancelled"])
@pytest.mark.parametrize("who", ["seller", "staff"])
def test_delete_product_with_bids_is_refused(request, as_user, seller, bidder, staff, state, who):
    product = factories.product(seller, reserve_price=Decimal(50) if state == "reserve not met" else None)
    caller = as_user(request.getfixturevalue(who))
    made = auction_helpers.bid(product, bidder, "5")
    if state == "void":
        voiding.void_bid(product_id=product.pk, bid_id=made["bid"]["id"], actor=staff, reason="By mistake.")
    elif state == "ended":
        auction_helpers.move_end_to_past(product)
    elif state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    elif state != "open":
        closing.close_auction(product_id=product.pk, actor=seller)
    with assert_nothing_written():
        answer = caller.delete(url(product))
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "auction_has_bids",
        "detail": "This product has bids and can no longer be changed.",
    }


def test_delete_product_bought_without_bids_is_refused(as_user, seller, bidder, staff):
    product, callers = factories.product(seller, buy_now_price=Decimal(9)), (as_user(seller), as_user(staff))
    buying.buy_now(product_id=product.pk, buyer=bidder, price=Decimal(9))
    with assert_nothing_written():
        for caller in callers:
            answer = caller.delete(url(product))
            assert answer.status_code == 409
            assert answer.json() == {"code": "auction_already_closed", "detail": "This auction is already closed."}


@pytest.mark.parametrize("with_bids", [True, False])
def test_delete_product_by_another_user_is_refused(as_user, seller, bidder, rival, with_bids):
    product, callers = factories.product(seller), (as_user(rival), as_user(bidder))
    if with_bids:
        auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        for caller in callers:
            answer = caller.delete(url(product))
            assert answer.status_code == 403
            assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_delete_product_without_token_or_product_is_refused(as_user, client, seller):
    assert refusal(client.delete(url(factories.product(seller)))) == (401, "not_authenticated")
    assert refusal(as_user(seller).delete("/api/products/999999/")) == (404, "not_found")


def test_delete_product_twice_is_not_found(as_user, seller):
    product, caller = factories.product(seller), as_user(seller)
    assert caller.delete(url(product)).status_code == 204
    with assert_nothing_written():
        assert refusal(caller.delete(url(product))) == (404, "not_found")
        assert refusal(caller.post(f"{url(product)}close_auction/")) == (404, "not_found")


def test_delete_relisted_product_lets_the_old_one_be_relisted(as_user, seller):
    old = factories.product(seller)
    closing.close_auction(product_id=old.pk, actor=seller)
    new = relisting.relist(product_id=old.pk, actor=seller, changes={})
    caller = as_user(seller)
    assert caller.delete(url(new)).status_code == 204
    again = caller.post(f"{url(old)}relist/")
    assert (again.status_code, again.json()["relisted_from"]) == (201, old.pk)


def test_delete_old_product_keeps_the_relisted_one(as_user, client, seller):
    old = factories.product(seller)
    closing.close_auction(product_id=old.pk, actor=seller)
    new = relisting.relist(product_id=old.pk, actor=seller, changes={})
    assert as_user(seller).delete(url(old)).status_code == 204
    assert client.get(url(new)).json()["relisted_from"] is None
