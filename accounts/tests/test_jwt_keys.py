"""Two keys at once, while they are rotated; and no algorithm but one."""

import jwt
import pytest
from django.conf import settings as live
from rest_framework.test import APIClient

from accounts.services import jwt_keys, tokens
from auctioncraft.core.errors import NotAuthenticated
from tests import factories

pytestmark = pytest.mark.django_db
NEXT = "the next key, of more than thirty-two characters"


@pytest.fixture
def user(db):
    return factories.user("mike@example.com")


def sign_in(user):
    return tokens.sign_in(user=user, user_agent="tests", ip=None)


def rotate_keys(settings, *old):
    settings.JWT_SIGNING_KEYS_OLD = [*old]
    settings.JWT_SIGNING_KEY = NEXT


def me(access):
    return APIClient().get("/api/users/me/", HTTP_AUTHORIZATION=f"Bearer {access}").status_code


def test_token_header_names_key_and_algorithm_only(user):
    header = jwt.get_unverified_header(sign_in(user).access)
    assert header == {"alg": "HS256", "typ": "JWT", "kid": jwt_keys.fingerprint(live.JWT_SIGNING_KEY)}
    assert len(header["kid"]) == 16
    assert jwt_keys.fingerprint(NEXT) != header["kid"]


def test_token_of_listed_old_key_works_and_is_renewed_with_the_new_key(user, settings):
    before = sign_in(user)
    rotate_keys(settings, live.JWT_SIGNING_KEY)
    assert me(before.access) == 200
    after = tokens.rotate_refresh_token(refresh=before.refresh)
    for token in (after.access, after.refresh):
        assert jwt.get_unverified_header(token)["kid"] == jwt_keys.fingerprint(NEXT)
        jwt.decode(token, NEXT, algorithms=["HS256"])
    assert me(after.access) == 200
    settings.JWT_SIGNING_KEYS_OLD = []
    assert me(before.access) == 401
    assert me(after.access) == 200


def test_token_of_removed_key_is_refused(user, settings):
    before = sign_in(user)
    rotate_keys(settings)
    assert me(before.access) == 401
    with pytest.raises(NotAuthenticated):
        tokens.rotate_refresh_token(refresh=before.refresh)


def test_token_of_next_key_works_where_it_is_listed_as_old(user, settings):
    now = live.JWT_SIGNING_KEY
    rotate_keys(settings, now)
    ahead = sign_in(user)
    settings.JWT_SIGNING_KEY, settings.JWT_SIGNING_KEYS_OLD = now, [NEXT]
    assert me(ahead.access) == 200


@pytest.mark.parametrize(
    "headers",
    [{"kid": "0" * 16}, {"kid": ""}, {"kid": 5}, {"kid": None}, {"kid": ["a"]}, {}],
    ids=["unknown", "empty", "a number", "null", "a list", "none"],
)
def test_token_is_verified_with_the_named_or_current_key(user, settings, headers):
    old = live.JWT_SIGNING_KEY
    claims = jwt.decode(sign_in(user).access, old, algorithms=["HS256"])
    rotate_keys(settings, old)
    forged = _token(claims, headers, old)
    assert me(forged) == 401
    present = _token(claims, headers, NEXT)
    assert me(present) == (200 if headers == {} else 401)


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
def test_token_with_other_algorithm_is_refused(user, settings, algorithm):
    old = live.JWT_SIGNING_KEY
    claims = jwt.decode(sign_in(user).access, old, algorithms=["HS256"])
    rotate_keys(settings, old * 2)
    for key in (old * 2, NEXT * 2):
        settings.JWT_SIGNING_KEY = key
        headers = {"kid": jwt_keys.fingerprint(key)}
        assert me(jwt.encode(claims, key, algorithm=algorithm, headers=headers)) == 401
        assert me(jwt.encode(claims, key, algorithm="HS256", headers=headers)) == 200


def _token(claims, headers, key):
    """Sign by hand: PyJWT would not write such a header."""
    import base64
    import hashlib
    import hmac
    import json

    def part(data):
        return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")

    body = part({"alg": "HS256", "typ": "JWT", **headers}) + b"." + part(claims)
    signature = base64.urlsafe_b64encode(hmac.new(key.encode(), body, hashlib.sha256).digest()).rstrip(b"=")
    return (body + b"." + signature).decode()
