"""A thousand guesses at one address, from many connections at once, against the running server.

The rule (accounts/services/lockout.py): 5 wrong guesses in a row within 10 minutes, or 10 within the hour, and nothing
more is compared. What was compared is counted twice: by the answers, and by what the server wrote down (compared.py).
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import cycle

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db.models import F

from accounts.models import FailedAttempts, OneTimeCode, Session
from accounts.services import otp
from auctioncraft.core import clock
from tests import factories, servers

pytestmark = pytest.mark.servers

CONNECTIONS, GUESSES, IN_A_ROW = 20, 1000, 5
EMAIL, NOBODY, PASSWORD = "rose@example.com", "nobody@example.com", "correct horse battery"
# One address, however it is written.
SPELLINGS = (EMAIL, "Rose@Example.COM", " rose@example.com ", "\uff52ose@example.com")
VERIFY, RESET, TOKEN = "/api/auth/otp/verify/", "/api/auth/password/reset/confirm/", "/api/auth/token/"
REFUSED = (429, "throttled")


class Attack:
    """Callers of one server, and the list of what it compared."""

    def __init__(self, stack):
        self.file = stack.folder / "compared"
        port = servers.free_port()
        stack.serve(port, "tests.guess_recorder:application", COMPARED=str(self.file))
        self.callers = [stack.caller(port) for _ in range(CONNECTIONS)]

    def post(self, path, **body):
        status, answer = self.callers[0].post(path, body)
        return status, answer.get("code")

    def all_at_once(self, tries):
        """Send (path, body) pairs over every connection; return how often each answer came."""

        def send(caller, mine):
            answers = [caller.post(path, body) for path, body in mine]
            return Counter((status, answer.get("code")) for status, answer in answers)

        shares = [tries[number::CONNECTIONS] for number in range(CONNECTIONS)]
        pairs = zip(self.callers, shares, strict=True)
        return sum(servers.run_concurrently([lambda c=c, s=s: send(c, s) for c, s in pairs]), Counter())

    def compared(self):
        """Return the guesses that were compared until now."""
        return set(self.file.read_text().split()) if self.file.exists() else set()


@pytest.fixture
def attack(stack):
    return Attack(stack)


def let_pass(seconds):
    """Move what is recorded into the past: PostgreSQL's clock cannot be moved."""
    by = timedelta(seconds=seconds)
    OneTimeCode.objects.update(created_at=F("created_at") - by, expires_at=F("expires_at") - by)
    for guard in FailedAttempts.objects.all():
        guard.failures = [moment - seconds for moment in guard.failures]
        guard.last_failed_at = guard.last_failed_at and guard.last_failed_at - by
        guard.save()


def rose():
    """Make the account, its password hashed as the server does: the test suite's own is a fast one."""
    user = factories.user(EMAIL, email_verified_at=clock.now())  # else the first code would drop the password
    user.password = Argon2PasswordHasher().encode(PASSWORD, "only a salt")
    user.save()


def new_code(attack, path="/api/auth/otp/request/"):
    """Have one sent; return its digits."""
    assert attack.post(path, email=EMAIL) == (200, None)
    return otp.derive_code(OneTimeCode.objects.get(consumed_at__isnull=True))


def wrong_codes(count, start, path=VERIFY, **more):
    """Return guesses that are all different, and none that was ever sent."""
    sent = {otp.derive_code(code) for code in OneTimeCode.objects.all()}
    digits = (f"{number % 10**6:06d}" for number in range(start, start + count + len(sent)))
    fresh = [code for code in digits if code not in sent][:count]
    return [(path, {"email": email, "code": code, **more}) for email, code in zip(cycle(SPELLINGS), fresh)]


def wrong_passwords(count, start, spellings=SPELLINGS):
    names = zip(cycle(spellings), range(start, start + count))
    return [(TOKEN, {"username": email, "password": f"guess-{number}"}) for email, number in names]


def test_wrong_codes_a_thousand_at_once_compare_five_and_ten_an_hour(stack, attack):
    rose()
    right = new_code(attack)

    answers = attack.all_at_once(wrong_codes(GUESSES, 0))

    assert answers == {(400, "invalid_code"): IN_A_ROW, REFUSED: GUESSES - IN_A_ROW}
    assert len(attack.compared()) == IN_A_ROW
    assert attack.post(VERIFY, email=EMAIL, code=right) == REFUSED
    assert right not in attack.compared()

    # Another code does not set the count back, ...
    let_pass(61)
    new_code(attack)
    assert attack.all_at_once(wrong_codes(40, 100_000)) == {REFUSED: 40}
    assert len(attack.compared()) == IN_A_ROW

    # ... ten minutes give five more, whatever the codes are for, ...
    let_pass(600)
    new_code(attack, "/api/auth/password/reset/")
    mixed = wrong_codes(60, 200_000) + wrong_codes(20, 300_000, RESET, password=PASSWORD)
    assert attack.all_at_once(mixed) == {(400, "invalid_code"): IN_A_ROW, REFUSED: 80 - IN_A_ROW}
    assert len(attack.compared() & {body["code"] for _, body in mixed}) == IN_A_ROW

    # ... and the ten of the hour are all that there are.
    let_pass(600)
    new_code(attack)
    last = wrong_codes(40, 400_000)
    assert attack.all_at_once(last) == {REFUSED: 40}
    assert not attack.compared() & {body["code"] for _, body in last}
    assert not Session.objects.exists()

    let_pass(3600)
    assert attack.post(VERIFY, email=EMAIL, code=new_code(attack)) == (200, None)


def test_wrong_passwords_a_thousand_at_once_hash_five_and_ten_an_hour(stack, attack):
    rose()
    code = new_code(attack)

    answers = attack.all_at_once(wrong_passwords(GUESSES, 0))

    wrong = (401, "invalid_credentials")
    assert answers == {wrong: IN_A_ROW, REFUSED: GUESSES - IN_A_ROW}
    assert len(attack.compared()) == IN_A_ROW
    assert attack.post(TOKEN, username=EMAIL, password=PASSWORD) == REFUSED
    # An address without an account is guarded alike.
    assert attack.all_at_once(wrong_passwords(40, 1000, [NOBODY])) == {wrong: IN_A_ROW, REFUSED: 40 - IN_A_ROW}
    assert len(attack.compared()) == 2 * IN_A_ROW
    # Codes are counted apart: who guesses passwords locks nobody out.
    assert attack.post(VERIFY, email=EMAIL, code=code) == (200, None)

    let_pass(600)
    assert attack.all_at_once(wrong_passwords(40, 2000)) == {wrong: IN_A_ROW, REFUSED: 40 - IN_A_ROW}
    let_pass(600)
    before = attack.compared()
    assert attack.all_at_once(wrong_passwords(40, 3000)) == {REFUSED: 40}
    assert attack.compared() == before
    let_pass(3600)
    assert attack.post(TOKEN, username=EMAIL, password=PASSWORD) == (200, None)
