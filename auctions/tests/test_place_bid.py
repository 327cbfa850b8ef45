"""POST /api/products/{id}/bids/."""

import json
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from accounts.models import User
from accounts.services import tokens
from auctioncraft.core import clock
from auctions.models import Auction, AuctionEvent, Bid, EventOutbox
from tests import factories

VECTORS = json.loads((Path(__file__).parent / "bidding_vectors.json").read_text())

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]


def url(product):
    return f"/api/products/{product.pk}/bids/"


@pytest.mark.parametrize("number", range(len(VECTORS)))
def test_place_bid_vector_over_http(number, as_user, seller, client, settings):
    settings.OFFLINE_PAYMENTS = True  # some of their prices are too small for a card
    vector = VECTORS[number]
    product = as_user(seller).post(
        "/api/products/",
        {
            "name": "Vector",
            "category": factories.category().pk,
            "starting_bid": vector["starting_bid"],
            "reserve_price": vector["reserve_price"],
            "bid_increment": vector["bid_increment"],
        },
    )
    assert product.status_code == 201
    address = f"/api/products/{product.json()['id']}/"
    users = {name: factories.user(f"{name}@example.com") for name in "ABCDE"}
    callers = {name: as_user(user) for name, user in users.items()}
    for step in vector["steps"]:
        body = {key: step[key] for key in ("amount", "max_amount") if step[key] is not None}
        answer = callers[step["bidder"]].post(f"{address}bids/", body)
        expect = step["expect"]
        state = client.get(address).json()
        leader = Auction.objects.values_list("leader__email", flat=True).get(pk=product.json()["id"])
        assert {
            "code": answer.json().get("outcome") or answer.json()["code"],
            "current_price": state["current_price"],
            "minimum_bid": state["minimum_bid"],
            "leader": leader and leader[0].upper(),
            "reserve_met": state["reserve_met"],
            "bid_count": state["bid_count"],
        } == expect
        if answer.status_code == 201:
            after = answer.json()["product"]
            assert {key: after[key] for key in ("current_price", "minimum_bid", "bid_count", "reserve_met")} == {
                key: expect[key] for key in ("current_price", "minimum_bid", "bid_count", "reserve_met")
            }
            assert after["is_leading"] == (expect["leader"] == step["bidder"])


def test_place_bid_returns_bid_outcome_and_product(as_user, seller, bidder):
    product = factories.product(seller, starting_bid="100")
    answer = as_user(bidder).post(url(product), {"amount": 150.0})
    bid = Bid.objects.get()
    auction = Auction.objects.get()
    assert answer.status_code == 201
    assert answer.json() == {
        "bid": {
            "id": str(bid.pk),
            "amount": "150.00",
            "max_amount": None,
            "currency": "USD",
            "placed_at": clock.isoformat_utc(bid.placed_at),
        },
        "outcome": "leading",
        "product": {
            "id": product.pk,
            "currency": "USD",
            "current_price": "150.00",
            "minimum_bid": "152.50",
            "bid_count": 1,
            "ends_at": clock.isoformat_utc(auction.ends_at),
            "reserve_met": True,
            "seq": 1,
            "is_leading": True,
        },
        "server_time": clock.isoformat_utc(bid.placed_at),
    }


def test_place_bid_writes_its_event_and_outbox_row(as_user, seller, bidder, rival):
    product = factories.product(seller)
    as_user(rival).post(url(product), {"max_amount": "20"})
    as_user(bidder).post(url(product), {"amount": "50"})
    event = AuctionEvent.objects.get(seq=2)
    assert event.kind == "bid_placed"
    assert event.private == {"bidder": bidder.pk, "leader": bidder.pk, "outbid": rival.pk}
    assert event.data == {
        "bidder": product.alias_of(bidder.pk),
        "leader": product.alias_of(bidder.pk),
        "amount": "50.00",
        "currency": "USD",
        "current_price": "50.00",
        "minimum_bid": "51.00",
        "bid_count": 2,
        "ends_at": clock.isoformat_utc(product.auction.ends_at),
        "reserve_met": True,
    }
    assert list(EventOutbox.objects.order_by("seq").values_list("product_id", "seq")) == [
        (product.pk, 1),
        (product.pk, 2),
    ]


def test_place_bid_raised_maximum_is_stored_and_hidden(as_user, client, seller, bidder):
    product = factories.product(seller)
    as_user(bidder).post(url(product), {"max_amount": "20"})
    answer = as_user(bidder).post(url(product), {"max_amount": "30"})
    assert (answer.json()["outcome"], answer.json()["product"]["seq"]) == ("maximum_raised", 1)
    assert Bid.objects.count() == 2
    assert Auction.objects.get().leader_max == Decimal(30)
    assert client.get(url(product)).json()["count"] == 1
    assert AuctionEvent.objects.count() == 1


def test_place_bid_late_extends_and_records_an_event(as_user, client, seller, bidder):
    ends_at = timezone.now() + timedelta(seconds=60)
    product = factories.product(seller, ends_at=ends_at)
    as_user(bidder).post(url(product), {"amount": "5"})
    events = client.get(f"/api/products/{product.pk}/events/").json()["results"]
    moved = Auction.objects.get().ends_at
    assert moved == Bid.objects.get().placed_at + timedelta(seconds=120)
    assert [(event["seq"], event["kind"]) for event in events] == [(1, "bid_placed"), (2, "extended")]
    assert events[1]["data"] == {"from": clock.isoformat_utc(ends_at), "ends_at": clock.isoformat_utc(moved)}


