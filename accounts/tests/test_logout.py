"""POST /api/auth/logout/"""

import pytest

from accounts.models import Session
from accounts.services import tokens
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/auth/logout/"
ENDED = {"code": "token_not_valid", "detail": "The token is no longer valid. Sign in again."}


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


@pytest.fixture
def pairs(user):
    return [tokens.sign_in(user=user, user_agent=f"device {number}", ip=None) for number in range(3)]


def good(client, pair):
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    answer = client.get("/api/users/me/").status_code
    client.credentials()
    return answer == 200


def test_logout_ends_only_this_session(client, pairs):
    answer = client.post(URL, {"refresh": pairs[0].refresh})
    assert (answer.status_code, answer.content) == (204, b"")
    assert [good(client, pair) for pair in pairs] == [False, True, True]
    assert client.post("/api/auth/token/refresh/", {"refresh": pairs[0].refresh}).json() == ENDED


def test_logout_again_changes_nothing(client, pairs):
    client.post(URL, {"refresh": pairs[0].refresh})
    ended_at = Session.objects.get(user_agent="device 0").ended_at
    assert client.post(URL, {"refresh": pairs[0].refresh}).status_code == 204
    assert Session.objects.get(user_agent="device 0").ended_at == ended_at


def test_logout_with_used_token_ends_the_session(client, pairs):
    new = tokens.rotate_refresh_token(refresh=pairs[0].refresh)
    assert client.post(URL, {"refresh": pairs[0].refresh}).status_code == 204
    assert not good(client, new)


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_logout_everywhere_ends_all_sessions_of_the_account(client, pairs, value):
    other = tokens.sign_in(user=factories.user("other@example.com"), user_agent="", ip=None)
    assert client.post(f"{URL}?everywhere={value}", {"refresh": pairs[0].refresh}).status_code == 204
    assert [good(client, pair) for pair in pairs] == [False] * 3
    assert good(client, other)


def test_logout_everywhere_allows_signing_in_again(client, user, pairs):
    client.post(f"{URL}?everywhere=true", {"refresh": pairs[0].refresh})
    answer = client.post("/api/auth/token/", {"email": user.email, "password": "correct horse battery"})
    assert answer.status_code == 200


def test_logout_everywhere_with_token_used_a_moment_ago_ends_all(client, pairs):
    tokens.rotate_refresh_token(refresh=pairs[0].refresh)
    assert client.post(f"{URL}?everywhere=true", {"refresh": pairs[0].refresh}).status_code == 204
    assert [good(client, pair) for pair in pairs] == [False] * 3


def test_logout_everywhere_with_used_token_is_refused(client, pairs, spend_earlier):
    tokens.rotate_refresh_token(refresh=pairs[0].refresh)
    spend_earlier()
    answer = client.post(f"{URL}?everywhere=true", {"refresh": pairs[0].refresh})
    assert (answer.status_code, answer.json()) == (401, ENDED)
    assert [good(client, pair) for pair in pairs] == [False, True, True]


def test_logout_everywhere_with_ended_session_is_refused(client, pairs):
    client.post(URL, {"refresh": pairs[0].refresh})
    assert client.post(f"{URL}?everywhere=true", {"refresh": pairs[0].refresh}).status_code == 401
    assert [good(client, pair) for pair in pairs] == [False, True, True]


def test_logout_with_access_token_is_refused(client, pairs):
    answer = client.post(URL, {"refresh": pairs[0].access})
    assert (answer.status_code, answer.json()) == (401, ENDED)
    assert good(client, pairs[0])


def test_logout_without_token_is_refused(client):
    answer = client.post(URL, {})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"refresh": ["This field is required."]})


def test_logout_everywhere_not_true_or_false_is_400(client, pairs):
    answer = client.post(f"{URL}?everywhere=maybe", {"refresh": pairs[0].refresh})
    assert (answer.status_code, answer.json()["errors"]) == (400, {"everywhere": ["Use true or false."]})
    assert good(client, pairs[0])
