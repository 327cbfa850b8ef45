"""core/retry.py, on tables of its own."""

import logging
import threading
import time
import uuid
from datetime import timedelta
from unittest import mock

import pytest
from django.apps.registry import Apps
from django.db import connection, models, transaction
from django.db.models import QuerySet

from auctioncraft.core import clock, retry
from auctioncraft.core.errors import DomainError
from auctioncraft.core.retry import AttemptFailed, GiveUp, RetryLater, RetryModel, RetryPolicy

pytestmark = pytest.mark.django_db
committed = pytest.mark.django_db(transaction=True)

SECOND = timedelta(seconds=1)


class FarSideAway(Exception):
    pass


class Letter(RetryModel):
    done = models.BooleanField(default=False)

    class Meta:
        apps = Apps()
        app_label = "retry_tests"


POLICY = RetryPolicy(first_delay=10 * SECOND, longest_delay=60 * SECOND, max_attempts=3, stop_on=(FarSideAway,))


@pytest.fixture(scope="module", autouse=True)
def _table(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            editor.create_model(Letter)
        yield
        with connection.schema_editor() as editor:
            editor.delete_model(Letter)


@pytest.fixture(autouse=True)
def _emptied(db):
    yield
    Letter.objects.all().delete()


def pending():
    return Letter.objects.filter(done=False)


def letters(count, **fields):
    start = clock.now() - timedelta(hours=1)
    return [Letter.objects.create(next_attempt_at=start + number * SECOND, **fields) for number in range(count)]


def finish(letter):
    Letter.objects.filter(pk=letter.pk).update(done=True)


def failing(error):
    def work(letter):
        raise error

    return work


def make_due():
    Letter.objects.update(next_attempt_at=clock.now() - SECOND)


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


def test_process_due_row_not_due_or_given_up_is_left_alone():
    Letter.objects.create(next_attempt_at=clock.now() + 10 * SECOND)
    Letter.objects.create(next_attempt_at=None)
    Letter.objects.create(done=True)
    assert retry.process_due(pending(), finish, policy=POLICY) == 0


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


def test_process_due_failing_row_moves_behind_the_others(caplog):
    bad, *_others = letters(4)

    def work(letter):
        if letter.pk == bad.pk:
            raise ZeroDivisionError("may quote a secret")
        finish(letter)

    with caplog.at_level(logging.WARNING):
        assert retry.process_due(pending(), work, policy=POLICY) == 3
    bad.refresh_from_db()
    assert (bad.attempts, bad.lease, bad.last_error) == (1, None, "ZeroDivisionError")
    assert 7 * SECOND < bad.next_attempt_at - clock.now() <= 10 * SECOND
    assert [(line.levelname, line.exc_info is None) for line in caplog.records] == [("ERROR", False)]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AttemptFailed("SMTP 450"), "SMTP 450"),
        (DomainError("a sentence", stripe_code="card_declined"), "card_declined"),
        (DomainError("a sentence"), "invalid"),
        (FarSideAway("a sentence"), "FarSideAway"),
    ],
)
def test_process_due_expected_failure_is_kept_and_logged_without_traceback(error, reason, caplog):
    (letter,) = letters(1)
    with caplog.at_level(logging.WARNING):
        assert retry.process_due(pending(), failing(error), policy=POLICY) == 0
    letter.refresh_from_db()
    assert letter.last_error == reason
    assert [(line.levelname, line.exc_info) for line in caplog.records] == [("WARNING", None)]


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


def test_process_due_failing_row_backs_off_and_is_given_up_after_the_last_attempt():
    (letter,) = letters(1)
    hook = mock.Mock()
    for attempts in (1, 2, 3):
        assert Letter.objects.get().attempts == attempts - 1
        retry.process_due(pending(), failing(AttemptFailed("no")), policy=POLICY, give_up=hook)
        assert hook.call_count == (attempts == 3)
        if attempts < 3:
            make_due()
    assert hook.call_args.args == (letter, "no")
    letter.refresh_from_db()
    assert (letter.next_attempt_at, letter.lease, letter.last_error) == (None, None, "no")
    assert retry.process_due(pending(), finish, policy=POLICY) == 0


