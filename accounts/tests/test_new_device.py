"""new_device_signed_in: a device that the account has not seen."""

import pytest
from django.db import transaction

from accounts.models import Session
from accounts.services import tokens
from accounts.signals import new_device_signed_in
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


@pytest.fixture
def signals(no_receivers):
    received = []

    def receive(user, session, **_):
        received.append((user.email, session.user_agent, session.ip))

    new_device_signed_in.connect(receive)
    yield received
    new_device_signed_in.disconnect(receive)


def sign_in(user, user_agent="A browser", ip="192.0.2.7"):
    tokens.sign_in(user=user, user_agent=user_agent, ip=ip)


def test_first_session_sends_no_signal(user, signals):
    sign_in(factories.user("rose@example.com"), "Another browser")
    sign_in(user)
    assert signals == []


@pytest.mark.parametrize(
    ("user_agent", "ip", "is_new"),
    [
        ("A browser", "192.0.2.7", False),
        ("A browser", "192.0.2.250", False),
        ("A browser", "192.0.3.7", True),
        ("Another browser", "192.0.2.7", True),
        ("A browser", "2001:db8::7", True),
        ("A browser", None, True),
    ],
)
def test_device_is_identified_by_user_agent_and_network(user, signals, user_agent, ip, is_new):
    sign_in(user)
    sign_in(user, user_agent, ip)
    assert signals == ([(user.email, user_agent, ip)] if is_new else [])


def test_ipv6_network_is_the_64(user, signals):
    sign_in(user, ip="2001:db8::7")
    sign_in(user, ip="2001:db8::ffff:1:2:3")
    assert signals == []
    sign_in(user, ip="2001:db8:0:1::7")
    assert len(signals) == 1


def test_device_is_reported_once_and_known_after_its_session_ended(user, signals):
    for _ in range(2):
        sign_in(user)
        sign_in(user, "Another browser")
        tokens.end_all_sessions(user=user)
    assert len(signals) == 1


def test_device_without_network_is_identified_by_user_agent(user, signals):
    sign_in(user, ip=None)
    sign_in(user, ip=None)
    assert signals == []


def test_session_is_rolled_back_with_its_signal(user, signals):
    def fail(**_):
        raise RuntimeError

    sign_in(user)
    new_device_signed_in.connect(fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        sign_in(user, "Another browser")
    new_device_signed_in.disconnect(fail)
    assert Session.objects.count() == 1


def test_password_and_code_both_report_a_new_device(user, signals, client, mailed_codes):
    sign_in(user)
    body = {"username": user.email, "password": "correct horse battery"}
    assert client.post("/api/auth/token/", body, HTTP_USER_AGENT="By password").status_code == 200
    client.post("/api/auth/otp/request/", {"email": user.email})
    body = {"email": user.email, "code": mailed_codes[0]}
    assert client.post("/api/auth/otp/verify/", body, HTTP_USER_AGENT="By code").status_code == 200
    assert [name for _, name, _ in signals] == ["By password", "By code"]
