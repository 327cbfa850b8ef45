"""process_due: rows that fail wait, are given up, and can be restarted."""

import logging
import uuid
from unittest import mock

import pytest

from auctioncraft.core import clock, retry
from auctioncraft.core.errors import DomainError
from auctioncraft.core.retry import AttemptFailed, GiveUp, RetryLater, RetryPolicy
from tests.retry.letters import POLICY, SECOND, FarSideAway, Letter, failing, finish, letters, make_due, pending

pytestmark = pytest.mark.django_db


def test_process_due_row_not_due_or_given_up_is_left_alone():
    Letter.objects.create(next_attempt_at=clock.now() + 10 * SECOND)
    Letter.objects.create(next_attempt_at=None)
    Letter.objects.create(done=True)
    assert retry.process_due(pending(), finish, policy=POLICY) == 0


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


def test_process_due_failing_row_backs_off_and_is_given_up_after_the_last_attempt():
    (letter,) = letters(1)
    for attempts in (1, 2, 3):
        assert Letter.objects.get().attempts == attempts - 1
        retry.process_due(pending(), failing(AttemptFailed("no")), policy=POLICY)
        assert (Letter.objects.get().next_attempt_at is None) == (attempts == 3)
        if attempts < 3:
            make_due()
    letter.refresh_from_db()
    assert (letter.next_attempt_at, letter.lease, letter.last_error) == (None, None, "no")
    assert retry.process_due(pending(), finish, policy=POLICY) == 0


def test_process_due_outage_backs_off_and_never_gives_a_row_up():
    (letter,) = letters(1)
    delays = []
    for _ in range(10):
        retry.process_due(pending(), failing(FarSideAway()), policy=POLICY)
        letter.refresh_from_db()
        delays.append((letter.next_attempt_at - clock.now()) / SECOND)
        make_due()
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
    work = mock.Mock()
    retry.process_due(pending(), work, policy=POLICY)
    assert work.call_count == 0
    letter.refresh_from_db()
    assert (letter.next_attempt_at, letter.last_error) == (None, retry.TOO_MANY_ATTEMPTS)


def test_process_due_give_up_is_final():
    (letter,) = letters(1)
    assert retry.process_due(pending(), failing(GiveUp("used")), policy=POLICY) == 0
    letter.refresh_from_db()
    assert (letter.next_attempt_at, letter.last_error, letter.attempts) == (None, "used", 1)


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


def test_delay_doubles_up_to_the_longest_with_jitter_that_replays():
    delays = [POLICY.delay(pk=7, attempts=attempts) for attempts in range(1, 7)]
    for delay, most in zip(delays, (10, 20, 40, 60, 60, 60), strict=True):
        assert 0.75 * most * SECOND <= delay <= most * SECOND
    assert POLICY.delay(pk=7, attempts=2) == delays[1]
    assert len({POLICY.delay(pk=pk, attempts=1) for pk in range(50)}) == 50