def test_process_due_outage_backs_off_and_never_gives_a_row_up():
    (letter,) = letters(1)
    hook = mock.Mock()
    delays = []
    for _ in range(10):
        retry.process_due(pending(), failing(FarSideAway()), policy=POLICY, give_up=hook)
        letter.refresh_from_db()
        delays.append((letter.next_attempt_at - clock.now()) / SECOND)
        make_due()
    assert hook.call_count == 0
    assert (letter.attempts, letter.lease, letter.last_error) == (2, None, "FarSideAway")
    for delay, most in zip(delays, (10, 20, 40, 40), strict=False):
        assert 0.7 * most < delay <= most
    assert retry.process_due(pending(), finish, policy=POLICY) == 1


def test_process_due_outage_leaves_the_attempts_that_the_back_off_does_not_need():
    policy = RetryPolicy(first_delay=10 * SECOND, longest_delay=60 * SECOND, max_attempts=9, stop_on=(FarSideAway,))
    (letter,) = letters(1)
    for _ in range(20):
        retry.process_due(pending(), failing(FarSideAway()), policy=policy)
        make_due()
    letter.refresh_from_db()
    assert letter.attempts == 4
    assert policy.delay(pk=letter.pk, attempts=4) > 45 * SECOND
    Letter.objects.update(attempts=7)
    retry.process_due(pending(), failing(FarSideAway()), policy=policy)
    letter.refresh_from_db()
    assert letter.attempts == 7


def test_restart_makes_rows_due_with_all_attempts_ahead_unless_a_worker_has_them():
    given_up = Letter.objects.create(next_attempt_at=None, attempts=3, last_error="no")
    backing_off = Letter.objects.create(next_attempt_at=clock.now() + 60 * SECOND, attempts=2)
    leased = Letter.objects.create(next_attempt_at=clock.now() + 60 * SECOND, lease=uuid.uuid4(), attempts=1)
    assert retry.restart(pending()) == 2
    for letter in (given_up, backing_off):
        letter.refresh_from_db()
        assert letter.attempts == 0
        assert letter.next_attempt_at <= clock.now()
    leased.refresh_from_db()
    assert leased.attempts == 1
    assert leased.next_attempt_at > clock.now()
    assert retry.process_due(pending(), finish, policy=POLICY) == 2


def test_process_due_row_that_kills_its_workers_is_given_up():
    (letter,) = letters(1, attempts=3)
    hook, work = mock.Mock(), mock.Mock()
    retry.process_due(pending(), work, policy=POLICY, give_up=hook)
    assert work.call_count == 0
    hook.assert_called_once_with(letter, retry.TOO_MANY_ATTEMPTS)


def test_process_due_give_up_is_final():
    (letter,) = letters(1)
    hook = mock.Mock()
    assert retry.process_due(pending(), failing(GiveUp("used")), policy=POLICY, give_up=hook) == 0
    hook.assert_called_once_with(letter, "used")
    letter.refresh_from_db()
    assert (letter.next_attempt_at, letter.last_error, letter.attempts) == (None, "used", 1)


def test_process_due_give_up_hook_that_fails_is_called_again_when_the_lease_is_over():
    letters(1)
    with pytest.raises(ZeroDivisionError):
        retry.process_due(pending(), failing(GiveUp("used")), policy=POLICY, give_up=failing_hook)
    hook = mock.Mock()
    assert retry.process_due(pending(), failing(GiveUp("used")), policy=POLICY, give_up=hook) == 0
    assert hook.call_count == 0
    make_due()
    retry.process_due(pending(), failing(GiveUp("used")), policy=POLICY, give_up=hook)
    assert hook.call_count == 1


def failing_hook(letter, reason):
    raise ZeroDivisionError


def test_process_due_row_that_is_not_ready_waits_with_all_attempts_ahead():
    (letter,) = letters(1, attempts=2)
    assert retry.process_due(pending(), failing(RetryLater(30 * SECOND)), policy=POLICY) == 0
    letter.refresh_from_db()
    assert (letter.attempts, letter.lease, letter.last_error) == (0, None, "")
    assert 25 * SECOND < letter.next_attempt_at - clock.now() <= 30 * SECOND


def test_process_due_row_still_pending_after_its_work_backs_off():
    (letter,) = letters(1)
    assert retry.process_due(pending(), lambda _: None, policy=POLICY) == 0
    letter.refresh_from_db()
    assert (letter.attempts, letter.last_error) == (1, retry.UNFINISHED)
    assert letter.next_attempt_at > clock.now()


def test_process_due_row_that_its_work_deletes_is_done():
    letters(1)
    assert retry.process_due(pending(), lambda letter: letter.delete(), policy=POLICY) == 1


