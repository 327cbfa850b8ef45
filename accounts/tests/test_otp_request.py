"""POST /api/auth/otp/request/"""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import OneTimeCode, User
from accounts.services import otp
from accounts.signals import code_requested
from accounts.views import CODE_SENT
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/auth/otp/request/"
BAD_ADDRESS = {
    "code": "invalid",
    "detail": "The input is not valid.",
    "errors": {"email": ["Enter a valid email address."]},
}


def ask(client, email="mike@example.com", **headers):
    return client.post(URL, {"email": email}, **headers)


def refused(answer, seconds):
    body = {"code": "throttled", "detail": "Too many codes were requested. Please try again later."}
    within = range(seconds - 5, seconds + 1)
    return (answer.status_code, answer.json()) == (429, body) and int(answer.headers["Retry-After"]) in within


def test_unknown_address_gets_code_and_no_account(client, mailed_codes):
    answer = ask(client)
    assert (answer.status_code, answer.json()) == (200, {"detail": CODE_SENT})
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(mailed_codes) == 1
    assert len(mailed_codes[0]) == 6
    assert mailed_codes[0].isascii()
    assert mailed_codes[0].isdigit()
    assert not User.objects.exists()


def test_known_address_gets_same_response_with_same_queries(client, mailed_codes):
    factories.user("known@example.com")
    counts, bodies = [], []
    for number, email in enumerate(["known@example.com", "unknown@example.com"]):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            bodies.append(ask(client, email, REMOTE_ADDR=f"198.51.{number}.1").content)
        counts.append(len(queries))
    assert bodies[0] == bodies[1]
    assert counts[0] == counts[1]


def test_code_is_not_in_the_database(client, mailed_codes):
    ask(client)
    (row,) = OneTimeCode.objects.values()
    assert mailed_codes[0] not in str(row)
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 600


def test_code_depends_on_secret_key(client, mailed_codes, settings):
    ask(client)
    settings.SECRET_KEY = "another key, as long as need be, for this test"
    assert otp.derive_code(OneTimeCode.objects.get()) != mailed_codes[0]


def test_codes_use_all_digits():
    codes = [otp.derive_code(OneTimeCode(nonce=str(number), email="mike@example.com")) for number in range(2000)]
    assert {len(code) for code in codes} == {6}
    assert {code[0] for code in codes} == set("0123456789")
    assert len(set(codes)) > 1950


def test_second_code_within_a_minute_is_refused(client, mailed_codes, advance_time):
    ask(client)
    assert refused(ask(client, "MIKE@example.com"), 60)
    advance_time(61)
    assert ask(client).status_code == 200
    assert len(mailed_codes) == 2


def test_sixth_code_within_the_hour_is_refused_until_the_first_is_an_hour_old(client, mailed_codes, advance_time):
    for _ in range(5):
        assert ask(client).status_code == 200
        advance_time(100)
    assert refused(ask(client), 3600 - 500)
    assert ask(client, "rose@example.com").status_code == 200
    advance_time(3600 - 500)
    assert ask(client).status_code == 200


def test_21st_code_of_an_ip_within_the_hour_is_refused(client, mailed_codes):
    for number in range(20):
        assert ask(client, f"m{number}@example.com", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.1"), 3600)
    assert ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.2").status_code == 200


def test_ipv6_addresses_are_counted_by_64(client, mailed_codes):
    for number in range(20):
        assert ask(client, f"m{number}@example.com", REMOTE_ADDR=f"2001:db8::{number:x}").status_code == 200
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="2001:db8::ffff:ffff:ffff:ffff"), 3600)
    assert ask(client, "m20@example.com", REMOTE_ADDR="2001:db8:0:1::1").status_code == 200


def test_forged_forwarded_address_is_ignored(client, mailed_codes, settings):
    for number in range(20):
        headers = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": f"203.0.113.{number}"}
        ask(client, f"m{number}@example.com", **headers)
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="8.8.8.8"), 3600)


