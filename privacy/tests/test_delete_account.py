"""DELETE /api/users/me/: personal data goes, the record of sales stays."""

import json
from decimal import Decimal

import pytest
from django.apps import apps
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core import mail

from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User
from accounts.services import otp
from auctioncraft.models import IdempotencyKey
from auctions.models import Auction, AuctionEvent, Bid, Product, Watch
from auctions.services import buying, closing, voiding, watching
from auctions.tests import auction_helpers
from notifications.models import EmailDelivery, Notification
from notifications.services.email_delivery import send_codes, send_notification_emails
from notifications.services.ending_soon import notify_ending_soon
from notifications.services.outbox import write_notifications
from payments.models import Order
from payments.services import expiry
from tests import factories
from tests.db_snapshot import broken_invariants
from tests.time_travel import advance_time, let_order_expire

pytestmark = pytest.mark.django_db
URL = "/api/users/me/"
PASSWORD = "correct horse battery"
PROVED = {"password": PASSWORD}
HISTORY = "/api/products/{}/bids/"


@pytest.fixture
def me(db):
    return factories.user("mike@example.com", display_name="Mike the Great")


@pytest.fixture
def erase(me, as_user):
    caller = as_user(me)
    return lambda body=PROVED: caller.delete(URL, body)


def tables_with(*texts):
    """Return the tables that contain any of the texts."""
    return {
        model._meta.label
        for model in apps.get_models()
        for row in model._default_manager.values()
        if any(text in json.dumps(row, default=str) for text in texts)
    }


# -- personal data -----------------------------------------------------------------------------------------------------


def test_erasure_removes_all_personal_data(me, erase, as_user, client, seller):
    """Search every column of every table."""
    product = factories.product(seller)
    as_user(me).post(HISTORY.format(product.pk), {"amount": "10"}, HTTP_IDEMPOTENCY_KEY="key of mike@example.com")
    auction_helpers.bid(product, factories.user("rival@example.com"), "20")
    caller = client
    caller.defaults |= {"REMOTE_ADDR": "203.0.113.77", "HTTP_USER_AGENT": "Mike's own browser"}
    caller.post("/api/auth/otp/request/", {"email": "MIKE@example.com"})
    caller.post("/api/auth/token/", {"email": me.email, **PROVED})
    caller.post("/api/auth/token/", {"email": me.email, "password": "wrong"})
    PreviousEmail.objects.create(user=me, email="mikes-first@example.com", replaced_at=me.created_at)
    log = ContentType.objects.get_for_model(User)
    LogEntry.objects.create(user=seller, content_type=log, object_id=me.pk, object_repr=str(me), action_flag=CHANGE)
    watching.watch(product_id=product.pk, user=me)
    write_notifications()
    send_notification_emails()
    traces = ("mike", "Mike", "203.0.113.77")
    assert tables_with(*traces) >= {
        "accounts.User",
        "accounts.Session",
        "accounts.OneTimeCode",
        "accounts.FailedAttempts",
    }
    assert Notification.objects.filter(recipient=me).exists()

    assert erase().status_code == 204
    # Requests of a network stay counted.
    assert tables_with(*traces) <= {"accounts.FailedAttempts"}
    assert list(FailedAttempts.objects.values_list("pk", flat=True)) == ["network:203.0.113.0/24"]
    for model in (Session, PreviousEmail):
        assert not model.objects.filter(user=me).exists()
    assert not OneTimeCode.objects.exists()
    assert not IdempotencyKey.objects.exists()
    assert not Notification.objects.filter(recipient=me).exists()
    assert not Watch.objects.exists()
    assert broken_invariants() == []


def test_erased_account_cannot_be_used(me, erase):
    User.objects.filter(pk=me.pk).update(email_verified_at=me.created_at, last_login=me.created_at, strikes=0)
    answer = erase()
    assert (answer.status_code, answer.content) == (204, b"")
    left = User.objects.get(pk=me.pk)
    assert left.email.startswith("erased-")
    assert left.email.endswith("@invalid")
    assert (left.display_name, left.is_active, left.has_usable_password()) == ("deleted member", False, False)
    assert (left.email_verified_at, left.last_login, left.created_at) == (None, None, me.created_at)


