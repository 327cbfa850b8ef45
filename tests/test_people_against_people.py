"""What members do to strangers, to each other and to the site, over HTTP (docs/abuse.md, People against people)."""

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.db import connection, transaction
from rest_framework.test import APIClient

from accounts.models import User
from auctioncraft import settings as defaults
from auctioncraft.api import throttling
from auctions import tasks
from auctions.services import closing
from auctions.tests import auction_helpers
from auctions.tests.images.image_helpers import make_image, upload_form, url
from notifications.models import Notification
from notifications.services.email_delivery import send_codes, send_notification_emails
from notifications.services.outbox import write_notifications
from tests import admin_pages, factories
from tests.interleave import interleave_at

pytestmark = pytest.mark.django_db

VICTIM = {"email": "victim@example.com", "password": "a stranger's own", "display_name": "Win at evil.example"}


def register_another_persons_address():
    """Return a client of an account with an address that nobody proved."""
    assert APIClient().post("/api/users/register/", VICTIM).status_code == 201
    pair = APIClient().post("/api/auth/token/", {"username": VICTIM["email"], "password": VICTIM["password"]}).json()
    caller = APIClient()
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return caller


def bid(caller, product_id, amount):
    answer = caller.post(f"/api/products/{product_id}/bids/", {"amount": str(amount)})
    assert answer.status_code == 201, answer.content


def mailed_to(address):
    """Write and send what is due; return all messages to the address."""
    write_notifications()
    send_notification_emails()
    send_codes()
    return [message for message in mail.outbox if message.to == [address]]


def test_unproved_address_is_mailed_no_words_of_others(as_user, seller, rival):
    caller, category = register_another_persons_address(), factories.category().pk
    listing = {"name": "Win at evil.example", "category": category, "starting_bid": "1"}
    for _ in range(3):
        product_id = as_user(seller).post("/api/products/", listing).json()["id"]
        bid(caller, product_id, 2)
        bid(as_user(rival), product_id, 5)
        bid(caller, product_id, 9)
    assert mailed_to(VICTIM["email"]) == []
    assert Notification.objects.filter(recipient__email=VICTIM["email"], kind="outbid").count() == 3
    assert len(mailed_to(rival.email)) == 3  # whose address is proved
    assert APIClient().post("/api/auth/otp/request/", {"email": VICTIM["email"]}).status_code == 200
    (code,) = mailed_to(VICTIM["email"])
    assert "evil" not in code.subject + code.body + str(code.alternatives)


def test_duel_of_bids_is_one_email_an_hour(as_user, seller, bidder, rival):
    product = factories.product(seller)
    for amount in range(2, 14, 2):
        bid(as_user(bidder), product.pk, amount)
        bid(as_user(rival), product.pk, amount + 1)
        write_notifications()
        send_notification_emails()
    outbid = [message.subject for message in mailed_to(bidder.email) if "outbid" in message.subject.lower()]
    assert len(outbid) == 1
    shown = as_user(bidder).get("/api/auth/notifications/").json()["results"]
    assert [row["kind"] for row in shown].count("outbid") == 6


@pytest.fixture
def _default_limits(settings, monkeypatch, tmp_path):
    """Set the limits of production, of which the tests have none."""
    settings.LIMITS, settings.MEDIA_ROOT = defaults.LIMITS, tmp_path
    monkeypatch.setattr(throttling, "_counter", throttling._Counter())
    cache.clear()
    with time_machine.travel("2026-11-23T10:00:20Z", tick=False):
        yield
    cache.clear()


@pytest.mark.usefixtures("_default_limits")
def test_images_and_exports_have_limits_of_their_own(as_user, seller):
    caller, product, image = as_user(seller), factories.product(seller), make_image(size=(20, 20))
    uploads = [caller.post(url(product), upload_form(image), format="multipart").status_code for _ in range(11)]
    assert uploads == [201] * 10 + [429]
    exports = [caller.get("/api/users/me/export/").status_code for _ in range(3)]
    assert exports == [200] * 2 + [429]
    assert caller.get(f"/api/products/{product.pk}/").status_code == 200


def test_member_whom_staff_disable_neither_wins_nor_sells(as_user, client, seller, bidder, rival):
    product, own, caller = factories.product(seller), factories.product(rival), as_user(rival)
    bid(as_user(bidder), product.pk, 5)
    bid(caller, product.pk, 20)
    bid(as_user(bidder), own.pk, 5)
    admin_pages.confirm(admin_pages.clerk("view_user", "change_user"), User, "disable", [rival], reason="A shill.")
    assert caller.get("/api/users/me/").status_code == 401
    refused = as_user(bidder).post(f"/api/products/{own.pk}/bids/", {"amount": "9"})
    assert (refused.status_code, refused.json()["code"]) == (409, "auction_not_open")
    tasks.withdraw_accounts()
    assert client.get(f"/api/products/{own.pk}/").json()["status"] == "cancelled"
    closed = as_user(seller).post(f"/api/products/{product.pk}/close_auction/").json()
    assert (closed["winner"]["id"], closed["final_price"]) == (bidder.pk, "5.00")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", ["close", "watch"])
def test_close_and_watch_wait_for_each_other_never(as_user, seller, bidder, rival, first):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer")
    product, caller, done = factories.product(seller), as_user(rival), []
    auction_helpers.bid(product, bidder, "9")
    auction_helpers.move_end_to_past(product)
    work = {
        "close": closing.close_due,
        "watch": lambda: caller.post(f"/api/products/{product.pk}/watch/").status_code,
    }
    second = "watch" if first == "close" else "close"

    def stop_before_commit(stop):
        with transaction.atomic():
            result = work[first]()
            stop()
            done.append(first)
        return result

    def other():
        result = work[second]()
        done.append(second)
        return result

    results = interleave_at(stop_before_commit, other)
    assert done == [second, first]
    assert dict(zip((first, second), results, strict=True)) == {"close": 1, "watch": 204}
