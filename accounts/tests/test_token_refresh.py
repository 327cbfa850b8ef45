"""POST /api/auth/token/refresh/, and what an access token must be."""

import base64
import json
from datetime import timedelta

import jwt
import pytest
import time_machine
from django.conf import settings as live
from django.contrib.auth.hashers import make_password
from django.db.models import F
from django.utils import timezone
from rest_framework.test import APIClient
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from accounts.models import Session, User
from accounts.services import profile, tokens
from accounts.signals import refresh_token_reused
from auctioncraft.core.errors import NotAuthenticated
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/auth/token/refresh/"
ENDED = {"code": "token_not_valid", "detail": "The token is no longer valid. Sign in again."}


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


@pytest.fixture
def pair(user):
    return tokens.sign_in(user=user, user_agent="tests", ip="192.0.2.1")


@pytest.fixture
def reused(no_receivers):
    users = []

    def receive(user, **_):
        users.append(user)

    refresh_token_reused.connect(receive)
    yield users
    refresh_token_reused.disconnect(receive)


def refresh(token):
    return APIClient().post(URL, {"refresh": token})


def me(access):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client.get("/api/users/me/")


def is_refused(answer):
    return (answer.status_code, answer.json(), answer.headers["WWW-Authenticate"]) == (401, ENDED, "Bearer")


def claims(user, **changes):
    sign_in = Session.objects.get()
    now = timezone.now()
    return {
        "token_type": "access",
        "exp": now + timedelta(minutes=5),
        "iat": now,
        "jti": "1",
        "sub": str(user.pk),
        "sid": str(sign_in.pk),
        "ver": user.token_version,
        **changes,
    }


def signed(payload, key=None, algorithm="HS256"):
    return jwt.encode(payload, live.JWT_SIGNING_KEY if key is None else key, algorithm=algorithm)


def test_refresh_gives_new_tokens_and_moves_the_expiry(pair):
    Session.objects.update(expires_at=F("expires_at") - timedelta(days=3))
    before = Session.objects.get()
    answer = refresh(pair.refresh)
    body = answer.json()
    assert (answer.status_code, body) == (200, {"access": body["access"], "refresh": body["refresh"]})
    assert answer.headers["Cache-Control"] == "no-store"
    assert body["refresh"] != pair.refresh
    after = Session.objects.get()
    assert after.pk == before.pk
    assert after.last_used_at > before.last_used_at
    assert after.expires_at - before.expires_at > timedelta(days=2, hours=23)
    assert me(body["access"]).status_code == 200
    assert me(pair.access).status_code == 200
    assert refresh(body["refresh"]).status_code == 200


@pytest.mark.parametrize(("age", "left"), [(75, 14), (76, 14), (80, 10), (89, 1)])
def test_session_lasts_90_days_at_most(pair, age, left):
    # Its age in days but a minute; it was refreshed all the while.
    began = timezone.now() - timedelta(days=age) + timedelta(minutes=1)
    Session.objects.update(created_at=began)
    assert refresh(pair.refresh).status_code == 200
    row = Session.objects.get()
    assert timedelta(0) <= row.expires_at - row.last_used_at - timedelta(days=left) < timedelta(minutes=2)
    assert row.expires_at <= row.created_at + timedelta(days=90)


def test_refresh_after_90_days_is_refused(pair):
    Session.objects.update(created_at=timezone.now() - timedelta(days=89, hours=23, minutes=59, seconds=59))
    body = refresh(pair.refresh).json()
    ended = F("created_at") - timedelta(seconds=2)
    Session.objects.update(
        created_at=ended,
        expires_at=F("expires_at") - timedelta(seconds=2),
        last_used_at=F("last_used_at") - timedelta(seconds=2),
    )
    assert is_refused(refresh(body["refresh"]))


def test_claims_and_lifetimes(user, pair):
    access = jwt.decode(pair.access, options={"verify_signature": False})
    again = jwt.decode(pair.refresh, options={"verify_signature": False})
    assert access.keys() == again.keys() == {"token_type", "exp", "iat", "jti", "sub", "sid", "ver"}
    assert (access["sub"], access["sid"], access["ver"]) == (
        str(user.pk),
        str(Session.objects.get().pk),
        user.token_version,
    )
    assert access["exp"] - access["iat"] == 15 * 60
    assert again["exp"] - again["iat"] == 14 * 24 * 3600
    assert user.email not in str(access)


