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
def told(alone):
    heard = []

    def receive(user, sign_in, **_):
        heard.append((user.email, sign_in.user_agent, sign_in.ip))

    new_device_signed_in.connect(receive)
    yield heard
    new_device_signed_in.disconnect(receive)


def sign_in(user, user_agent="A browser", ip="192.0.2.7"):
    tokens.sign_in(user=user, user_agent=user_agent, ip=ip)


def test_the_very_first_sign_in_is_not_told(user, told):
    sign_in(factories.user("rose@example.com"), "Another browser")
    sign_in(user)
    assert told == []


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
def test_a_device_is_its_software_and_its_neighbourhood(user, told, user_agent, ip, is_new):
    sign_in(user)
    sign_in(user, user_agent, ip)
    assert told == ([(user.email, user_agent, ip)] if is_new else [])


def test_ipv6_counts_by_its_64(user, told):
    sign_in(user, ip="2001:db8::7")
    sign_in(user, ip="2001:db8::ffff:1:2:3")
    assert told == []
    sign_in(user, ip="2001:db8:0:1::7")
    assert len(told) == 1


def test_a_device_is_told_of_once_and_known_after_its_sign_in_has_ended(user, told):
    for _ in range(2):
        sign_in(user)
        sign_in(user, "Another browser")
        tokens.end_all_sessions(user=user)
    assert len(told) == 1


def test_without_a_network_the_software_alone_tells(user, told):
    sign_in(user, ip=None)
    sign_in(user, ip=None)
    assert told == []


def test_what_is_rolled_back_leaves_no_sign_in(user, told):
    def fail(**_):
        raise RuntimeError

    sign_in(user)
    new_device_signed_in.connect(fail)
    with pytest.raises(RuntimeError), transaction.atomic():
        sign_in(user, "Another browser")
    new_device_signed_in.disconnect(fail)
    assert Session.objects.count() == 1


def test_password_and_code_both_tell(user, told, client, mailed):
    sign_in(user)
    body = {"username": user.email, "password": "correct horse battery"}
    assert client.post("/api/auth/token/", body, HTTP_USER_AGENT="By password").status_code == 200
    client.post("/api/auth/otp/request/", {"email": user.email})
    body = {"email": user.email, "code": mailed[0]}
    assert client.post("/api/auth/otp/verify/", body, HTTP_USER_AGENT="By code").status_code == 200
    assert [name for _, name, _ in told] == ["By password", "By code"]
