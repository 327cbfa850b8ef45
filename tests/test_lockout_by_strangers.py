"""What strangers request or get wrong does not lock out a member or staff on a network where they signed in before."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, KnownNetwork, OneTimeCode
from accounts.services import known_networks, otp
from auctioncraft.core import clock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
EMAIL, PASSWORD = "rose@example.com", "correct horse battery"
HOME, HOME_TODAY, ELSEWHERE, STRANGER = "192.0.2.1", "192.0.2.99", "198.51.100.1", "203.0.113.9"


@pytest.fixture(autouse=True)
def _no_throttles(settings):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)


@pytest.fixture
def member(db):
    user = factories.user(EMAIL)
    assert sign_in(HOME).status_code == 200
    return user


def sign_in(ip, password=PASSWORD):
    return APIClient().post("/api/auth/token/", {"username": EMAIL, "password": password}, REMOTE_ADDR=ip)


def ask(ip):
    return APIClient().post("/api/auth/otp/request/", {"email": EMAIL}, REMOTE_ADDR=ip).status_code


def verify(ip, code):
    return APIClient().post("/api/auth/otp/verify/", {"email": EMAIL, "code": code}, REMOTE_ADDR=ip).status_code


def current_code():
    return otp.derive_code(OneTimeCode.objects.get(consumed_at__isnull=True))


def wait_a_minute():
    OneTimeCode.objects.update(created_at=F("created_at") - timedelta(seconds=61))


def log_in(ip, user, password=PASSWORD):
    body = {"username": user.email, "password": password, "otp_token": ""}
    return Client().post("/admin/login/?next=/admin/", body, REMOTE_ADDR=ip).status_code == 302


def test_code_requests_of_strangers_do_not_lock_out_a_known_network(member):
    for _ in range(5):
        assert ask(STRANGER) == 200
        wait_a_minute()
    assert ask(STRANGER) == 429
    assert ask(ELSEWHERE) == 429
    assert ask(HOME_TODAY) == 200
    assert verify(HOME_TODAY, current_code()) == 200


def test_code_requests_of_a_known_network_have_the_same_limits(member):
    assert ask(HOME) == 200
    assert ask(HOME_TODAY) == 429
    for _ in range(4):
        wait_a_minute()
        assert ask(HOME) == 200
    wait_a_minute()
    assert ask(HOME) == 429


def test_wrong_codes_of_strangers_do_not_lock_out_a_known_network(member):
    assert ask(HOME) == 200
    assert [verify(STRANGER, "wrong") for _ in range(6)] == [400] * 5 + [429]
    assert verify(ELSEWHERE, current_code()) == 429
    assert verify(HOME, current_code()) == 200


def test_wrong_codes_of_a_known_network_are_limited_too(member):
    assert ask(HOME) == 200
    assert [verify(HOME, "wrong") for _ in range(6)] == [400] * 5 + [429]
    assert verify(HOME, current_code()) == 429
    assert verify(STRANGER, current_code()) == 200


def test_wrong_passwords_of_strangers_do_not_lock_out_a_known_network(member):
    assert [sign_in(STRANGER, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert sign_in(ELSEWHERE).status_code == 429
    assert sign_in(HOME_TODAY).status_code == 200


def test_wrong_passwords_of_strangers_do_not_lock_out_a_session(member, as_user):
    session = as_user(member)
    assert [sign_in(STRANGER, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    body = {"email": "new@example.com", "password": PASSWORD}
    assert session.post("/api/users/me/email/", body, REMOTE_ADDR=ELSEWHERE).status_code == 200


def test_network_is_known_to_its_account_only_and_for_90_days(member):
    factories.user("other@example.com")
    allowance = known_networks.find_allowance
    assert allowance(email=EMAIL, ip=HOME_TODAY) == "192.0.2.0"
    assert allowance(email="other@example.com", ip=HOME) == ""
    assert allowance(email=EMAIL, ip=STRANGER) == ""
    assert allowance(email=EMAIL, ip=None) == ""
    KnownNetwork.objects.update(signed_in_at=clock.now() - timedelta(days=90))
    assert allowance(email=EMAIL, ip=HOME) == ""
    assert sign_in(HOME).status_code == 200
    assert allowance(email=EMAIL, ip=HOME) == "192.0.2.0"
    assert KnownNetwork.objects.count() == 1


def test_failed_sign_in_makes_no_network_known(member):
    sign_in(STRANGER, "wrong")
    ask(STRANGER)
    verify(STRANGER, "wrong")
    assert list(KnownNetwork.objects.values_list("network", flat=True)) == ["192.0.2.0"]


def test_networks_are_forgotten_when_the_password_is_reset(member):
    """A person with the password signed in from many networks; the owner ends that from another one."""
    thieves = [f"198.51.{number}.1" for number in range(3)]
    assert {sign_in(ip).status_code for ip in thieves} == {200}
    assert APIClient().post("/api/auth/password/reset/", {"email": EMAIL}, REMOTE_ADDR=HOME).status_code == 200
    body = {"email": EMAIL, "code": current_code(), "password": "another good password"}
    assert APIClient().post("/api/auth/password/reset/confirm/", body, REMOTE_ADDR=HOME).status_code == 200
    assert list(KnownNetwork.objects.values_list("network", flat=True)) == ["192.0.2.0"]
    assert [ask(ip) for ip in thieves] == [200, 429, 429]
    assert [verify(ip, f"x{guess}") for ip in thieves for guess in range(2)] == [400] * 5 + [429]


def test_only_the_newest_networks_have_an_allowance(member, monkeypatch):
    monkeypatch.setattr(known_networks, "MAX_NETWORKS", 2)
    for ip in (ELSEWHERE, STRANGER):
        assert sign_in(ip).status_code == 200
    allowances = [known_networks.find_allowance(email=EMAIL, ip=ip) for ip in (HOME, ELSEWHERE, STRANGER)]
    assert allowances == ["", "198.51.100.0", "203.0.113.0"]


@pytest.fixture
def operator(member):
    member.is_staff = member.is_superuser = True
    member.save()
    return member


def test_failures_at_the_api_do_not_lock_the_admin(operator):
    assert [sign_in(STRANGER, "wrong").status_code for _ in range(6)] == [401] * 5 + [429]
    assert log_in(ELSEWHERE, operator)


def test_failures_at_the_admin_do_not_lock_the_api(operator):
    assert not any(log_in(STRANGER, operator, "wrong") for _ in range(6))
    assert sign_in(ELSEWHERE).status_code == 200


def test_admin_failures_of_strangers_do_not_lock_out_a_known_network(operator):
    assert not any(log_in(STRANGER, operator, "wrong") for _ in range(6))
    assert not log_in(STRANGER, operator)
    assert not log_in(ELSEWHERE, operator)
    assert log_in(HOME_TODAY, operator)


def test_admin_login_makes_its_network_known(operator):
    assert log_in(ELSEWHERE, operator)
    assert not any(log_in(STRANGER, operator, "wrong") for _ in range(6))
    assert log_in(ELSEWHERE, operator)


def test_admin_failures_of_a_known_network_are_limited_too(operator):
    assert not any(log_in(HOME, operator, "wrong") for _ in range(5))
    assert not log_in(HOME, operator)
    assert FailedAttempts.objects.get(pk=f"admin:{EMAIL} 192.0.2.0").consecutive_failures == 5
