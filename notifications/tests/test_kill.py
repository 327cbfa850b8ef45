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

from auctioncraft import clock
from auctions.models import EventOutbox
from notifications.invariants import CHECKS
from notifications.models import Delivery, Notification
from notifications.services.deliveries import deliver
from notifications.services.events import write_notices
from notifications.tests import rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]

# Stops for ever where it is told to, and says so: there it is killed.
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
from notifications.services import events
store = events.store
events.store = lambda notices: (store(notices), stop())
events.write_notices()
"""
CLAIMED_NOT_SENT = """
from notifications.services import deliveries
deliveries.compose = stop
deliveries.deliver()
"""
SENT_NOT_MARKED = """
from django.core.mail import EmailMultiAlternatives as Mail
from notifications.services import deliveries
send = Mail.send
Mail.send = lambda self: (send(self), stop())
deliveries.deliver()
"""


def database_url():
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format_map(database)


def kill_at(script, mailbox):
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "auctioncraft.settings_test",
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


def until_told(events):
    """Sweep as beat does: PostgreSQL takes a moment to notice that the client is gone and to free its rows."""
    told, deadline = 0, time.monotonic() + 20
    while told < events and time.monotonic() < deadline:
        told += write_notices()
        time.sleep(0.05)
    return told


def overdue():
    Delivery.objects.waiting().update(due_at=clock.now() - timedelta(seconds=1))


def message_ids(mailbox):
    texts = [path.read_text() for path in Path(mailbox).glob("*.log")]
    return [found for text in texts for found in re.findall(r"^Message-ID: (<.+>)$", text, re.MULTILINE)]


def problems():
    return {name: found for name, check in CHECKS.items() if (found := check())}


def test_killed_in_the_middle_of_writing_nothing_is_lost_and_nothing_is_told_twice(seller, bidder, rival, tmp_path):
    lamp = rows.sale(seller, bidder, [rival])
    rows.outbid(lamp, bidder=rival, displaced=bidder)

    kill_at(WRITTEN_NOT_COMMITTED, tmp_path)
    assert (Notification.objects.count(), Delivery.objects.count(), EventOutbox.objects.count()) == (0, 0, 2)

    assert until_told(2) == 2
    assert sorted(kind for _, kind, _ in rows.told()) == ["auction_lost", "auction_sold", "auction_won", "outbid"]
    assert (Delivery.objects.count(), EventOutbox.objects.count(), problems()) == (4, 0, {})


def test_killed_before_sending_the_mail_goes_out_once_when_the_lease_is_over(
    seller, bidder, rival, tmp_path, mailoutbox
):
    rows.sale(seller, bidder, [rival])
    write_notices()

    kill_at(CLAIMED_NOT_SENT, tmp_path)
    assert (deliver(), message_ids(tmp_path)) == (0, [])
    overdue()

    assert deliver() == 3
    assert len({message.extra_headers["Message-ID"] for message in mailoutbox}) == len(mailoutbox) == 3


def test_killed_between_sending_and_marking_only_that_mail_goes_out_again_and_is_recognisable(
    seller, bidder, rival, tmp_path, mailoutbox
):
    rows.sale(seller, bidder, [rival])
    write_notices()

    kill_at(SENT_NOT_MARKED, tmp_path)
    (sent,) = message_ids(tmp_path)
    overdue()

    assert deliver() == 3
    again = [message.extra_headers["Message-ID"] for message in mailoutbox]
    assert (len(again), len(set(again)), again.count(sent)) == (3, 3, 1)
    assert Notification.objects.count() == 3
