"""Addresses with and without an account get the same answer, by the same work.

Times are measured by a benchmark (`python -m benchmarks.enumeration`). Here whole answers are compared, the statements
that reach the database, and the number of hashed passwords.
"""

import re

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import OneTimeCode
from auctioncraft.core import clock
from tests import factories

pytestmark = pytest.mark.django_db

KNOWN, DISABLED, UNKNOWN = "known-1@example.com", "known-2@example.com", "other-3@example.com"
PASSWORD = {"password": "a wrong but fit password"}
REQUESTS = {
    "code asked for": ("/api/auth/otp/request/", "email", {}, 200),
    "wrong code": ("/api/auth/otp/verify/", "email", {"code": "none"}, 400),
    "wrong password": ("/api/auth/token/", "username", PASSWORD, 401),
    "registration": ("/api/users/register/", "email", PASSWORD | {"display_name": "Somebody"}, 201),
    "password reset asked for": ("/api/auth/password/reset/", "email", {}, 200),
    "password reset, wrong code": ("/api/auth/password/reset/confirm/", "email", PASSWORD | {"code": "none"}, 400),
    "move to that address": ("/api/users/me/email/", "email", {"password": "correct horse battery"}, 200),
}
# Texts, numbers and names of savepoints in a statement.
_VALUES = re.compile(r"'[^']*'|\b\d+\b|\bNULL\b|\bs\d+_x\d+\b")


class Counted(MD5PasswordHasher):
    """Counts the passwords that it hashes."""

    made = 0

    def encode(self, password, salt):
        Counted.made += 1
        return super().encode(password, salt)


@pytest.fixture
def known_accounts(settings):
    settings.REGISTRATION_REQUIRES_VERIFICATION = True
    settings.PASSWORD_HASHERS = [f"{__name__}.Counted"]
    factories.user(KNOWN, email_verified_at=clock.now())
    factories.user(DISABLED, email_verified_at=clock.now(), is_active=False)


def visible_answer(answer, email):
    """Return status, headers and body, without the given address and the time."""
    body = re.sub(rb'"created_at":"[^"]+"', b"", answer.content.replace(email.encode(), b"-"))
    headers = {name: value for name, value in answer.headers.items() if name not in {"X-Request-ID", "Date"}}
    return answer.status_code, headers, body


def send_and_count(caller, way, email):
    """Return the answer, the statements without their values, and the number of hashed passwords."""
    path, field, body, _ = REQUESTS[way]
    before = Counted.made
    with CaptureQueriesContext(connection) as captured:
        answer = caller.post(path, {field: email, **body}, REMOTE_ADDR=f"192.0.{email[6]}.2")
    statements = [_VALUES.sub("?", query["sql"]) for query in captured]
    return visible_answer(answer, email), statements, Counted.made - before


@pytest.mark.parametrize("way", REQUESTS)
def test_address_with_or_without_account_gets_the_same_answer_and_work(known_accounts, way):
    if way == "move to that address":
        caller = client_of_member()
        send_and_count(caller, way, "first-4@example.com")  # creates the count of the member's passwords
    else:
        caller = APIClient()

    without = send_and_count(caller, way, UNKNOWN)

    assert without[0][0] == REQUESTS[way][3]
    assert len(without[1]) > 2
    assert send_and_count(caller, way, KNOWN) == without
    assert send_and_count(caller, way, DISABLED) == without


def client_of_member():
    from accounts.services import tokens

    user = factories.user("mover@example.com")
    caller = APIClient()
    access = tokens.sign_in(user=user, user_agent="tests", ip=None).access
    caller.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return caller


@pytest.mark.parametrize("way", ["wrong code", "password reset, wrong code"])
def test_wrong_code_with_or_without_account_gets_the_same_answer_and_work(known_accounts, way):
    """A guess does not reveal whether a code is pending."""
    purpose = "reset" if "reset" in way else "sign_in"
    path = {"reset": "/api/auth/password/reset/", "sign_in": "/api/auth/otp/request/"}[purpose]
    for email in (KNOWN, UNKNOWN):
        APIClient().post(path, {"email": email}, REMOTE_ADDR="192.0.2.9")
    assert OneTimeCode.objects.filter(purpose=purpose).count() == 2

    assert send_and_count(APIClient(), way, KNOWN) == send_and_count(APIClient(), way, UNKNOWN)