def test_without_ip_only_the_address_is_limited(client, mailed_codes):
    assert ask(client, REMOTE_ADDR="").status_code == 200
    assert OneTimeCode.objects.get().ip is None


def test_refused_request_keeps_the_earlier_code(client, mailed_codes):
    ask(client)
    ask(client)
    answer = client.post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": mailed_codes[0]})
    assert answer.status_code == 200


def test_failing_receiver_rolls_the_code_back(client):
    client.raise_request_exception = False

    def fail(**_):
        raise RuntimeError

    code_requested.connect(fail)
    assert ask(client).status_code == 500
    code_requested.disconnect(fail)
    assert not OneTimeCode.objects.exists()


@pytest.mark.parametrize(
    "email",
    [
        "", " ", "mike", "@", "mike@", "@example.com", "mike@example", "a b@example.com", "mike@exa mple.com",
        "mike@example.com\n.evil.com", "mike@example.com\r\nBcc: x@example.com", "mi\x01ke@example.com",
        '"mi\x01ke"@example.com', '"mi ke"@example.com', "mike@[127.0.0.1]", "m\u0131ke@example.com",
        "mike@ex\u0430mple.com", "\u202emike@example.com", "mike@example.com\u200b", "a" * 65 + "@example.com",
        "mike@" + "a" * 250 + ".com", "a" * 100_000 + "@example.com", "\ufdfa" * 60 + "@example.com",
        "mike@example.com,rose@example.com", "mike@@example.com", "İ@example.com", "mike@exämple.com",
        12345, True, None, [], ["mike@example.com"], {}, {"email": "mike@example.com"}, 1.5,
    ],
)  # fmt: skip
def test_invalid_address_is_refused(client, mailed_codes, email):
    answer = ask(client, email)
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "detail", "errors"}
    assert answer.json()["errors"].keys() == {"email"}
    assert mailed_codes == []


def test_error_has_the_standard_shape(client):
    assert ask(client, "mike").json() == BAD_ADDRESS


@pytest.mark.parametrize(
    "body",
    [b'{"email": "mi\\u0000ke@example.com"}', b'{"email": "mi\\ud800ke@example.com"}', b"[]", b"{", b"\xff", b""],
)
def test_malformed_body_is_refused(client, body):
    answer = client.post(URL, body, content_type="application/json")
    assert answer.status_code == 400
    assert {"code", "detail"} <= answer.json().keys()


def test_missing_address_is_refused(client):
    assert client.post(URL, {}).json() == {**BAD_ADDRESS, "errors": {"email": ["This field is required."]}}


@pytest.mark.parametrize(
    "email",
    ["Mike@Example.COM", " mike@example.com ", "\uff4dike@example.com", "mike\uff20example.com", "mike@example.com\n"],
)
def test_spellings_of_an_address_share_the_limit(client, mailed_codes, email):
    assert ask(client, email).status_code == 200
    assert OneTimeCode.objects.get().email == "mike@example.com"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_other_methods_are_not_allowed(client, method):
    answer = getattr(client, method)(URL)
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


def test_expired_token_is_ignored(client, mailed_codes):
    assert ask(client, HTTP_AUTHORIZATION="Bearer nonsense").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_create_one_code(mailed_codes, run_parallel):
    answers = run_parallel(10, lambda number: ask(APIClient(), REMOTE_ADDR=f"192.0.2.{number}").status_code)
    assert sorted(answers) == [200] + [429] * 9
    assert len(mailed_codes) == 1


@pytest.mark.django_db(transaction=True)
def test_parallel_requests_from_one_ip_create_20_codes(mailed_codes, run_parallel):
    answers = run_parallel(30, lambda number: ask(APIClient(), f"m{number}@example.com").status_code)
    assert sorted(answers) == [200] * 20 + [429] * 10
    assert len(mailed_codes) == 20