def test_erasure_ends_every_token(me, erase, as_user, client):
    other = as_user(me)
    pair = client.post("/api/auth/token/", {"email": me.email, **PROVED}).json()
    assert erase().status_code == 204
    assert other.get(URL).status_code == erase().status_code == 401
    assert client.post("/api/auth/token/refresh/", {"refresh": pair["refresh"]}).status_code == 401
    assert client.post("/api/auth/token/", {"email": me.email, **PROVED}).status_code == 401


def test_erasure_ends_pending_codes(me, erase, client):
    code = otp.derive_code(otp.request_code(email=me.email, ip=None))
    assert erase().status_code == 204
    answer = client.post("/api/auth/otp/verify/", {"email": me.email, "code": code})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_code")
    assert send_codes() == 0


def test_erased_address_can_register_a_new_account(me, erase, as_user, client, seller):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(product, factories.user("rival@example.com"), "20")
    mine = factories.product(me)
    assert erase().status_code == 204
    code = otp.derive_code(otp.request_code(email="mike@example.com", ip=None))
    signed_in = client.post("/api/auth/otp/verify/", {"email": "Mike@example.com", "code": code}).json()
    assert signed_in["user"]["id"] != me.pk
    again = as_user(User.objects.get(email="mike@example.com"))
    assert again.get("/api/bids/").json()["count"] == 0
    assert again.get("/api/products/?mine=true").json()["count"] == 0
    # Perhaps of this session, and of nothing before.
    assert {row["kind"] for row in again.get("/api/auth/notifications/").json()["results"]} <= {"new_login"}
    assert again.delete(f"/api/products/{mine.pk}/").status_code == 403
    assert [again.get("/api/users/me/export/").json()[part] for part in ("bids", "products")] == [[], []]
    assert broken_invariants() == []


def test_erasure_of_two_accounts_works(me, erase, bidder, as_user):
    assert [erase().status_code, as_user(bidder).delete(URL, PROVED).status_code] == [204, 204]
    assert User.objects.filter(display_name="deleted member").count() == 2


# -- the record --------------------------------------------------------------------------------------------------------


def test_erasure_keeps_bids_and_events_unchanged(me, erase, client, seller, rival):
    product = factories.product(seller)
    for amount in ("10", "20", "30"):
        auction_helpers.bid(product, me, amount)
        auction_helpers.bid(product, rival, str(int(amount) + 5))
    here = f"/api/products/{product.pk}/"

    def seen():
        answers = [client.get(here + part).json() for part in ("", "bids/", "events/")]
        return json.dumps([without_clock(answer) for answer in answers])

    before, bids = seen(), list(Bid.objects.order_by("pk").values())
    assert erase().status_code == 204
    assert seen() == before
    assert list(Bid.objects.order_by("pk").values()) == bids
    closing.close_auction(product_id=product.pk, actor=seller)
    write_notifications()
    assert not Notification.objects.filter(recipient=me).exists()
    assert Notification.objects.filter(recipient=rival, kind="auction_won").exists()
    assert broken_invariants() == []


def without_clock(answer):
    if isinstance(answer, dict):
        return {name: without_clock(value) for name, value in answer.items() if name != "server_time"}
    return [without_clock(item) for item in answer] if isinstance(answer, list) else answer


def test_erased_user_is_shown_as_deleted_member(me, erase, as_user, client, seller, bidder):
    bought, sold = (factories.product(who, buy_now_price=Decimal(70)) for who in (seller, me))
    buying.buy_now(product_id=bought.pk, buyer=me, price=Decimal(70))
    buying.buy_now(product_id=sold.pk, buyer=bidder, price=Decimal(70))
    advance_time(bought, hours=96)
    advance_time(sold, hours=96)
    assert expiry.expire_due() == 2
    assert erase().status_code == 204
    (as_seller,) = as_user(seller).get("/api/payments/orders/").json()["results"]
    (as_buyer,) = as_user(bidder).get("/api/payments/orders/").json()["results"]
    gone = {"id": me.pk, "display_name": "deleted member"}
    assert as_seller["buyer"] == as_buyer["seller"] == gone
    page = client.get(f"/api/products/{sold.pk}/").json()
    assert (page["seller"], page["name"]) == (gone, "A thing")
    assert broken_invariants() == []


