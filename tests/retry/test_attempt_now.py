"""attempt_now: a request that works on its own row."""

import pytest

from auctioncraft.core import clock, retry
from auctioncraft.core.retry import AttemptFailed
from tests.retry.letters import POLICY, SECOND, FarSideAway, Letter, failing, finish, letters, make_due, pending

pytestmark = pytest.mark.django_db


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
