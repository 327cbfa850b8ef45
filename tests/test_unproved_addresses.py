"""A stranger registers an address that is not theirs: it gives them no attempts, no mail and no data of its owner."""

from datetime import timedelta

import pytest
from django.db.models import F
from rest_framework.test import APIClient

from accounts.models import OneTimeCode, PreviousEmail, User
from accounts.services import otp
from notifications.services.email_delivery import send_notification_emails
from tests.db_snapshot import broken_invariants

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
EMAIL, PASSWORD = "victim@example.com", "the attacker's own"
OWNER, NETWORK = "203.0.113.77", "2001:db8:{:x}::1"


@pytest.fixture(autouse=True)
def _no_throttles(settings):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)


def register():
    body = {"email": EMAIL, "password": PASSWORD}
    return APIClient().post("/api/users/register/", body).status_code


def sign_in(ip):
    """Sign in with the attacker's password; return the client."""
    client = APIClient(REMOTE_ADDR=ip)
    pair = client.post("/api/auth/token/", {"username": EMAIL, "password": PASSWORD}).json()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair['access']}")
    return client


def ask(ip):
    return APIClient().post("/api/auth/otp/request/", {"email": EMAIL}, REMOTE_ADDR=ip).status_code


def verify(ip, code):
    return APIClient().post("/api/auth/otp/verify/", {"email": EMAIL, "code": code}, REMOTE_ADDR=ip)


def register_and_delete(number):
    ip = NETWORK.format(number)
    assert register() == 201
    assert sign_in(ip).delete("/api/users/me/", {"password": PASSWORD}).status_code == 204
    assert not User.objects.filter(email=EMAIL).exists()


def test_deleting_the_account_does_not_reset_the_limit_of_requested_codes():
    assert ask(NETWORK.format(0)) == 200
    register_and_delete(0)
    assert ask(NETWORK.format(1)) == 429
    assert broken_invariants() == []


def test_deleting_the_account_does_not_reset_the_count_of_wrong_codes():
    statuses = []
    for number in range(3):
        statuses += [verify(NETWORK.format(number), f"x{guess}").status_code for guess in range(2)]
        register_and_delete(number)
    assert statuses == [400] * 5 + [429]


def test_deleting_the_account_does_not_end_the_code_of_the_owner():
    assert ask(OWNER) == 200
    code = otp.derive_code(OneTimeCode.objects.get())
    register_and_delete(0)
    answer = verify(OWNER, code)
    assert (answer.status_code, answer.json()["user"]["email"]) == (200, EMAIL)


def test_networks_that_signed_in_have_no_codes_and_no_attempts_of_their_own():
    register()
    requested, guessed = [], []
    for number in range(3):
        ip = NETWORK.format(number)
        assert sign_in(ip).get("/api/users/me/").status_code == 200
        requested.append(ask(ip))
        guessed += [verify(ip, f"x{guess}").status_code for guess in range(2)]
    assert requested == [200, 429, 429]
    assert guessed == [400] * 5 + [429]


def test_sessions_have_no_codes_of_their_own():
    register()
    assert ask(OWNER) == 200
    assert sign_in(OWNER).post("/api/users/me/code/").status_code == 429


def test_networks_have_their_own_attempts_once_the_address_is_proved():
    """The control: the same networks, after the holder of the account proved the address."""
    register()
    holder = sign_in(OWNER)
    assert ask(OWNER) == 200
    body = {"email": EMAIL, "code": otp.derive_code(OneTimeCode.objects.get()), "password": PASSWORD}
    assert APIClient().post("/api/auth/otp/verify/", body).status_code == 200
    OneTimeCode.objects.update(created_at=F("created_at") - timedelta(seconds=61))
    assert ask(NETWORK.format(0)) == 200
    assert ask(OWNER) == 200
    assert holder.post("/api/users/me/code/").status_code == 200


def test_export_does_not_show_who_requests_codes_for_the_address():
    register()
    attacker = sign_in(NETWORK.format(0))
    ask(OWNER)
    verify(OWNER, "wrong")
    answer = attacker.get("/api/users/me/export/")
    assert [answer.json()[section] for section in ("codes", "failed_tries", "mails")] == [[], [], []]
    assert OWNER not in answer.content.decode()


def test_moving_the_account_to_another_address_mails_nothing_to_the_first(mailoutbox):
    register()
    attacker = sign_in(NETWORK.format(0))
    assert attacker.post("/api/users/me/email/", {"email": "my@example.org", "password": PASSWORD}).status_code == 200
    code = otp.derive_code(OneTimeCode.objects.get())
    assert attacker.post("/api/users/me/email/confirm/", {"code": code}).json()["email"] == "my@example.org"
    send_notification_emails()
    assert EMAIL not in [address for email in mailoutbox for address in email.to]
    assert not PreviousEmail.objects.filter(email=EMAIL).exists()
