"""PATCH /api/products/{id}/ before the first bid."""

from datetime import timedelta
from decimal import Decimal

import pytest

from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, EventOutbox, Product
from auctions.services import closing, editing, event_log, watching
from auctions.tests import auction_helpers
from tests import factories
from tests.db_snapshot import assert_nothing_written, broken_invariants

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)


def url(product):
    return f"/api/products/{product.pk}/"


def refusal(answer):
    return answer.status_code, answer.json()["code"]


def test_edit_product_without_bids_changes_all_fields(as_user, client, seller):
    product = factories.product(seller, description="Old.", reserve_price=Decimal(40))
    auction_helpers.move_start_to_tomorrow(product)
    other = factories.category("Lamps")
    starts_at, ends_at = clock.now() + 2 * DAY, clock.now() + 3 * DAY
    before = Auction.objects.get()
    answer = as_user(seller).patch(
        url(product),
        {
            "name": "A lamp",
            "category": other.pk,
            "description": "New.",
            "currency": "gbp",
            "starting_bid": "20.5",
            "reserve_price": "60",
            "buy_now_price": 90,
            "bid_increment": "2.5",
            "shipping": "4",
            "starts_at": clock.isoformat_utc(starts_at),
            "ends_at": clock.isoformat_utc(ends_at),
            "soft_close_window": 0,
            "soft_close_extension": 300,
        },
    )
    product.refresh_from_db()
    assert answer.status_code == 200
    assert answer.json() == {
        "id": product.pk,
        "name": "A lamp",
        "category": {"id": other.pk, "name": "Lamps", "slug": "lamps"},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "GBP",
        "starting_bid": "20.50",
        "current_price": None,
        "minimum_bid": "20.50",
        "bid_count": 0,
        "has_reserve": True,
        "reserve_met": False,
        "buy_now_price": None,
        "status": "scheduled",
        "starts_at": clock.isoformat_utc(starts_at),
        "ends_at": clock.isoformat_utc(ends_at),
        "thumbnail": None,
        "watch_count": 0,
        "created_at": clock.isoformat_utc(product.created_at),
        "seq": 1,
        "server_time": answer.json()["server_time"],
        "description": "New.",
        "description_additions": [],
        "relisted_from": None,
        "shipping": "4.00",
        "images": [],
        "bids": [],
        "viewer": {
            "alias": product.alias_of(seller.pk),
            "is_leading": False,
            "my_maximum": None,
            "my_last_amount": None,
            "watching": False,
            "can_bid": False,
            "reason": "seller_cannot_bid",
            "second_chance": None,
        },
    }
    assert (product.reserve_price, product.buy_now_price, product.bid_increment) == (60, 90, Decimal("2.5"))
    assert product.increments == [["0", "2.50"]]
    assert (product.soft_close_window, product.soft_close_extension) == (0, 300)
    auction = Auction.objects.get()
    assert auction.hard_ends_at - auction.ends_at == DAY
    event = AuctionEvent.objects.get()
    assert (event.seq, event.kind, event.private) == (1, "edited", {"editor": seller.pk})
    assert event.data == {
        "fields": [
            "bid_increment",
            "buy_now_price",
            "category",
            "currency",
            "description",
            "ends_at",
            "name",
            "reserve_price",
            "shipping",
            "soft_close_extension",
            "soft_close_window",
            "starting_bid",
            "starts_at",
        ],
        "from": clock.isoformat_utc(before.ends_at),
        "ends_at": clock.isoformat_utc(ends_at),
    }
    assert list(EventOutbox.objects.values_list("product_id", "seq")) == [(product.pk, 1)]
    assert client.get(url(product)).json()["name"] == "A lamp"
    assert broken_invariants() == []


def test_edit_product_one_field_keeps_the_others(as_user, seller):
    product = factories.product(seller, description="Old.", reserve_price=Decimal(40), bid_increment=Decimal(2))
    before = Product.objects.values().get()
    assert as_user(seller).patch(url(product), {"name": "A lamp"}).json()["name"] == "A lamp"
    assert Product.objects.values().get() == {**before, "name": "A lamp"}
    assert AuctionEvent.objects.get().data == {"fields": ["name"]}


def test_edit_product_by_staff_changes_it(as_user, seller, staff):
    product = factories.product(seller)
    assert as_user(staff).patch(url(product), {"name": "A lamp"}).status_code == 200
    assert AuctionEvent.objects.get().private == {"editor": staff.pk}


def test_edit_product_with_equal_values_records_no_event(as_user, seller):
    product, caller = factories.product(seller, description="Old.", shipping=Decimal(5)), as_user(seller)
    auction = product.auction
    with assert_nothing_written():
        for body in (
            {},
            {"name": "A thing", "category": product.category_id, "starting_bid": 1, "shipping": "5.0"},
            {"description": " Old. ", "currency": "usd", "soft_close_window": 120, "reserve_price": None},
            {"starts_at": clock.isoformat_utc(auction.starts_at), "ends_at": clock.isoformat_utc(auction.ends_at)},
            {"shipping": None, "starts_at": None, "ends_at": None, "soft_close_extension": None},
        ):
            assert caller.patch(url(product), body).status_code == 200


@pytest.mark.parametrize("field", ["reserve_price", "buy_now_price", "bid_increment"])
def test_edit_product_with_null_removes_an_optional_amount(as_user, seller, field):
    product = factories.product(seller, **{field: Decimal(40)})
    assert as_user(seller).patch(url(product), {field: None}).status_code == 200
    product = Product.objects.get()
    assert getattr(product, field) is None
    assert product.increments[-1] == ["5000", "100"]


