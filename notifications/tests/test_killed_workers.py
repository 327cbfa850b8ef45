"""A worker that is really killed: another process, `kill -9`, the next one."""

import os
import re
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from auctioncraft.core import clock
from auctions.models import EventOutbox
from notifications.models import EmailDelivery, Notification
from notifications.services.email_delivery import send_notification_emails
from notifications.services.outbox import write_notifications
from notifications.tests import rows
from tests.violations import find_violations

pytestmark = [pytest.mark.nightly, pytest.mark.django_db(transaction=True), pytest.mark.servers]

# Stops at a given point and reports it; there it is killed.
PRELUDE = """
import sys, time
import django
django.setup()
from django.conf import settings
settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
settings.EMAIL_FILE_PATH = sys.argv[1]

def stop(*args, **kwargs):
    print("here", flush=True)
    time.sleep(60)
"""
WRITTEN_NOT_COMMITTED = """
from notifications.services import outbox
store = outbox.store_notifications
outbox.store_notifications = lambda drafts: (store(drafts), stop())
outbox.write_notifications()
"""
CLAIMED_NOT_SENT = """
from notifications.services import email_delivery
email_delivery.compose = stop
email_delivery.send_notification_emails()
"""
SENT_NOT_MARKED = """
from django.core.mail import EmailMultiAlternatives as Mail
from notifications.services import email_delivery
send = Mail.send
Mail.send = lambda self: (send(self), stop())
email_delivery.send_notification_emails()
"""


def database_url():
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)


def kill_at(script, mailbox):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TEST_DATABASE_URL": database_url(),
    }
    worker = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + script, str(mailbox)],
        env=environment,
        cwd=settings.BASE_DIR,
        stdout=subprocess.PIPE,
        text=True,
    )
    with worker:
        try:
            assert worker.stdout.readline() == "here\n"
        finally:
            os.kill(worker.pid, signal.SIGKILL)
    assert worker.returncode == -signal.SIGKILL


def write_until(events):
    """Run the job until it has processed the events: PostgreSQL takes a moment to release the killed client's rows."""
    written, deadline = 0, time.monotonic() + 20
    while written < events and time.monotonic() < deadline:
        written += write_notifications()
        time.sleep(0.05)
    return written


def end_leases():
    EmailDelivery.objects.waiting().update(next_attempt_at=clock.now() - timedelta(seconds=1))


def message_ids(mailbox):
    texts = [path.read_text() for path in Path(mailbox).glob("*.log")]
    return [found for text in texts for found in re.findall(r"^Message-ID: (<.+>)$", text, re.MULTILINE)]


def violations():
    return find_violations("notifications")


def test_worker_killed_while_writing_loses_and_doubles_nothing(seller, bidder, rival, tmp_path):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    kill_at(WRITTEN_NOT_COMMITTED, tmp_path)
    assert (Notification.objects.count(), EmailDelivery.objects.count(), EventOutbox.objects.count()) == (0, 0, 2)

    assert write_until(2) == 2
    assert sorted(kind for _, kind, _ in rows.notified()) == ["auction_lost", "auction_sold", "auction_won", "outbid"]
    assert (EmailDelivery.objects.count(), EventOutbox.objects.count(), violations()) == (4, 0, {})


def test_worker_killed_before_sending_leaves_its_email_until_the_lease_ends(
    seller, bidder, rival, tmp_path, mailoutbox
):
    rows.sale(seller, bidder, [rival])
    write_notifications()

    kill_at(CLAIMED_NOT_SENT, tmp_path)
    assert (send_notification_emails(), message_ids(tmp_path)) == (2, [])
    end_leases()

    assert send_notification_emails() == 1
    assert len({message.extra_headers["Message-ID"] for message in mailoutbox}) == len(mailoutbox) == 3


def test_worker_killed_after_sending_sends_only_that_email_again_with_the_same_message_id(
    seller, bidder, rival, tmp_path, mailoutbox
):
    rows.sale(seller, bidder, [rival])
    write_notifications()

    kill_at(SENT_NOT_MARKED, tmp_path)
    (sent,) = message_ids(tmp_path)
    end_leases()

    assert send_notification_emails() == 3
    again = [message.extra_headers["Message-ID"] for message in mailoutbox]
    assert (len(again), len(set(again)), again.count(sent)) == (3, 3, 1)
    assert Notification.objects.count() == 3
