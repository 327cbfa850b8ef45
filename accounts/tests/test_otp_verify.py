"""POST /api/auth/otp/verify/"""

import pytest
from django.contrib.auth.hashers import make_password
from rest_framework.test import APIClient

from accounts.models import FailedAttempts, KnownNetwork, OneTimeCode, Session, User
from accounts.services import otp, registration
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/auth/otp/verify/"
EMAIL = "mike@example.com"
INVALID = {
    "code": "invalid_code",
    "detail": "The code is wrong, used, or expired. Please request a new one.",
}
TOO_MANY = {"code": "throttled", "detail": "Too many failed attempts. Please try again later."}


def verify(client, code, email=EMAIL, **headers):
    return client.post(URL, {"email": email, "code": code}, **headers)


def wrong(code):
    return f"{(int(code) + 1) % 10**6:06d}"


def request_code(email=EMAIL):
    return otp.derive_code(otp.request_code(email=email, ip=None))


def of_address():
    return FailedAttempts.objects.get(pk=f"code:{EMAIL}")


def fail(client, times, email=EMAIL):
    return [verify(client, "nonsense", email).status_code for _ in range(times)]


def test_first_verification_creates_an_account(client):
    answer = verify(client, request_code(), HTTP_USER_AGENT="A browser", REMOTE_ADDR="192.0.2.7")
    user = User.objects.get()
    assert answer.status_code == 200
    body = answer.json()
    assert body == {
        "access": body["access"],
        "refresh": body["refresh"],
        "user": {
            "id": user.pk,
            "email": EMAIL,
            "display_name": user.display_name,
            "is_staff": False,
            "created_at": user.created_at.isoformat().replace("+00:00", "Z"),
            "seller": "none",
            "strikes": 0,
        },
    }
    assert answer.headers["Cache-Control"] == "no-store"
    assert user.email_verified_at is not None
    assert not user.has_usable_password()
    assert "mike" not in user.display_name
    sign_in = Session.objects.get()
    assert (sign_in.user_agent, sign_in.ip) == ("A browser", "192.0.2.7")
    assert body["refresh"] not in str(Session.objects.values())
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/users/me/").json().items() >= body["user"].items()


def test_known_address_signs_in(client):
    user = factories.user(EMAIL)
    assert verify(client, request_code(), "Mike@EXAMPLE.com").json()["user"]["id"] == user.pk
    assert User.objects.count() == 1


def test_first_verification_of_unused_account_removes_its_password(client):
    registration.register(email=EMAIL, password="the stranger's own", display_name="Mike")
    body = verify(client, request_code()).json()
    assert (body["user"]["id"], body["user"]["display_name"]) == (User.objects.get().pk, "Mike")
    assert not User.objects.get().has_usable_password()


def test_first_verification_removes_password_and_sessions_of_others(client, as_user):
    registration.register(email=EMAIL, password="the stranger's own")
    stranger = as_user(User.objects.get())
    assert stranger.get("/api/users/me/").status_code == 200
    body = verify(client, request_code()).json()
    assert stranger.get("/api/users/me/").status_code == 401
    assert not User.objects.get(email=EMAIL).has_usable_password()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {body['access']}")
    assert client.get("/api/users/me/").status_code == 200


def test_later_verification_removes_nothing(client, as_user, advance_time):
    verify(client, request_code())
    user = User.objects.get()
    user.set_password("my very own password")
    user.save()
    other_device = as_user(user)
    advance_time(61)
    assert verify(client, request_code()).status_code == 200
    assert User.objects.get().check_password("my very own password")
    assert other_device.get("/api/users/me/").status_code == 200


def test_pending_password_works_after_verification(client):
    code = otp.request_code(
        email=EMAIL, ip=None, pending_password=make_password("tr0ub4dor and 3"), pending_display_name="Mike"
    )
    assert verify(client, otp.derive_code(code)).json()["user"]["display_name"] == "Mike"
    assert User.objects.get().check_password("tr0ub4dor and 3")