def test_edit_product_ignores_other_fields(as_user, seller, rival):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        answer = caller.patch(
            url(product),
            {
                "id": 4242,
                "seller": rival.pk,
                "price": "1",
                "status": "sold",
                "winner": seller.pk,
                "seq": 7,
                "watch_count": 5,
                "alias_salt": "known",
                "increments": [["0", "0.01"]],
                "premium_bands": [["0", "99"]],
                "hard_ends_at": "2099-01-01T00:00:00Z",
                "thumbnail": "/etc/passwd",
                "relisted_from": 1,
            },
        )
    assert answer.status_code == 200


@pytest.mark.parametrize("state", ["ended", "sold", "unsold", "cancelled"])
@pytest.mark.parametrize("body", [{"name": "A lamp"}, {}, {"description": "More."}], ids=str)
def test_edit_product_after_the_end_is_refused(as_user, seller, bidder, staff, state, body):
    product, callers = factories.product(seller), (as_user(seller), as_user(staff))
    if state == "sold":
        auction_helpers.bid(product, bidder, "5")
    if state == "ended":
        auction_helpers.move_end_to_past(product, timedelta(0))
    elif state == "cancelled":
        closing.cancel_auction(product_id=product.pk, actor=seller)
    else:
        closing.close_auction(product_id=product.pk, actor=seller)
    with assert_nothing_written():
        for caller in callers:
            answer = caller.patch(url(product), body)
            assert answer.status_code == 409
            assert answer.json() == {"code": "auction_already_closed", "detail": "This auction is already closed."}


@pytest.mark.parametrize("with_bids", [True, False])
def test_edit_product_by_another_user_is_refused(as_user, seller, bidder, rival, with_bids):
    product, callers = factories.product(seller), (as_user(rival), as_user(bidder))
    if with_bids:
        auction_helpers.bid(product, bidder, "5")
    with assert_nothing_written():
        for caller in callers:
            answer = caller.patch(url(product), {"name": "Mine"})
            assert answer.status_code == 403
            assert answer.json() == {"code": "permission_denied", "detail": "You do not have permission to do this."}


def test_edit_product_without_token_or_product_is_refused(as_user, client, seller):
    assert refusal(client.patch(url(factories.product(seller)), {})) == (401, "not_authenticated")
    assert refusal(as_user(seller).patch("/api/products/999999/", {})) == (404, "not_found")


def test_edit_product_currency_replaces_the_increment_table(as_user, seller, bidder):
    product = factories.product(seller, starting_bid="100")
    auction_helpers.move_start_to_tomorrow(product)
    as_user(seller).patch(url(product), {"currency": "JPY"})
    Auction.objects.update(starts_at=clock.now() - DAY)
    product.refresh_from_db()
    assert (product.increments[0], product.currency) == (["0", "5.00"], "JPY")
    auction_helpers.bid(product, bidder, "100")
    assert Auction.objects.get().price == 100


def test_edit_product_end_moves_the_hard_end_and_is_recorded(as_user, seller):
    product = factories.product(seller)
    before = product.auction.ends_at
    for by in (DAY, -2 * DAY):
        ends_at = Auction.objects.get().ends_at + by
        assert as_user(seller).patch(url(product), {"ends_at": clock.isoformat_utc(ends_at)}).status_code == 200
    auction = Auction.objects.get()
    assert (auction.ends_at, auction.hard_ends_at) == (before - DAY, before)
    assert [event.data for event in AuctionEvent.objects.order_by("seq")] == [
        {"fields": ["ends_at"], "from": clock.isoformat_utc(before), "ends_at": clock.isoformat_utc(before + DAY)},
        {
            "fields": ["ends_at"],
            "from": clock.isoformat_utc(before + DAY),
            "ends_at": clock.isoformat_utc(before - DAY),
        },
    ]
    assert broken_invariants() == []


def test_edit_product_scheduled_start_to_now_opens_it(as_user, seller, bidder):
    product = factories.product(seller)
    auction_helpers.move_start_to_tomorrow(product)
    answer = as_user(seller).patch(url(product), {"starts_at": clock.isoformat_utc(clock.now() - timedelta(seconds=5))})
    assert (answer.status_code, answer.json()["status"]) == (200, "open")
    auction_helpers.bid(product, bidder, "5")
    assert broken_invariants() == []


def test_edit_product_event_names_fields_without_hidden_values(as_user, client, seller):
    product = factories.product(seller, reserve_price=Decimal("43.21"))
    as_user(seller).patch(url(product), {"reserve_price": "87.65"})
    for path in ("", "events/", "bids/"):
        text = client.get(f"{url(product)}{path}").content.decode()
        assert "43.21" not in text
        assert "87.65" not in text


def test_edit_product_keeps_a_concurrent_watch_count(monkeypatch, seller, bidder):
    product = factories.product(seller)
    record = event_log.record

    def watch_then_record(*fields, **private):
        watching.watch(product_id=product.pk, user=bidder)
        record(*fields, **private)

    monkeypatch.setattr(event_log, "record", watch_then_record)
    editing.edit_product(product_id=product.pk, actor=seller, changes={"name": "A lamp"})
    product.refresh_from_db()
    assert (product.name, product.watch_count) == ("A lamp", 1)


def test_edit_product_put_is_not_allowed(as_user, seller):
    product, caller = factories.product(seller), as_user(seller)
    with assert_nothing_written():
        assert refusal(caller.put(url(product), {"name": "A lamp"})) == (405, "method_not_allowed")
