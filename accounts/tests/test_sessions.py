"""GET /api/auth/sessions/ and DELETE /api/auth/sessions/{id}/"""

from datetime import timedelta

import pytest
from django.db.models import F
from uuid_utils.compat import uuid7

from accounts.devices import describe_device
from accounts.models import Session
from accounts.services import tokens
from auctioncraft.core import clock
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/auth/sessions/"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


@pytest.fixture
def me(user, as_user):
    return as_user(user)


def sign_in(user, user_agent=FIREFOX, ip="192.0.2.7"):
    pair = tokens.sign_in(user=user, user_agent=user_agent, ip=ip)
    return pair, Session.objects.get(pk=tokens.read_access_token(pair.access).session_id)


def shown(sign_in, **more):
    times = {name: clock.isoformat_utc(getattr(sign_in, name)) for name in ("created_at", "last_used_at", "expires_at")}
    return {"id": str(sign_in.pk), "user_agent": sign_in.user_agent, "ip": sign_in.ip, **times, **more}


def test_list_shows_own_active_sessions_last_used_first(user, me):
    mine = Session.objects.get()
    _, other = sign_in(user)
    _, ended = sign_in(user)
    _, expired = sign_in(user)
    sign_in(factories.user("rose@example.com"))
    Session.objects.filter(pk=ended.pk).update(ended_at=F("last_used_at"))
    Session.objects.filter(pk=expired.pk).update(expires_at=F("last_used_at") + timedelta(microseconds=1))
    answer = me.get(URL)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "count": 2,
            "next": None,
            "previous": None,
            "results": [
                shown(other, device="Firefox on Windows", current=False),
                shown(mine, device="tests", current=True),
            ],
        },
    )
    assert answer.headers["Cache-Control"] == "no-store"


def test_list_after_refresh_changes_only_last_use(user, me):
    pair, other = sign_in(user)
    sign_in(user, "curl/8.0")
    tokens.rotate_refresh_token(refresh=pair.refresh)
    first = me.get(URL).json()["results"][0]
    assert first["id"] == str(other.pk)
    assert first["last_used_at"] > first["created_at"]


def test_list_shows_no_secret(user, me):
    _, other = sign_in(user)
    assert other.token_hash not in me.get(URL).content.decode()


def test_list_query_count_is_constant(user, me, django_assert_num_queries):
    for _ in range(15):
        sign_in(user)
    # Who is calling, the rows, the count; on PostgreSQL the clock.
    with django_assert_num_queries(3 + (clock.connection.vendor == "postgresql")):
        assert me.get(URL).json()["count"] == 16


def test_end_session_ends_only_its_tokens(user, me):
    pair, other = sign_in(user)
    assert me.delete(f"{URL}{other.pk}/").status_code == 204
    assert me.get("/api/users/me/").status_code == 200
    me.credentials(HTTP_AUTHORIZATION=f"Bearer {pair.access}")
    assert me.get("/api/users/me/").status_code == 401
    assert me.post("/api/auth/token/refresh/", {"refresh": pair.refresh}).status_code == 401
    other.refresh_from_db()
    assert other.ended_at is not None


def test_end_current_session(me):
    assert me.delete(f"{URL}{Session.objects.get().pk}/").status_code == 204
    assert me.get(URL).status_code == 401


def test_end_other_ended_or_unknown_session_is_not_found(user, me):
    _, rose = sign_in(factories.user("rose@example.com"))
    _, ended = sign_in(user)
    me.delete(f"{URL}{ended.pk}/")
    before = Session.objects.get(pk=ended.pk).ended_at
    for pk in (rose.pk, ended.pk, uuid7(), "abc", "1", f"{rose.pk}0"):
        answer = me.delete(f"{URL}{pk}/")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    rose.refresh_from_db()
    assert rose.ended_at is None
    assert Session.objects.get(pk=ended.pk).ended_at == before


@pytest.mark.parametrize(("method", "path"), [("get", URL), ("delete", URL + "018f0000-0000-7000-8000-000000000000/")])
def test_sessions_require_a_token(client, method, path):
    assert getattr(client, method)(path).status_code == 401


@pytest.mark.parametrize("method", ["post", "put", "patch"])
def test_sessions_other_methods_are_not_allowed(me, method):
    assert getattr(me, method)(URL).status_code == 405


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        (FIREFOX, "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36", "Chrome on Linux"),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/130.0 Safari/537.36 Edg/130.0", "Edge on Windows"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        ("Mozilla/5.0 (Linux; Android 15) SamsungBrowser/27.0 Chrome/125.0 Mobile", "Samsung Internet on Android"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", "Safari on Mac"),
        ("AuctionApp/3.1 (iPhone)", "An app on iPhone"),
        ("curl/8.5.0", "curl"),
        ("", "Unknown device"),
        ("Sign in at evil.example/now", "Unknown device"),
        ("evil.example/now", "Unknown device"),
        ("a" * 31 + "/1", "Unknown device"),
    ],
)
def test_device_description_never_quotes_the_user_agent(user_agent, words):
    assert describe_device(user_agent) == words
