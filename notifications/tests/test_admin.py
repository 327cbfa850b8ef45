from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import OneTimeCode
from accounts.services import otp
from auctioncraft.core import clock
from notifications.models import EmailDelivery, Notification, Preference
from notifications.services.email_delivery import send_codes, send_notification_emails
from notifications.services.notification_writer import notify
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin():
    client = Client()
    client.force_login(factories.user("root@example.com", is_staff=True, is_superuser=True))
    return client


@pytest.mark.parametrize("model", [Notification, EmailDelivery])
def test_staff_can_search_but_not_change(admin, seller, bidder, rival, model):
    rows.sale(seller, bidder, [rival])
    write_notifications()
    page = f"/admin/notifications/{model._meta.model_name}/"
    one = model.objects.first().pk

    for query, won, lost in (("", True, True), ("bidder@", True, False), ("rival@", False, True)):
        listed = admin.get(page, {"q": query})
        shown = listed.content.decode()
        assert (listed.status_code, "auction_won</" in shown, "auction_lost</" in shown) == (200, won, lost)
    assert admin.get(f"{page}{one}/change/").status_code == 200
    assert [admin.get(f"{page}add/").status_code, admin.post(f"{page}{one}/delete/").status_code] == [403, 403]


def test_staff_see_but_cannot_change_preferences(admin, bidder, rival):
    theirs = Preference.objects.create(user=bidder, kind="outbid", in_app=True, mail=False)
    Preference.objects.create(user=rival, kind="auction_lost", in_app=True, mail=False)
    page = "/admin/notifications/preference/"

    listed = admin.get(page, {"q": "bidder@"}).content.decode()
    assert ("outbid</" in listed, "auction_lost</" in listed) == (True, False)
    change = f"{page}{theirs.pk}/change/"
    assert admin.get(change).status_code == 200
    form = {"user": bidder.pk, "kind": "outbid", "in_app": "on", "mail": "on"}
    refused = [admin.get(f"{page}add/"), admin.post(change, form), admin.post(f"{page}{theirs.pk}/delete/")]
    assert [answer.status_code for answer in refused] == [403] * 3
    assert Preference.objects.get(user=bidder).mail is False


def test_delivery_pages_show_no_code(admin):
    now = clock.now()
    code = OneTimeCode.objects.create(
        email="new@example.com", nonce="5" * 32, created_at=now, expires_at=now + timedelta(minutes=10)
    )
    EmailDelivery.objects.create(code=code)
    send_codes()

    pages = [
        admin.get(path).content.decode()
        for path in (
            "/admin/notifications/emaildelivery/",
            f"/admin/notifications/emaildelivery/{code.delivery.pk}/change/",
        )
    ]

    for page in pages:
        assert "new@example.com" in page
        assert otp.derive_code(code) not in page
        assert code.nonce not in page


def test_given_up_delivery_is_sent_after_retry_now(admin, bidder):
    notify(recipient=bidder, kind="auction_lost", source="test:1", context={"product": "lamp"})
    EmailDelivery.objects.update(next_attempt_at=None, attempts=60, last_error="SMTPDataError 554")
    assert send_notification_emails() == 0
    delivery = EmailDelivery.objects.get()
    form = {"action": "retry", "_selected_action": [delivery.pk]}
    answer = admin.post("/admin/notifications/emaildelivery/", form, follow=True)
    assert "Will be sent within a minute: 1." in answer.content.decode()
    assert send_notification_emails() == 1
