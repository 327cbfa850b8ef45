import threading
from contextlib import suppress

import pytest
from django.db import connection

from notifications.models import EmailDelivery, EmailDeliveryQuerySet
from notifications.services import email_delivery
from notifications.services.notification_writer import notify

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


def claims_of_two_workers(monkeypatch):
    """Let two workers claim at once, each between its reading and its claim until the other has read too."""
    both_have_read = threading.Barrier(2, timeout=1)
    update = EmailDeliveryQuerySet.update

    def wait_and_update(self, **fields):
        with suppress(threading.BrokenBarrierError):
            both_have_read.wait()
        return update(self, **fields)

    monkeypatch.setattr(EmailDeliveryQuerySet, "update", wait_and_update)
    claimed, failures = [], []

    def work():
        try:
            claimed.append([row.pk for row in email_delivery._claim(20)])
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    return sorted(claimed)


@pytest.fixture
def delivery(bidder):
    notify(recipient=bidder, kind="auction_lost", source="test:1", context={"product": "A lamp"})
    return EmailDelivery.objects.get()


def test_of_two_workers_that_read_at_once_only_one_claims(delivery, monkeypatch):
    assert claims_of_two_workers(monkeypatch) == [[], [delivery.pk]]


def test_without_the_row_lock_both_would_claim_and_the_mail_go_out_twice(delivery, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer, by BEGIN IMMEDIATE")
    monkeypatch.setattr(EmailDeliveryQuerySet, "select_for_update", lambda self, **_: self)

    assert claims_of_two_workers(monkeypatch) == [[delivery.pk], [delivery.pk]]