def test_pending_password_of_replaced_code_is_dropped(client, advance_time):
    otp.request_code(email=EMAIL, ip=None, pending_password=make_password("a stranger's"))
    advance_time(61)
    verify(client, request_code())
    assert not User.objects.get().has_usable_password()


def test_pending_password_replaces_password_of_unverified_account(client, as_user):
    before = as_user(factories.user(EMAIL, email_verified_at=None))
    code = otp.request_code(email=EMAIL, ip=None, pending_password=make_password("tr0ub4dor and 3"))
    assert verify(client, otp.derive_code(code)).status_code == 200
    assert User.objects.get(email=EMAIL).check_password("tr0ub4dor and 3")
    assert before.get("/api/users/me/").status_code == 401


def test_pending_password_never_replaces_password_of_verified_account(client, as_user, advance_time):
    verify(client, request_code())
    owner = as_user(User.objects.get())
    advance_time(61)
    code = otp.request_code(email=EMAIL, ip=None, pending_password=make_password("a stranger's"))
    assert verify(client, otp.derive_code(code)).status_code == 200
    assert not User.objects.get().check_password("a stranger's")
    assert owner.get("/api/users/me/").status_code == 200


def test_superuser_keeps_password_after_first_code(client):
    User.objects.create_superuser(EMAIL, "an operator's password")
    assert verify(client, request_code()).json()["user"]["is_staff"] is True
    assert User.objects.get().check_password("an operator's password")


@pytest.mark.parametrize(
    ("case", "counted"),
    [
        ("wrong", 1), ("unknown", 1), ("expired", 1), ("shape", 1),
        ("superseded", 0), ("replayed", 0), ("disabled", 0),  # codes that were really issued are not counted
    ],
)  # fmt: skip
def test_bad_code_gives_the_same_error(client, advance_time, case, counted):
    code = "" if case == "unknown" else request_code()
    if case == "disabled":
        factories.disable_account(factories.user(EMAIL))
    elif case == "expired":
        advance_time(601)
    elif case == "superseded":
        advance_time(61)
        request_code()
    elif case == "replayed":
        verify(client, code)
    given = {"wrong": wrong(code or "0"), "unknown": "123456", "shape": "\uff11\uff12\uff13\uff14\uff15\uff16"}.get(
        case, code
    )
    answer = verify(client, given)
    assert (answer.status_code, answer.json()) == (400, INVALID)
    assert of_address().consecutive_failures == counted


def test_code_of_another_address_is_refused(client):
    code = request_code("rose@example.com")
    request_code()
    assert verify(client, code).json() == INVALID


@pytest.mark.parametrize("code", [True, None, [], {}, "", "1" * 17, 1.5])
def test_malformed_body_is_refused(client, code):
    answer = verify(client, code)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid"
    assert answer.json()["errors"].keys() == {"code"}


def test_missing_fields_are_refused(client):
    assert client.post(URL, {}).json() == {
        "code": "invalid",
        "detail": "The input is not valid.",
        "errors": {"email": ["This field is required."], "code": ["This field is required."]},
    }


def test_five_wrong_codes_lock_out_the_right_one(client):
    code = request_code()
    assert [verify(client, wrong(code)).status_code for _ in range(5)] == [400] * 5
    answer = verify(client, code)
    assert (answer.status_code, answer.json()) == (429, TOO_MANY)
    assert int(answer.headers["Retry-After"]) in range(595, 601)


def test_new_code_does_not_reset_the_count(client, advance_time):
    request_code()
    assert fail(client, 5) == [400] * 5
    advance_time(61)
    assert verify(client, request_code()).status_code == 429


def test_retry_after_is_the_time_of_the_next_attempt(client, advance_time):
    fail(client, 1)
    advance_time(300)
    fail(client, 4)
    seconds = int(verify(client, "123456").headers["Retry-After"])
    assert seconds in range(295, 301)
    advance_time(seconds - 10)
    assert verify(client, "123456").status_code == 429
    advance_time(10)
    assert verify(client, "123456").status_code == 400


