"""Several workers at once: each row is claimed by one."""

import threading
import time

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from auctioncraft.core import clock, retry
from auctioncraft.core.retry import AttemptFailed
from tests.retry.letters import POLICY, Letter, failing, finish, letters, make_due, pending

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


def test_process_due_lease_that_ran_out_leaves_the_row_to_the_next_worker():
    (letter,) = letters(1)

    def slow(row):
        make_due()  # our lease is over
        with pytest.raises(KeyboardInterrupt):  # the next worker is at it, and killed
            retry.process_due(pending(), failing(KeyboardInterrupt()), policy=POLICY)
        raise AttemptFailed("ours")

    retry.process_due(pending(), slow, policy=POLICY)
    letter.refresh_from_db()
    assert letter.attempts == 2
    assert letter.lease is not None
    assert letter.last_error == ""


def run_workers(count, letters_each):
    """Run workers that begin together; return what each worked on."""
    start = threading.Barrier(count, timeout=30)
    worked: list[list[int]] = [[] for _ in range(count)]

    def worker(number):
        try:
            start.wait()

            def work(letter):
                worked[number].append(letter.pk)
                time.sleep(0.01)
                finish(letter)

            while pending().filter(next_attempt_at__lte=clock.now()).exists():
                retry.process_due(pending(), work, policy=POLICY)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(count)]
    letters(letters_each * count)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return worked


@committed
def test_two_workers_at_once_never_work_on_one_row():
    worked = run_workers(2, 20)
    assert sorted(worked[0] + worked[1]) == sorted(Letter.objects.values_list("pk", flat=True))
    assert all(worked), "one worker did everything"
    assert not Letter.objects.exclude(attempts=1).exists()


@committed
def test_two_workers_at_once_without_lease_work_on_the_same_rows(monkeypatch):
    """The negative control: without the lease, rows are worked on twice."""

    def no_lease(row, now, policy, *, counted):
        row.attempts += counted
        row.save(update_fields=("attempts",))
        return row

    monkeypatch.setattr(retry, "_lease", no_lease)
    worked = run_workers(2, 20)
    assert len(worked[0] + worked[1]) > 40


@committed
@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="SQLite has no row locks")
@pytest.mark.parametrize("skips", [True, False], ids=["skip_locked", "without"])
def test_claim_while_another_worker_claims_takes_the_next_row_only_with_skip_locked(skips, monkeypatch):
    first, second = letters(2)
    if not skips:
        plain = QuerySet.select_for_update
        monkeypatch.setattr(
            QuerySet, "select_for_update", lambda rows, **how: plain(rows, **(how | {"skip_locked": False}))
        )
    claimed = []

    def claim():
        try:
            claimed.append(retry._claim_next(pending(), POLICY).pk)
        finally:
            connection.close()

    with transaction.atomic():
        Letter.objects.select_for_update(no_key=True).get(pk=first.pk)
        other = threading.Thread(target=claim)
        other.start()
        other.join(2)
        waited = other.is_alive()
    other.join(20)
    assert (waited, claimed) == ((False, [second.pk]) if skips else (True, [first.pk]))
