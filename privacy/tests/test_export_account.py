"""GET /api/users/me/export/: all data of the user, none of others, and no secrets."""

import hashlib
import json
from decimal import Decimal

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.models import OneTimeCode, PreviousEmail, Session
from accounts.services import otp
from auctioncraft.core.clock import isoformat_utc
from auctions.models import Bid, ProductImage
from auctions.services import buying, second_chance, watching
from auctions.tests import auction_helpers
from notifications.models import Notification
from notifications.services.email_delivery import send_codes
from notifications.services.outbox import write_notifications
from payments.models import Order, Payment, Refund
from tests import factories
from tests.time_travel import let_order_expire

pytestmark = pytest.mark.django_db
URL = "/api/users/me/export/"


@pytest.fixture
def me(db):
    return factories.user("mike@example.com", display_name="Mike")


@pytest.fixture
def exported(me, as_user):
    caller = as_user(me)
    return lambda: caller.get(URL).json()


def without(row, *names):
    return {name: value for name, value in row.items() if name not in names}


def test_export_of_new_account_holds_profile_and_session(me, exported):
    answer = exported()
    session = Session.objects.get()
    profile, sessions = answer.pop("profile"), answer.pop("sign_ins")
    assert profile == {
        "id": me.pk,
        "email": "mike@example.com",
        "display_name": "Mike",
        "is_staff": False,
        "has_password": True,
        "created_at": isoformat_utc(me.created_at),
        "email_verified_at": isoformat_utc(me.email_verified_at),
        "seller": "none",
        "strikes": 0,
        "has_card": False,
    }
    moments = ("created_at", "last_used_at", "expires_at")
    assert sessions == [
        {"id": str(session.pk), "user_agent": "tests", "ip": None, "ended_at": None}
        | {name: isoformat_utc(getattr(session, name)) for name in moments}
    ]
    assert answer.pop("exported_at").endswith("Z")
    assert set(map(str, answer.values())) == {"[]"}


def test_export_is_a_private_file_for_its_user(me, as_user, client):
    answer = as_user(me).get(URL)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Disposition"] == 'attachment; filename="auctioncraft-export.json"'
    assert client.get(URL).status_code == 401


def test_export_lists_codes_attempts_and_emails_by_time(me, exported, client):
    code = otp.request_code(email=me.email, ip="192.0.2.7")
    client.post("/api/auth/otp/verify/", {"email": me.email, "code": "wrong"})
    client.post("/api/auth/token/", {"email": me.email, "password": "wrong"})
    PreviousEmail.objects.create(user=me, email="old@example.com", replaced_at=code.created_at)
    assert send_codes() == 1
    answer = exported()
    asked = {"email": me.email, "purpose": "sign_in", "ip": "192.0.2.7", "used_at": None}
    at = isoformat_utc(code.created_at)
    assert answer["codes"] == [{**asked, "created_at": at, "expires_at": isoformat_utc(code.expires_at)}]
    assert [row["kind"] for row in answer["failed_tries"]] == ["code", "password"]
    assert answer["former_addresses"] == [{"email": "old@example.com", "given_up_at": at}]
    (mail,) = answer["mails"]
    assert (mail["code_asked_at"], mail["notification"], mail["sent_at"] is None) == (at, None, False)
    assert otp.derive_code(code) not in json.dumps(answer)
    assert OneTimeCode.objects.get().nonce not in json.dumps(answer)


def test_export_lists_own_products_with_reserve(me, exported):
    product = factories.product(
        me, description="Old.", reserve_price=Decimal(50), buy_now_price=Decimal(80), shipping=Decimal("4.50")
    )
    ProductImage.objects.create(
        product=product, position=0, image="products/a.jpg", thumbnail="products/b.jpg", width=1, height=1,
        created_at=product.auction.starts_at,
    )  # fmt: skip
    product.refresh_from_db()
    assert exported()["products"] == [
        {
            "id": product.pk,
            "name": "A thing",
            "description": "Old.",
            "category": "Things",
            "currency": "USD",
            "starting_bid": "1.00",
            "reserve_price": "50.00",
            "buy_now_price": "80.00",
            "bid_increment": None,
            "shipping": "4.50",
            "images": ["/media/products/a.jpg"],
            "relisted_from": None,
            "created_at": isoformat_utc(product.created_at),
            "starts_at": isoformat_utc(product.auction.starts_at),
            "ends_at": isoformat_utc(product.auction.ends_at),
            "status": "open",
            "result": None,
            "final_price": None,
            "closed_at": None,
        }
    ]