def test_tenth_failure_in_a_day_and_each_later_one_doubles_the_wait(client, advance_time):
    for _ in range(2):
        assert fail(client, 5) == [400] * 5
        advance_time(3700)
    # 3,700 s after the tenth: one more may be tried, then the wait is two hours, four hours, …
    for hours in (2, 4, 8):
        assert fail(client, 1) == [400]
        answer = verify(client, request_code())
        assert answer.status_code == 429
        assert int(answer.headers["Retry-After"]) in range(hours * 3600 - 5, hours * 3600 + 1)
        advance_time(hours * 3600)
    assert verify(client, request_code()).status_code == 200


def test_ten_failures_lock_out_an_hour(client, advance_time):
    assert fail(client, 5) == [400] * 5
    advance_time(601)
    assert fail(client, 6) == [400] * 5 + [429]
    advance_time(601)
    answer = verify(client, request_code())
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) in range(3600 - 601 - 5, 3600 - 601 + 1)
    advance_time(3600 - 601)
    assert verify(client, request_code()).status_code == 200


def test_success_resets_consecutive_but_not_daily_failures(client, advance_time):
    code = request_code()
    fail(client, 4)
    assert verify(client, code).status_code == 200
    KnownNetwork.objects.all().delete()  # or the rest would have an allowance of its own
    assert fail(client, 6) == [400] * 5 + [429]
    advance_time(601)
    code = request_code()
    assert fail(client, 1) == [400]
    answer = verify(client, code)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) in range(3600 - 5, 3600 + 1)


def test_failures_are_counted_per_address(client):
    fail(client, 5)
    assert verify(client, request_code("rose@example.com"), "rose@example.com").status_code == 200


def test_wrong_passwords_do_not_lock_out_codes(client):
    factories.user(EMAIL)
    for _ in range(6):
        client.post("/api/auth/token/", {"username": EMAIL, "password": "wrong"})
    assert verify(client, request_code()).status_code == 200


def test_lockout_is_the_same_for_unknown_address(client):
    assert fail(client, 6, "nobody@example.com") == [400] * 5 + [429]


def test_refused_code_writes_only_the_count(client):
    request_code()
    fail(client, 1)
    assert not User.objects.exists()
    assert not Session.objects.exists()
    assert OneTimeCode.objects.get().consumed_at is None


@pytest.mark.django_db(transaction=True)
def test_parallel_right_codes_sign_in_once(run_parallel):
    code = request_code()
    answers = run_parallel(20, lambda _: verify(APIClient(), code).status_code)
    assert sorted(answers) == [200] + [400] * 19
    assert (User.objects.count(), Session.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_parallel_wrong_codes_only_five_are_compared(run_parallel):
    code = request_code()
    answers = run_parallel(40, lambda _: verify(APIClient(), wrong(code)).status_code)
    assert sorted(answers) == [400] * 5 + [429] * 35
    assert of_address().consecutive_failures == 5


@pytest.mark.django_db(transaction=True)
def test_parallel_code_and_registration_create_one_account(run_parallel):
    code = request_code()

    def call(number):
        if number % 2:
            return verify(APIClient(), code).status_code
        body = {"email": EMAIL, "password": "correct horse battery"}
        return APIClient().post("/api/users/register/", body).status_code

    answers = run_parallel(4, call)
    assert 500 not in answers
    assert answers[1::2].count(200) == 1
    user = User.objects.get()
    assert user.email_verified_at is not None
    assert not user.has_usable_password()


def test_account_created_meanwhile_is_used(client, monkeypatch):
    code = request_code()
    unverified = {"email_verified_at": None}
    monkeypatch.setattr(otp, "_locked", lambda code: factories.user(code.email, **unverified) and None)
    assert verify(client, code).status_code == 200
    assert not User.objects.get().has_usable_password()