def test_erasure_cancels_own_auctions_without_bids(me, erase, client, rival, staff):
    later, voided, ended = (factories.product(me) for _ in range(3))
    auction_helpers.move_start_to_tomorrow(later)
    auction_helpers.bid(voided, rival, "10")
    voiding.void_bid(product_id=voided.pk, bid_id=Bid.objects.get().pk, actor=staff, reason="Not serious.")
    auction_helpers.move_end_to_past(ended)
    others = factories.product(rival)
    assert erase().status_code == 204
    assert set(Auction.objects.filter(product__seller=me).values_list("status", flat=True)) == {"cancelled"}
    assert Auction.objects.get(pk=others.pk).status == "open"
    events = AuctionEvent.objects.filter(kind="cancelled")
    assert [(event.data, event.private) for event in events] == [({"by": "seller"}, {"actor": me.pk})] * 3
    assert client.get(f"/api/products/{later.pk}/").json()["status"] == "cancelled"
    write_notifications()
    assert not Notification.objects.filter(recipient=me).exists()
    assert broken_invariants() == []


def test_erasure_reduces_watch_counts(me, erase, seller, rival):
    one, other = factories.product(seller), factories.product(me)
    for product in (one, other):
        for user in (me, rival):
            watching.watch(product_id=product.pk, user=user)
    assert erase().status_code == 204
    assert set(Product.objects.values_list("watch_count", flat=True)) == {1}
    assert set(Watch.objects.values_list("user", flat=True)) == {rival.pk}


def test_erasure_with_pending_events_notifies_only_others(me, erase, seller, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(product, rival, "20")
    assert erase().status_code == 204
    write_notifications()
    staff = factories.user("staff@example.com", is_staff=True)
    closing.cancel_auction(product_id=product.pk, actor=staff, reason="A slip.")
    write_notifications()
    assert set(Notification.objects.values_list("recipient", flat=True)) == {seller.pk, rival.pk}
    send_notification_emails()
    assert {address for message in mail.outbox for address in message.to} <= {seller.email, rival.email}
    assert broken_invariants() == []


def test_erased_user_gets_no_ending_soon_notification(me, erase, seller, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(product, rival, "20")
    watching.watch(product_id=product.pk, user=rival)
    assert erase().status_code == 204
    advance_time(product, days=6, hours=23, minutes=30)
    assert notify_ending_soon() == 1
    assert list(Notification.objects.values_list("recipient", flat=True)) == [rival.pk]


def test_erasure_cancels_waiting_emails(me, erase, seller, rival):
    product = factories.product(seller)
    auction_helpers.bid(product, me, "10")
    auction_helpers.bid(product, rival, "20")
    write_notifications()
    assert EmailDelivery.objects.filter(notification__recipient=me).exists()
    assert erase().status_code == 204
    send_notification_emails()
    assert all(me.email not in message.to for message in mail.outbox)


def test_erased_user_who_leads_after_a_void_is_passed_over(me, erase, seller, rival, staff):
    product = factories.product(seller)
    third = factories.user("third@example.com")
    auction_helpers.bid(product, third, "10")
    auction_helpers.bid(product, me, "20")
    auction_helpers.bid(product, rival, "30")
    assert erase().status_code == 204
    voiding.void_bid(product_id=product.pk, bid_id=Bid.objects.get(bidder=rival).pk, actor=staff, reason="A slip.")
    assert Auction.objects.get().leader == me
    closing.close_auction(product_id=product.pk, actor=seller)
    assert (Auction.objects.get().winner, Order.objects.get().total) == (third, 10)
    write_notifications()
    assert not Notification.objects.filter(recipient=me).exists()
    assert broken_invariants() == []


def test_second_chance_of_erased_seller_is_refused(me, erase, bidder, rival, staff, as_user):
    product = factories.product(me)
    auction_helpers.bid(product, rival, "10")
    auction_helpers.bid(product, bidder, "30")
    let_order_expire(product, me)
    assert erase().status_code == 204
    answer = as_user(staff).post(f"/api/products/{product.pk}/offer_second_chance/")
    assert (answer.status_code, answer.json()["code"]) == (409, "second_chance_unavailable")
    assert broken_invariants() == []
