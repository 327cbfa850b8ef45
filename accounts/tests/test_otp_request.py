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
    body = {"code": "throttled", "detail": "Too many codes were asked for. Try again later."}
    within = range(seconds - 5, seconds + 1)
    return (answer.status_code, answer.json()) == (429, body) and int(answer.headers["Retry-After"]) in within


def test_unknown_address_gets_a_code_and_no_account(client, mailed):
    answer = ask(client)
    assert (answer.status_code, answer.json()) == (200, {"detail": CODE_SENT})
    assert answer.headers["Cache-Control"] == "no-store"
    assert len(mailed) == 1
    assert len(mailed[0]) == 6
    assert mailed[0].isascii()
    assert mailed[0].isdigit()
    assert not User.objects.exists()


def test_known_address_gets_the_same_answer_by_the_same_queries(client, mailed):
    factories.user("known@example.com")
    counts, bodies = [], []
    for number, email in enumerate(["known@example.com", "unknown@example.com"]):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            bodies.append(ask(client, email, REMOTE_ADDR=f"198.51.100.{number}").content)
        counts.append(len(queries))
    assert bodies[0] == bodies[1]
    assert counts[0] == counts[1]


def test_the_code_is_nowhere_in_the_database(client, mailed):
    ask(client)
    (row,) = OneTimeCode.objects.values()
    assert mailed[0] not in str(row)
    assert (row["expires_at"] - row["created_at"]).total_seconds() == 600


def test_code_depends_on_the_key(client, mailed, settings):
    ask(client)
    settings.SECRET_KEY = "another key, as long as need be, for this test"
    assert otp.derive_code(OneTimeCode.objects.get()) != mailed[0]


def test_codes_are_spread_over_all_digits():
    codes = [otp.derive_code(OneTimeCode(nonce=str(number), email="mike@example.com")) for number in range(2000)]
    assert {len(code) for code in codes} == {6}
    assert {code[0] for code in codes} == set("0123456789")
    assert len(set(codes)) > 1950


def test_second_code_within_a_minute_is_refused(client, mailed, wait):
    ask(client)
    assert refused(ask(client, "MIKE@example.com"), 60)
    wait(61)
    assert ask(client).status_code == 200
    assert len(mailed) == 2


def test_sixth_code_within_the_hour_is_refused_until_the_first_is_an_hour_old(client, mailed, wait):
    for _ in range(5):
        assert ask(client).status_code == 200
        wait(100)
    assert refused(ask(client), 3600 - 500)
    assert ask(client, "rose@example.com").status_code == 200
    wait(3600 - 500)
    assert ask(client).status_code == 200


def test_twenty_first_code_of_an_ip_within_the_hour_is_refused(client, mailed):
    for number in range(20):
        assert ask(client, f"m{number}@example.com", REMOTE_ADDR="192.0.2.1").status_code == 200
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.1"), 3600)
    assert ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.2").status_code == 200


def test_ipv6_counts_by_its_64(client, mailed):
    for number in range(20):
        assert ask(client, f"m{number}@example.com", REMOTE_ADDR=f"2001:db8::{number:x}").status_code == 200
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="2001:db8::ffff:ffff:ffff:ffff"), 3600)
    assert ask(client, "m20@example.com", REMOTE_ADDR="2001:db8:0:1::1").status_code == 200


def test_made_up_forwarded_address_is_not_believed(client, mailed, settings):
    for number in range(20):
        headers = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": f"203.0.113.{number}"}
        ask(client, f"m{number}@example.com", **headers)
    assert refused(ask(client, "m20@example.com", REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR="8.8.8.8"), 3600)


def test_without_any_ip_only_the_address_counts(client, mailed):
    assert ask(client, REMOTE_ADDR="").status_code == 200
    assert OneTimeCode.objects.get().ip is None


def test_refused_request_leaves_the_earlier_code_good(client, mailed):
    ask(client)
    ask(client)
    answer = client.post("/api/auth/otp/verify/", {"email": "mike@example.com", "code": mailed[0]})
    assert answer.status_code == 200


def test_a_failing_mail_row_takes_the_code_with_it(client):
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
def test_what_is_no_address_is_refused(client, mailed, email):
    answer = ask(client, email)
    assert answer.status_code == 400
    assert answer.json().keys() == {"code", "detail", "errors"}
    assert answer.json()["errors"].keys() == {"email"}
    assert mailed == []


def test_refusal_has_the_one_shape(client):
    assert ask(client, "mike").json() == BAD_ADDRESS


@pytest.mark.parametrize(
    "body",
    [b'{"email": "mi\\u0000ke@example.com"}', b'{"email": "mi\\ud800ke@example.com"}', b"[]", b"{", b"\xff", b""],
)
def test_body_that_is_no_json_object_of_text_is_refused(client, body):
    answer = client.post(URL, body, content_type="application/json")
    assert answer.status_code == 400
    assert {"code", "detail"} <= answer.json().keys()


def test_missing_address(client):
    assert client.post(URL, {}).json() == {**BAD_ADDRESS, "errors": {"email": ["This field is required."]}}


@pytest.mark.parametrize(
    "email",
    ["Mike@Example.COM", " mike@example.com ", "\uff4dike@example.com", "mike\uff20example.com", "mike@example.com\n"],
)
def test_spellings_of_one_address_are_one(client, mailed, email):
    assert ask(client, email).status_code == 200
    assert OneTimeCode.objects.get().email == "mike@example.com"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_only_post(client, method):
    answer = getattr(client, method)(URL)
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"


def test_a_stale_token_does_not_get_in_the_way(client, mailed):
    assert ask(client, HTTP_AUTHORIZATION="Bearer nonsense").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_ten_requests_at_once_make_one_code(mailed, together):
    answers = together(10, lambda number: ask(APIClient(), REMOTE_ADDR=f"192.0.2.{number}").status_code)
    assert sorted(answers) == [200] + [429] * 9
    assert len(mailed) == 1


@pytest.mark.django_db(transaction=True)
def test_thirty_addresses_at_once_from_one_ip_make_twenty_codes(mailed, together):
    answers = together(30, lambda number: ask(APIClient(), f"m{number}@example.com").status_code)
    assert sorted(answers) == [200] * 20 + [429] * 10
    assert len(mailed) == 20