def test_export_lists_own_bids_and_maximums_only(me, exported, seller, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10", "20")
    auction_helpers.bid(product, rival, "12", "54321.09")
    auction_helpers.bid(product, rival, max_amount="65432.10")
    mine = Bid.objects.filter(bidder=me)
    answer = exported()
    rows = [without(row, "id", "placed_at") for row in answer["bids"]]
    assert len(answer["bids"]) == mine.count() == len(rows)
    about = {"product": product.pk, "name": "A thing", "currency": "USD", "voided_at": None, "void_reason": None}
    assert rows[0] == {**about, "price": "10.00", "amount": "10.00", "max_amount": "20.00", "outcome": "leading"}
    assert all(row["amount"] is row["max_amount"] is None for row in rows[1:])
    # The price reached by the rival's proxy bid is public; its maximum is not.
    assert "54321" not in json.dumps(answer)
    assert "65432" not in json.dumps(answer)


def test_export_lists_orders_and_watches(me, exported, seller, bidder):
    bought = factories.product(seller, name="A lamp", buy_now_price=Decimal(70), shipping=Decimal(5))
    buying.buy_now(product_id=bought.pk, buyer=me, price=Decimal(70))
    order = Order.objects.get()
    payment = Payment.objects.create(
        order=order, amount=order.total, currency="USD", stripe_intent_id="pi_1", status="open"
    )
    Refund.objects.create(payment=payment, amount=5, currency="USD", reason="duplicate", requested_by=seller)
    sold = factories.product(me, name="A chair", buy_now_price=Decimal(30))
    buying.buy_now(product_id=sold.pk, buyer=bidder, price=Decimal(30))
    Payment.objects.create(order=sold.orders.get(), amount=30, currency="USD", stripe_intent_id="pi_of_the_buyer")
    watching.watch(product_id=bought.pk, user=me)
    answer = exported()

    (purchase,), (sale,) = answer["purchases"], answer["sales"]
    (payment,) = purchase.pop("payments")
    assert without(purchase, "created_at", "due_at") == {
        "id": order.pk,
        "product": bought.pk,
        "name": "A lamp",
        "currency": "USD",
        "hammer_price": "70.00",
        "buyers_premium": "0.00",
        "shipping": "5.00",
        "total": "75.00",
        "refunded": "0.00",
        "status": "awaiting_payment",
        "paid_at": None,
        "expired_at": None,
        "seller": seller.display_name,
    }
    (refund,) = payment.pop("refunds")
    assert without(refund, "created_at") == {
        "method": "stripe",
        "reference": "",
        "amount": "5.00",
        "currency": "USD",
        "reason": "duplicate",
        "status": "creating",
        "settled_at": None,
    }
    assert without(payment, "created_at") == {
        "payment_intent_id": "pi_1",
        "method": "stripe",
        "reference": "",
        "received_on": None,
        "amount": "75.00",
        "currency": "USD",
        "status": "open",
        "succeeded_at": None,
    }
    assert (sale["name"], sale["total"], sale["buyer"]) == ("A chair", "30.00", bidder.display_name)
    assert "pi_of_the_buyer" not in json.dumps(answer)
    assert answer["watches"] == [{"product": bought.pk, "name": "A lamp"}]


def test_export_lists_second_chances_notifications_and_keys(me, exported, as_user, seller, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10", "20")
    as_user(rival).post(f"/api/products/{product.pk}/bids/", {"amount": "30"}, HTTP_IDEMPOTENCY_KEY="theirs")
    as_user(me).post("/api/products/", {"name": "Mine", "category": product.category_id, "starting_bid": 1},
                     HTTP_IDEMPOTENCY_KEY="mine")  # fmt: skip
    let_order_expire(product, seller)
    second_chance.offer(product_id=product.pk, actor=seller)
    write_notifications()
    answer = exported()
    # The price without the bids of the rival who did not pay.
    (offer,) = answer["second_chances"]
    assert (offer["product"], offer["amount"], offer["status"]) == (product.pk, "10.00", "offered")
    notifications = Notification.objects.filter(recipient=me).order_by("pk")
    assert [row["kind"] for row in answer["notifications"]] == [notification.kind for notification in notifications]
    assert {row["kind"] for row in answer["notifications"]} >= {"outbid", "auction_lost", "second_chance_offer"}
    assert answer["notifications"][0].keys() == {
        *("id", "kind", "title", "message", "product", "in_app", "mailed", "created_at", "read_at")
    }
    assert {row["notification"] for row in answer["mails"]} == {notification.pk for notification in notifications}
    assert [row["key"] for row in answer["idempotency_keys"]] == ["mine"]


def test_export_holds_no_secret_and_no_foreign_data(me, exported, as_user, client, seller, rival):
    held = client.post("/api/auth/token/", {"email": me.email, "password": "correct horse battery"}).json()
    product = factories.product(seller, buy_now_price=Decimal(70))
    auction_helpers.bid(factories.product(me), rival, "10")
    buying.buy_now(product_id=product.pk, buyer=me, price=Decimal(70))
    write_notifications()
    text = json.dumps(exported())
    me.refresh_from_db()
    secrets = [me.password, *held.values(), hashlib.sha256(held["refresh"].encode()).hexdigest(), product.alias_salt]
    secrets += [*Session.objects.values_list("token_hash", flat=True), seller.email, rival.email]
    assert [secret for secret in secrets if secret in text] == []


def test_export_schema_describes_every_section(exported):
    shape = SchemaGenerator().get_schema(public=True)["components"]["schemas"]["Export"]
    assert set(shape["properties"]) == set(exported())
    assert set(shape["required"]) == set(exported())


def test_export_of_closed_account_answers_401(me, as_user):
    caller = as_user(me)
    me.is_active = False
    me.save()
    assert caller.get(URL).status_code == 401
