import pytest
from django.core import mail

from auctioncraft.celery import app
from notifications import tasks
from notifications.tests import rows

pytestmark = pytest.mark.django_db


def test_schedule_names_all_jobs_of_this_app():
    scheduled = {name for name in app.conf.beat_schedule if name.startswith("notifications.")}

    assert scheduled == {
        tasks.write_notifications.name,
        tasks.send_codes.name,
        tasks.send_notification_emails.name,
        tasks.notify_ending_soon.name,
        tasks.purge.name,
    }


def test_sale_is_emailed_to_winner_seller_and_loser_by_two_jobs(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])

    tasks.write_notifications()
    tasks.send_notification_emails()

    assert {(message.to[0], message.subject) for message in mail.outbox} == {
        ("bidder@example.com", "You won “A lamp”"),
        ("seller@example.com", "“A lamp” was sold"),
        ("rival@example.com", "You did not win “A lamp”"),
    }
