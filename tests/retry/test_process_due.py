"""process_due: which rows are done, in which order, and when a run ends."""

import time
from unittest import mock

import pytest
from django.db import connection, transaction

from auctioncraft.core import clock, retry
from tests.retry.letters import POLICY, SECOND, FarSideAway, Letter, finish, letters, pending

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)


def test_process_due_rows_that_are_due_are_done_in_order_of_their_time():
    first, second, third = letters(3)
    Letter.objects.filter(pk=first.pk).update(next_attempt_at=clock.now())
    seen = []

    def work(letter):
        seen.append(letter.pk)
        finish(letter)

    assert retry.process_due(pending(), work, policy=POLICY) == 3
    assert seen == [second.pk, third.pk, first.pk]
    assert list(Letter.objects.values_list("attempts", "lease", "last_error")) == [(1, None, "")] * 3


@committed
def test_process_due_work_runs_outside_of_transactions_after_the_lease_is_committed():
    (letter,) = letters(1)

    def work(row):
        assert not connection.in_atomic_block
        connection.close()  # another connection sees the lease
        found = Letter.objects.get(pk=letter.pk)
        assert (found.lease, found.attempts) == (row.lease, 1)
        assert found.next_attempt_at > clock.now() + POLICY.lease - 10 * SECOND
        finish(row)

    assert retry.process_due(pending(), work, policy=POLICY) == 1


@committed
def test_process_due_in_a_transaction_is_refused():
    letters(1)
    with transaction.atomic(), pytest.raises(RuntimeError):
        retry.process_due(pending(), finish, policy=POLICY)


def test_process_due_far_side_away_ends_the_run_and_leaves_the_others_untouched():
    first, *others = letters(3)
    before = list(Letter.objects.exclude(pk=first.pk).order_by("pk").values())
    work = mock.Mock(side_effect=FarSideAway)
    assert retry.process_due(pending(), work, policy=POLICY) == 0
    assert work.call_count == 1
    assert list(Letter.objects.exclude(pk=first.pk).order_by("pk").values()) == before
    # The next run begins with another row.
    retry.process_due(pending(), work, policy=POLICY)
    assert work.call_args.args[0].pk == others[0].pk


def test_process_due_row_that_hangs_each_time_holds_up_one_run_and_not_the_next():
    bad, *_others = letters(5)

    def work(letter):
        if letter.pk == bad.pk:
            raise FarSideAway
        finish(letter)

    assert retry.process_due(pending(), work, policy=POLICY) == 0
    assert retry.process_due(pending(), work, policy=POLICY) == 4


def test_process_due_time_is_up_begins_nothing_more():
    letters(3)

    def work(letter):
        time.sleep(0.2)
        finish(letter)

    assert retry.process_due(pending(), work, policy=POLICY, seconds=0.1) == 1
    assert retry.process_due(pending(), work, policy=POLICY, seconds=0) == 0


def test_process_due_row_that_its_work_deletes_is_done():
    letters(1)
    assert retry.process_due(pending(), lambda letter: letter.delete(), policy=POLICY) == 1