def test_no_token_is_stored(pair):
    refresh(pair.refresh)
    assert pair.refresh not in str(Session.objects.values())


def test_used_token_within_ten_seconds_gets_the_same_successor(user, pair, reused):
    bodies = [refresh(pair.refresh).json() for _ in range(3)]
    assert len({body["refresh"] for body in bodies}) == 1
    assert [me(body["access"]).status_code for body in bodies] == [200] * 3
    row = Session.objects.get()
    assert (row.spent[0][0], row.token_hash) == (tokens._hash(pair.refresh), tokens._hash(bodies[0]["refresh"]))
    # And so do those before it, while their ten seconds last.
    newest = refresh(bodies[0]["refresh"]).json()
    assert refresh(pair.refresh).json()["refresh"] == bodies[0]["refresh"]
    assert refresh(bodies[0]["refresh"]).json()["refresh"] == newest["refresh"]
    assert refresh(newest["refresh"]).status_code == 200
    assert reused == []


def test_used_token_after_the_session_ended_is_refused(user, pair, reused):
    refresh(pair.refresh)
    tokens.end_all_sessions(user=user)
    assert is_refused(refresh(pair.refresh))
    assert reused == []


def test_used_token_is_derived_with_our_keys(user, pair, settings):
    body = refresh(pair.refresh).json()
    settings.SECRET_KEY = "another key, as long as need be, for this test"
    assert refresh(pair.refresh).json()["refresh"] != body["refresh"]


def test_reused_token_ends_the_session_and_is_reported_once(user, pair, reused, spend_earlier):
    body = refresh(pair.refresh).json()
    spend_earlier()
    assert is_refused(refresh(pair.refresh))
    assert is_refused(refresh(pair.refresh))
    assert is_refused(refresh(body["refresh"]))
    assert is_refused(me(body["access"]))
    assert is_refused(me(pair.access))
    assert reused == [user]


def test_reused_token_keeps_other_sessions(user, pair, reused, spend_earlier):
    other = tokens.sign_in(user=user, user_agent="another device", ip=None)
    refresh(pair.refresh)
    spend_earlier()
    refresh(pair.refresh)
    assert refresh(other.refresh).status_code == 200


@pytest.mark.parametrize("case", ["disabled", "password", "logged out", "everywhere", "expired row", "deleted"])
def test_ended_session_is_refused_everywhere(user, pair, reused, case):
    if case == "disabled":
        factories.disable_account(user)
    elif case == "password":
        profile.update_profile(user=user, password_hash=make_password("a new long password"))
    elif case == "logged out":
        tokens.sign_out(refresh=pair.refresh)
    elif case == "everywhere":
        tokens.end_all_sessions(user=user)
    elif case == "expired row":
        Session.objects.update(expires_at=F("last_used_at") + timedelta(microseconds=1))
    else:
        user.delete()
    assert is_refused(refresh(pair.refresh))
    if case != "expired row":
        assert is_refused(me(pair.access))
    assert reused == []


def test_account_enabled_again_does_not_restore_tokens(user, pair):
    factories.disable_account(user)
    User.objects.update(is_active=True)
    assert is_refused(refresh(pair.refresh))
    assert is_refused(me(pair.access))


def test_token_expires_with_the_clock_leeway(pair):
    with time_machine.travel(timezone.now() + timedelta(minutes=15, seconds=10)):
        assert is_refused(me(pair.access))
    with time_machine.travel(timezone.now() + timedelta(days=14, seconds=10)):
        assert is_refused(refresh(pair.refresh))


def test_access_and_refresh_tokens_are_not_interchangeable(pair):
    assert is_refused(me(pair.refresh))
    assert is_refused(refresh(pair.access))