def test_process_due_second_attempt_knows_of_the_first():
    letters(1)
    seen = []

    def work(letter):
        seen.append(letter.was_attempted)
        raise AttemptFailed("no")

    for _ in range(2):
        retry.process_due(pending(), work, policy=POLICY)
        make_due()
    assert seen == [False, True]


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


def test_delay_doubles_up_to_the_longest_with_jitter_that_replays():
    delays = [POLICY.delay(pk=7, attempts=attempts) for attempts in range(1, 7)]
    for delay, most in zip(delays, (10, 20, 40, 60, 60, 60), strict=True):
        assert 0.75 * most * SECOND <= delay <= most * SECOND
    assert POLICY.delay(pk=7, attempts=2) == delays[1]
    assert len({POLICY.delay(pk=pk, attempts=1) for pk in range(50)}) == 50


def test_attempt_now_success_is_no_attempt_of_the_job():
    letter = Letter.objects.create(next_attempt_at=POLICY.lease_end())
    assert retry.process_due(pending(), finish, policy=POLICY) == 0
    assert retry.attempt_now(pending(), letter.pk, finish, policy=POLICY) is True
    letter.refresh_from_db()
    assert (letter.done, letter.attempts, letter.lease) == (True, 0, None)
    assert retry.attempt_now(pending(), letter.pk, finish, policy=POLICY) is False


def test_attempt_now_failures_leave_the_attempts_and_the_time_of_the_job_as_they_are():
    (letter,) = letters(1)
    retry.process_due(pending(), failing(AttemptFailed("job")), policy=POLICY)
    letter.refresh_from_db()
    planned = letter.next_attempt_at
    for _ in range(10):
        with pytest.raises(FarSideAway):
            retry.attempt_now(pending(), letter.pk, failing(FarSideAway()), policy=POLICY)
    letter.refresh_from_db()
    assert (letter.attempts, letter.next_attempt_at, letter.lease) == (1, planned, None)
    assert letter.last_error == "FarSideAway"


def test_attempt_now_first_failure_makes_the_row_due_for_the_job_after_the_first_delay():
    letter = Letter.objects.create(next_attempt_at=POLICY.lease_end())
    with pytest.raises(AttemptFailed):
        retry.attempt_now(pending(), letter.pk, failing(AttemptFailed("no")), policy=POLICY)
    letter.refresh_from_db()
    assert 5 * SECOND < letter.next_attempt_at - clock.now() <= 10 * SECOND
    assert letter.attempts == 0


def test_attempt_now_row_given_up_stays_given_up_if_it_fails():
    letter = Letter.objects.create(next_attempt_at=None)
    with pytest.raises(AttemptFailed):
        retry.attempt_now(pending(), letter.pk, failing(AttemptFailed("no")), policy=POLICY)
    letter.refresh_from_db()
    assert letter.next_attempt_at is None
    assert retry.attempt_now(pending(), letter.pk, finish, policy=POLICY) is True


def test_attempt_now_not_ready_and_give_up_are_answers_and_not_errors():
    first, second = letters(2, attempts=2)
    hook = mock.Mock()
    assert retry.attempt_now(pending(), first.pk, failing(RetryLater(SECOND)), policy=POLICY) is False
    first.refresh_from_db()
    assert first.attempts == 0
    assert retry.attempt_now(pending(), second.pk, failing(GiveUp("used")), policy=POLICY, give_up=hook) is False
    hook.assert_called_once_with(second, "used")


def test_attempt_now_row_that_a_worker_is_at_is_left_to_it():
    (letter,) = letters(1)

    def work(row):
        assert retry.attempt_now(pending(), letter.pk, failing(ZeroDivisionError()), policy=POLICY) is False
        assert retry.process_due(pending(), failing(ZeroDivisionError()), policy=POLICY) == 0
        finish(row)

    assert retry.process_due(pending(), work, policy=POLICY) == 1


def test_attempt_now_lease_that_is_over_can_be_claimed():
    (letter,) = letters(1)
    with pytest.raises(KeyboardInterrupt):
        retry.process_due(pending(), failing(KeyboardInterrupt()), policy=POLICY)
    assert retry.attempt_now(pending(), letter.pk, finish, policy=POLICY) is False
    make_due()
    assert retry.attempt_now(pending(), letter.pk, finish, policy=POLICY) is True


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
            claimed.append(retry._claim_next(pending(), ("next_attempt_at",), POLICY).pk)
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
