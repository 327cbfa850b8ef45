import pytest
from django.core import mail

from auctioncraft.celery import app
from notifications import tasks
from notifications.tests import rows

pytestmark = pytest.mark.django_db


def test_beat_names_sweeps_that_exist():
    scheduled = {name for name in app.conf.beat_schedule if name.startswith("notifications.")}

    assert scheduled == {tasks.write_notifications.name, tasks.send_due_emails.name, tasks.notify_ending_soon.name}


def test_two_sweeps_bring_a_sale_to_three_mailboxes(seller, bidder, rival):
    rows.sale(seller, bidder, [rival])

    tasks.write_notifications()
    tasks.send_due_emails()

    assert {(message.to[0], message.subject) for message in mail.outbox} == {
        ("bidder@example.com", "You won “A lamp”"),
        ("seller@example.com", "“A lamp” is sold"),
        ("rival@example.com", "You did not win “A lamp”"),
    }
