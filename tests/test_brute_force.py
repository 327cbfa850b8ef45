"""Many guesses at one address from many connections at once, on a running server; a thousand at night.

The rule (accounts/services/lockout.py): after 5 wrong guesses within 10 minutes, or 10 within an hour, nothing more is
compared. Comparisons are counted twice: by the answers, and by what the server recorded (guess_recorder.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import cycle

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import F

from accounts.models import FailedAttempts, KnownNetwork, OneTimeCode, Session
from accounts.services import otp
from auctioncraft.core import clock
from tests import factories, servers

pytestmark = pytest.mark.servers

CONNECTIONS, IN_A_ROW = 20, 5
GUESSES = pytest.mark.parametrize("guesses", [200, pytest.param(1000, marks=pytest.mark.nightly)])
EMAIL, NOBODY, PASSWORD = "rose@example.com", "nobody@example.com", "correct horse battery"
# Spellings of one address.
SPELLINGS = (EMAIL, "Rose@Example.COM", " rose@example.com ", "\uff52ose@example.com")
VERIFY, RESET, TOKEN = "/api/auth/otp/verify/", "/api/auth/password/reset/confirm/", "/api/auth/token/"
REFUSED = (429, "throttled")


class Attack:
    """Clients of one server, and the guesses that it compared."""

    def __init__(self, stack):
        self.file = stack.folder / "compared"
        port = servers.free_port()
        stack.serve(port, "tests.guess_recorder:application", COMPARED=str(self.file))
        self.callers = [stack.caller(port) for _ in range(CONNECTIONS)]

    def post(self, path, **body):
        status, answer = self.callers[0].post(path, body)
        return status, answer.get("code")

    def all_at_once(self, tries):
        """Send (path, body) pairs over all connections; count the answers."""

        def send(caller, mine):
            answers = [caller.post(path, body) for path, body in mine]
            return Counter((status, answer.get("code")) for status, answer in answers)

        shares = [tries[number::CONNECTIONS] for number in range(CONNECTIONS)]
        pairs = zip(self.callers, shares, strict=True)
        return sum(servers.run_concurrently([lambda c=c, s=s: send(c, s) for c, s in pairs]), Counter())

    def compared(self):
        """Return the guesses compared so far."""
        return set(self.file.read_text().split()) if self.file.exists() else set()


@pytest.fixture
def attack(stack):
    return Attack(stack)


def advance_time(seconds):
    """Move the recorded times into the past."""
    by = timedelta(seconds=seconds)
    OneTimeCode.objects.update(created_at=F("created_at") - by, expires_at=F("expires_at") - by)
    for attempts in FailedAttempts.objects.all():
        attempts.failures = [moment - seconds for moment in attempts.failures]
        attempts.last_failed_at = attempts.last_failed_at and attempts.last_failed_at - by
        attempts.save()


def create_account():
    """Create the account, with the password hash of the server, not the fast one of the tests."""
    user = factories.user(EMAIL, email_verified_at=clock.now())  # otherwise the first code would remove the password
    user.password = Argon2PasswordHasher().encode(PASSWORD, "only a salt")
    user.save()


def new_code(attack, path="/api/auth/otp/request/"):
    """Request a code; return its digits."""
    assert attack.post(path, email=EMAIL) == (200, None)
    return otp.derive_code(OneTimeCode.objects.get(consumed_at__isnull=True))


def wrong_codes(count, start, path=VERIFY, **more):
    """Return different guesses, none of which is a sent code."""
    sent = {otp.derive_code(code) for code in OneTimeCode.objects.all()}
    digits = (f"{number % 10**6:06d}" for number in range(start, start + count + len(sent)))
    fresh = [code for code in digits if code not in sent][:count]
    return [(path, {"email": email, "code": code, **more}) for email, code in zip(cycle(SPELLINGS), fresh)]


def wrong_passwords(count, start, spellings=SPELLINGS):
    names = zip(cycle(spellings), range(start, start + count))
    return [(TOKEN, {"username": email, "password": f"guess-{number}"}) for email, number in names]


@GUESSES
def test_wrong_codes_many_at_once_compare_five_and_ten_an_hour(stack, attack, guesses):
    create_account()
    right = new_code(attack)

    answers = attack.all_at_once(wrong_codes(guesses, 0))

    assert answers == {(400, "invalid_code"): IN_A_ROW, REFUSED: guesses - IN_A_ROW}
    assert len(attack.compared()) == IN_A_ROW
    assert attack.post(VERIFY, email=EMAIL, code=right) == REFUSED
    assert right not in attack.compared()

    # Another code does not reset the count.
    advance_time(61)
    new_code(attack)
    assert attack.all_at_once(wrong_codes(40, 100_000)) == {REFUSED: 40}
    assert len(attack.compared()) == IN_A_ROW

    # After ten minutes there are five more, for codes of all purposes together.
    advance_time(600)
    new_code(attack, "/api/auth/password/reset/")
    mixed = wrong_codes(60, 200_000) + wrong_codes(20, 300_000, RESET, password=PASSWORD)
    assert attack.all_at_once(mixed) == {(400, "invalid_code"): IN_A_ROW, REFUSED: 80 - IN_A_ROW}
    assert len(attack.compared() & {body["code"] for _, body in mixed}) == IN_A_ROW

    # Then the ten of the hour are used up.
    advance_time(600)
    new_code(attack)
    last = wrong_codes(40, 400_000)
    assert attack.all_at_once(last) == {REFUSED: 40}
    assert not attack.compared() & {body["code"] for _, body in last}
    assert not Session.objects.exists()

    advance_time(3600)
    assert attack.post(VERIFY, email=EMAIL, code=new_code(attack)) == (200, None)


@GUESSES
def test_wrong_passwords_many_at_once_hash_five_and_ten_an_hour(stack, attack, guesses):
    create_account()
    code = new_code(attack)

    answers = attack.all_at_once(wrong_passwords(guesses, 0))

    wrong = (401, "invalid_credentials")
    assert answers == {wrong: IN_A_ROW, REFUSED: guesses - IN_A_ROW}
    assert len(attack.compared()) == IN_A_ROW
    assert attack.post(TOKEN, username=EMAIL, password=PASSWORD) == REFUSED
    # An address without an account has the same limit.
    assert attack.all_at_once(wrong_passwords(40, 1000, [NOBODY])) == {wrong: IN_A_ROW, REFUSED: 40 - IN_A_ROW}
    assert len(attack.compared()) == 2 * IN_A_ROW
    # Codes have their own count: wrong passwords lock nobody out.
    assert attack.post(VERIFY, email=EMAIL, code=code) == (200, None)
    KnownNetwork.objects.all().delete()  # the attack comes from elsewhere

    advance_time(600)
    assert attack.all_at_once(wrong_passwords(40, 2000)) == {wrong: IN_A_ROW, REFUSED: 40 - IN_A_ROW}
    advance_time(600)
    before = attack.compared()
    assert attack.all_at_once(wrong_passwords(40, 3000)) == {REFUSED: 40}
    assert attack.compared() == before
    advance_time(3600)
    assert attack.post(TOKEN, username=EMAIL, password=PASSWORD) == (200, None)