@pytest.mark.parametrize("field", ["amount", "max_amount"])
@pytest.mark.parametrize("amount", ["NaN", '"12 "', "0.001"])
def test_place_bid_with_invalid_amount_is_refused(as_user, seller, bidder, amount, field):
    product = factories.product(seller, starting_bid="1")
    body = f'{{"{field}": {amount}}}'
    answer = as_user(bidder).generic("POST", url(product), body, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not Bid.objects.exists()


def test_place_bid_refusal_names_the_field(as_user, seller, bidder):
    product = factories.product(seller)
    answer = as_user(bidder).post(url(product), {"amount": "2.005"})
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "invalid",
        "detail": "The input is not valid.",
        "errors": {"amount": ["USD has 2 decimals."]},
    }


def test_place_bid_without_amount_is_refused(as_user, seller, bidder):
    answer = as_user(bidder).post(url(factories.product(seller)), {})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["amount"])


def test_place_bid_below_the_minimum_is_refused_with_the_minimum(as_user, seller, bidder):
    answer = as_user(bidder).post(url(factories.product(seller, starting_bid="10")), {"amount": "9.99"})
    assert answer.status_code == 400
    assert answer.json() == {
        "code": "bid_too_low",
        "detail": "Your bid is below the minimum bid.",
        "minimum_bid": "10.00",
    }


def test_place_bid_by_seller_is_refused(as_user, seller):
    answer = as_user(seller).post(url(factories.product(seller)), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (403, "seller_cannot_bid")


def test_place_bid_in_yen_has_no_decimals(as_user, seller, bidder):
    product = factories.product(seller, starting_bid="100", currency="JPY")
    assert as_user(bidder).post(url(product), {"amount": "100.5"}).status_code == 400
    answer = as_user(bidder).post(url(product), {"amount": 150.0})
    assert answer.json()["product"]["current_price"] == "150"


@pytest.mark.parametrize(
    ("starts", "ends"),
    [(timedelta(hours=1), timedelta(hours=2)), (-timedelta(hours=2), -timedelta(hours=1))],
    ids=["scheduled", "ended"],
)
def test_place_bid_before_start_or_after_end_is_refused(as_user, seller, bidder, starts, ends):
    product = factories.product(seller)
    now = timezone.now()
    Auction.objects.update(starts_at=now + starts, ends_at=now + ends, hard_ends_at=now + ends)
    answer = as_user(bidder).post(url(product), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (409, "auction_not_open")


def test_place_bid_on_missing_product_is_not_found(as_user, bidder):
    for product_id in (1, 999_999_999_999_999_999):
        answer = as_user(bidder).post(f"/api/products/{product_id}/bids/", {"amount": "9"})
        assert answer.status_code == 404
        assert answer.json() == {"code": "not_found", "detail": "Not found."}


def test_place_bid_without_token_is_refused(client, seller):
    answer = client.post(url(factories.product(seller)), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("how", ["disabled", "password changed", "signed out", "deleted"])
def test_place_bid_with_ended_session_is_refused(as_user, seller, bidder, how):
    product, caller = factories.product(seller), as_user(bidder)
    if how == "disabled":
        User.objects.filter(pk=bidder.pk).update(is_active=False)
    elif how == "password changed":
        bidder.set_password("another one entirely")
        bidder.save()
    elif how == "signed out":
        tokens.end_all_sessions(user=bidder)
    else:
        bidder.delete()
    answer = caller.post(url(product), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")
    assert not Bid.objects.exists()


def test_place_bid_by_suspended_bidder_is_refused(as_user, seller, bidder):
    User.objects.filter(pk=bidder.pk).update(strikes=3)
    answer = as_user(bidder).post(url(factories.product(seller)), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (403, "bidder_suspended")


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_place_bid_put_patch_and_delete_are_not_allowed(as_user, seller, bidder, method):
    answer = getattr(as_user(bidder), method)(url(factories.product(seller)), {"amount": "9"})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert as_user(bidder).post("/api/bids/", {"amount": "9"}).status_code == 405


def test_place_bid_repeated_with_the_same_key_returns_the_same_answer(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    first = caller.post(url(product), {"amount": "9"}, headers={"Idempotency-Key": "one"})
    again = caller.post(url(product), {"amount": 9.0}, headers={"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert Bid.objects.count() == 1


def test_place_bid_with_a_used_key_and_another_body_is_refused(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    caller.post(url(product), {"amount": "9"}, headers={"Idempotency-Key": "one"})
    answer = caller.post(url(product), {"amount": "10"}, headers={"Idempotency-Key": "one"})
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Bid.objects.count() == 1


def test_place_bid_needs_few_queries(as_user, seller, bidder, django_assert_max_num_queries):
    product, caller = factories.product(seller), as_user(bidder)
    with django_assert_max_num_queries(8):
        assert caller.post(url(product), {"amount": "9"}).status_code == 201