@pytest.mark.parametrize(
    "forge",
    [
        lambda good: signed(good, key="another key of more than thirty-two bytes"),
        lambda good: signed(good, key="", algorithm="none"),
        lambda good: signed(good, algorithm="HS512", key=live.JWT_SIGNING_KEY * 2),
        lambda good: signed({**good, "exp": timezone.now() - timedelta(seconds=10)}),
        lambda good: signed({key: value for key, value in good.items() if key != "exp"}),
        lambda good: signed({key: value for key, value in good.items() if key != "sid"}),
        lambda good: signed({key: value for key, value in good.items() if key != "ver"}),
        lambda good: signed({**good, "sub": "abc"}),
        lambda good: signed({**good, "sid": "abc"}),
        lambda good: signed({**good, "sid": 5}),
        lambda good: signed({**good, "ver": None}),
        lambda good: signed({**good, "ver": good["ver"] + 1}),
        lambda good: signed({**good, "token_type": "refresh"}),
        lambda good: signed(good)[:-2],
        lambda good: signed(good).rsplit(".", 1)[0] + ".",
        lambda good: good["sub"],
        lambda good: "é.é.é",
        lambda good: "a b",
        lambda good: "",
        lambda good: base64.urlsafe_b64encode(b"[" * 1500).decode() + ".e30.e30",
        lambda good: base64.urlsafe_b64encode(json.dumps({"alg": ["HS256"]}).encode()).decode() + ".e30.e30",
    ],
)
def test_forged_tokens_are_refused(user, pair, forge):
    good = claims(user)
    assert me(signed(good)).status_code == 200
    forged = forge(good)
    assert is_refused(me(forged))
    if forged:
        assert is_refused(refresh(forged))


def test_token_with_other_subject_is_refused(user, pair):
    other = factories.user("other@example.com")
    other.token_version = user.token_version
    other.save()
    assert is_refused(me(signed(claims(user, sub=str(other.pk)))))


def test_read_access_token_uses_no_query(user, pair, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert tokens.read_access_token(pair.access).user_id == user.pk
        with pytest.raises(NotAuthenticated):
            tokens.read_access_token(pair.refresh)


def test_token_classes_use_the_configured_lifetimes():
    assert (AccessToken.lifetime, RefreshToken.lifetime) == (timedelta(minutes=15), timedelta(days=14))


@pytest.mark.parametrize("token", [None, True, [], {}, "", "x" * 2049])
def test_malformed_body_is_refused(token):
    answer = APIClient().post(URL, {"refresh": token})
    assert answer.status_code == 400
    assert answer.json()["errors"].keys() == {"refresh"}


def test_missing_token_is_refused():
    assert APIClient().post(URL, {}).json() == {
        "code": "invalid",
        "detail": "The input is not valid.",
        "errors": {"refresh": ["This field is required."]},
    }


@pytest.mark.django_db(transaction=True)
def test_parallel_refreshes_give_one_successor(pair, reused, run_parallel):
    answers = run_parallel(10, lambda _: refresh(pair.refresh))
    assert [answer.status_code for answer in answers] == [200] * 10
    (successor,) = {answer.json()["refresh"] for answer in answers}
    assert refresh(successor).status_code == 200
    assert reused == []


@pytest.mark.django_db(transaction=True)
def test_parallel_reuses_end_the_session_once(pair, reused, run_parallel, spend_earlier):
    successor = refresh(pair.refresh).json()["refresh"]
    spend_earlier()
    assert all(is_refused(answer) for answer in run_parallel(10, lambda _: refresh(pair.refresh)))
    assert is_refused(refresh(successor))
    assert len(reused) == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_refreshes_without_condition_give_more(pair, reused, run_parallel, monkeypatch):
    """The race is real: look first and write then, and more than one gets a successor."""
    import threading

    looked = threading.Barrier(10, timeout=20)

    def look_then_write(*, refresh):
        held = tokens._read(RefreshToken, refresh)
        good = Session.objects.filter(pk=held.session_id, token_hash=tokens._hash(refresh)).exists()
        looked.wait()
        if not good:
            raise NotAuthenticated
        new = tokens._issue(held)
        Session.objects.filter(pk=held.session_id).update(token_hash=tokens._hash(new.refresh))
        return new

    monkeypatch.setattr(tokens, "rotate_refresh_token", look_then_write)
    answers = run_parallel(10, lambda _: refresh(pair.refresh).json().get("refresh"))
    assert len(set(answers)) > 1
