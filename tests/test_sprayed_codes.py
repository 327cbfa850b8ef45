"""Codes guessed over many addresses and from many networks: POST /api/auth/otp/verify/."""

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from accounts.models import KnownNetwork, OneTimeCode, WrongCode
from accounts.services import code_alarm, lockout, otp
from auctioncraft.core import clock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
REQUEST, VERIFY = "/api/auth/otp/request/", "/api/auth/otp/verify/"


@pytest.fixture(autouse=True)
def _no_throttles(settings, monkeypatch):
    settings.LIMITS = dict.fromkeys(settings.LIMITS, 0)
    monkeypatch.setattr(code_alarm, "_logged_at", None)


def guess(client, email, ip, number=0):
    return client.post(VERIFY, {"email": email, "code": f"x{number}"}, REMOTE_ADDR=ip).status_code


def spray(client, addresses, network):
    """Guess five times at each address from its own IP address in the network; return how many were compared."""
    statuses = [
        guess(client, f"user{number}@example.com", network.format(number), guessed)
        for number in range(addresses)
        for guessed in range(5)
    ]
    assert set(statuses) <= {400, 429}
    return statuses.count(400)


@pytest.mark.parametrize("network", ["2001:db8:1:{:x}::1", "192.0.2.{}"])
def test_guesses_over_150_addresses_from_one_network_compare_thirty(client, network):
    assert spray(client, 150, network) == lockout.NETWORK_LIMIT == WrongCode.objects.count()


def test_guesses_without_the_limit_of_networks_compare_all(client, monkeypatch):
    monkeypatch.setattr(lockout, "NETWORK_LIMIT", 10**6)
    assert spray(client, 20, "192.0.2.{}") == 100


def test_guesses_from_a_network_do_not_lock_out_others(client):
    spray(client, 10, "192.0.2.{}")
    assert guess(client, "rose@example.com", "192.0.2.200") == 429
    assert guess(client, "rose@example.com", "198.51.100.1") == 400


def test_guesses_from_a_network_do_not_lock_out_members_who_signed_in_there(client):
    user = factories.user("rose@example.com")
    KnownNetwork.objects.create(user=user, network="192.0.2.0", signed_in_at=clock.now())
    spray(client, 10, "192.0.2.{}")
    assert client.post(REQUEST, {"email": user.email}, REMOTE_ADDR="192.0.2.200").status_code == 200
    code = otp.derive_code(OneTimeCode.objects.get())
    answer = client.post(VERIFY, {"email": user.email, "code": code}, REMOTE_ADDR="192.0.2.200")
    assert answer.status_code == 200


def test_code_requests_of_a_wide_network_are_limited(client, monkeypatch):
    monkeypatch.setattr(otp, "WIDE_NETWORK_LIMIT", (7, otp.WIDE_NETWORK_LIMIT[1]))
    statuses = [
        client.post(REQUEST, {"email": f"u{number}@example.com"}, REMOTE_ADDR=f"2001:db8:1:{number:x}::1").status_code
        for number in range(9)
    ]
    assert statuses == [200] * 7 + [429] * 2
    assert client.post(REQUEST, {"email": "u9@example.com"}, REMOTE_ADDR="2001:db8:2::1").status_code == 200


def test_many_wrong_codes_on_the_site_lengthen_new_codes_and_alarm(client, settings, caplog):
    settings.WRONG_CODES_ALARM = 20
    settings.METRICS_TOKEN = "t" * 40

    def new_code(number):
        assert client.post(REQUEST, {"email": f"new{number}@example.com"}).status_code == 200
        return otp.derive_code(OneTimeCode.objects.get(email=f"new{number}@example.com"))

    # From networks all over the world, so that no other limit applies.
    for number in range(20):
        assert guess(client, f"user{number}@example.com", f"198.{number}.0.1") == 400
    assert len(new_code(0)) == 6
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert guess(client, "user21@example.com", "198.21.0.1") == 400
    long = new_code(1)
    new_code(2)
    assert (len(long), long.isdigit()) == (8, True)
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "codes are being guessed: more than 20 wrong ones in an hour"
    assert client.post(VERIFY, {"email": "new1@example.com", "code": long[:6]}).status_code == 400
    assert client.post(VERIFY, {"email": "new1@example.com", "code": long}).status_code == 200

    page = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()
    families = [family for family in text_string_to_metric_families(page) if family.samples]
    values = {family.name: family.samples[0].value for family in families}
    assert values["wrong_codes_last_hour"] == 22
    assert values["refresh_tokens_reused_last_hour"] == 0

    WrongCode.objects.update(at=clock.now() - code_alarm.WINDOW)
    assert len(new_code(3)) == 6


def test_code_of_eight_digits_stays_as_it_was_mailed(client, settings):
    settings.WRONG_CODES_ALARM = 0
    assert guess(client, "user@example.com", "192.0.2.1") == 400
    code = otp.request_code(email="rose@example.com", ip=None)
    long = otp.derive_code(code)
    settings.WRONG_CODES_ALARM = 300
    assert otp.derive_code(OneTimeCode.objects.get(pk=code.pk)) == long
    assert client.post(VERIFY, {"email": "rose@example.com", "code": long}).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_guesses_at_many_addresses_at_once_compare_thirty():
    from rest_framework.test import APIClient

    from tests.servers import run_concurrently

    def one(number):
        return lambda: [guess(APIClient(), f"user{number}-{k}@example.com", f"192.0.2.{number}") for k in range(10)]

    statuses = [status for many in run_concurrently([one(number) for number in range(10)]) for status in many]
    assert statuses.count(400) == lockout.NETWORK_LIMIT
    assert set(statuses) == {400, 429}
