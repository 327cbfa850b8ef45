"""Login to the admin: the lock after five failures, refusals that reveal nothing, the second factor."""

import re
import time
from datetime import timedelta

import pytest
import time_machine
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts import admin_login
from accounts.models import FailedAttempts, StaffAction, User
from auctioncraft.core import clock
from tests import admin_pages, factories
from tests.admin_pages import page
from tests.servers import run_concurrently

PASSWORD = "correct horse battery"
LOGIN = "/admin/login/?next=/admin/"
pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_user():
    """Staff with a password."""
    user = factories.user("admin@staff.example", is_staff=True, is_superuser=True)
    user.set_password(PASSWORD)
    user.save()
    return user


@pytest.fixture
def device(admin_user):
    """The authenticator of the administrator."""
    return TOTPDevice.objects.create(user=admin_user, name="Authenticator")


def log_in(username="admin@staff.example", password=PASSWORD, token="", client=None):
    client = client or Client()
    answer = client.post(LOGIN, {"username": username, "password": password, "otp_token": token})
    if answer.status_code == 302:
        return "in"
    (sentence,) = re.findall(
        f"{admin_login.REFUSED}|Too many failed attempts. Please try again in [0-9]+ min.", text(answer)
    )
    return sentence


def text(answer):
    return answer.content.decode()


def code(device, steps=0):
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits)
    totp.time = time.time() + steps * device.step
    return f"{totp.token():06d}"


def later(monkeypatch, **span):
    moved = clock.now() + timedelta(**span)
    monkeypatch.setattr(clock, "now", lambda: moved)


def test_admin_login_opened_directly_leads_to_the_admin(admin_user):
    client = Client()
    page = text(client.get("/admin/login/"))
    assert re.findall('name="next" value="([^"]*)"', page) == ["/admin/"]
    assert "Return to site" not in page
    answer = client.post(
        "/admin/login/", {"username": admin_user.email, "password": PASSWORD, "otp_token": "", "next": "/admin/"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_admin_login_with_password_succeeds(admin_user):
    client = Client()
    assert 'name="otp_token"' in text(client.get(LOGIN))
    assert log_in(" Admin@staff.example", client=client) == "in"
    assert client.get("/admin/").status_code == 200
    assert not FailedAttempts.objects.exclude(consecutive_failures=0).exists()


def test_admin_login_after_five_failures_is_locked_ten_minutes(admin_user, monkeypatch):
    for _ in range(5):
        assert log_in(password="wrong") == admin_login.REFUSED
    assert log_in() == admin_login.LOCKED.format(minutes=10)
    later(monkeypatch, minutes=9, seconds=15)
    assert log_in() == admin_login.LOCKED.format(minutes=1)
    later(monkeypatch, seconds=60)
    assert log_in() == "in"
    for _ in range(4):
        assert log_in(password="wrong") == admin_login.REFUSED
    assert log_in() == "in"


@pytest.mark.parametrize("case", ["unknown", "wrong password", "not staff", "disabled", "no code", "wrong code"])
def test_admin_login_refusals_are_all_worded_alike(admin_user, case):
    if case in {"no code", "wrong code"}:
        TOTPDevice.objects.create(user=admin_user, name="Authenticator")
    if case == "not staff":
        User.objects.filter(pk=admin_user.pk).update(is_staff=False)
    if case == "disabled":
        User.objects.filter(pk=admin_user.pk).update(is_active=False)
    given = {
        "unknown": {"username": "nobody@staff.example"},
        "wrong password": {"password": "wrong"},
        "wrong code": {"token": "000000"},
    }.get(case, {})
    assert [log_in(**given) for _ in range(5)] == [admin_login.REFUSED] * 5
    assert log_in(**given) == admin_login.LOCKED.format(minutes=10)


@pytest.mark.parametrize(
    ("address", "password"), [("\ufdfa" * 50, "a"), ("böß@example.com", "a"), ("a@example.com", "a" * 129)]
)
def test_admin_login_with_impossible_address_writes_no_row(admin_user, address, password):
    assert log_in(username=address, password=password) == admin_login.REFUSED
    assert not FailedAttempts.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_admin_login_twenty_tries_at_once_compare_five(admin_user, monkeypatch):
    compared, whole = [], User.check_password
    monkeypatch.setattr(User, "check_password", lambda user, raw: compared.append(raw) or whole(user, raw))
    results = run_concurrently([lambda: log_in(password="wrong")] * 20)
    assert len(compared) == 5
    assert results.count(admin_login.REFUSED) == 5


def test_admin_login_over_the_ip_limit_is_refused(admin_user, settings):
    cache.clear()
    settings.LIMITS = settings.LIMITS | {"sign_in.address": 3}
    with time_machine.travel(time.time(), tick=False):
        for number in range(3):
            assert log_in(username=f"{number}@example.com") == admin_login.REFUSED
        assert log_in() == admin_login.LOCKED.format(minutes=1)
    cache.clear()


def test_admin_login_with_authenticator_needs_its_code(admin_user, device):
    assert log_in() == admin_login.REFUSED
    assert log_in(token="abcdef") == admin_login.REFUSED
    client = Client()
    assert log_in(token=code(device), client=client) == "in"
    assert client.get("/admin/").wsgi_request.user.is_verified()


def test_admin_login_with_used_authenticator_code_is_refused(admin_user, device):
    spent = code(device)
    assert log_in(token=spent) == "in"
    assert log_in(token=spent) == admin_login.REFUSED


@pytest.mark.django_db(transaction=True)
def test_admin_login_with_one_code_four_times_at_once_succeeds_once(admin_user, device):
    spent = code(device)
    results = run_concurrently([lambda: log_in(token=spent)] * 4)
    assert sorted(results, key=len) == ["in"] + [admin_login.REFUSED] * 3


def test_admin_login_with_old_or_foreign_code_is_refused(admin_user, device, staff):
    other = TOTPDevice.objects.create(user=staff, name="Authenticator")
    assert log_in(token=code(device, steps=-5)) == admin_login.REFUSED
    TOTPDevice.objects.update(throttling_failure_count=0)
    assert log_in(token=code(other)) == admin_login.REFUSED


def test_admin_login_with_unconfirmed_authenticator_needs_no_code(admin_user, device):
    TOTPDevice.objects.update(confirmed=False)
    assert log_in() == "in"


def test_admin_login_where_authenticator_is_required_refuses_others(admin_user, settings):
    settings.ADMIN_REQUIRES_TOTP = True
    assert log_in() == admin_login.REFUSED
    old = admin_pages.operator()
    assert old.get("/admin/").status_code == 302
    device = TOTPDevice.objects.create(user=admin_user, name="Authenticator")
    client = Client()
    assert log_in(token=code(device), client=client) == "in"
    assert client.get(page(User)).status_code == 200
    device.delete()
    assert client.get(page(User)).status_code == 302


def test_admin_totp_command_adds_and_removes_an_authenticator(admin_user, monkeypatch, capsys):
    shown = []

    def answer(_):
        from base64 import b32decode

        key = capsys.readouterr().out.split("Key:  ")[1].split("\n")[0]
        shown.append(key)
        return code(TOTPDevice(key=b32decode(key).hex()))

    monkeypatch.setattr("builtins.input", answer)
    call_command("admin_totp", "Admin@staff.example")
    device = TOTPDevice.objects.get()
    assert (device.user, device.confirmed) == (admin_user, True)
    assert log_in() == admin_login.REFUSED
    assert log_in(token=code(device, steps=1)) == "in"
    monkeypatch.setattr("builtins.input", lambda _: "12")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("admin_totp", admin_user.email)
    assert TOTPDevice.objects.get().key == device.key
    call_command("admin_totp", admin_user.email, "--remove")
    assert not TOTPDevice.objects.exists()
    for stranger in ("nobody@staff.example", factories.user("bidder@example.com").email):
        with pytest.raises(CommandError):
            call_command("admin_totp", stranger)


def test_admin_shows_authenticators_without_their_key(device):
    chief = admin_pages.operator()
    for address in (page(TOTPDevice), page(TOTPDevice, "change", device.pk)):
        shown = text(chief.get(address))
        assert "Authenticator" in shown
        assert device.key not in shown
    assert chief.get(f"/admin/otp_totp/totpdevice/{device.pk}/config/").status_code in {302, 404}
    clerk = admin_pages.clerk("view_totpdevice", "delete_totpdevice")
    admin_pages.confirm(clerk, TOTPDevice, "remove", [device])
    assert TOTPDevice.objects.exists()
    admin_pages.confirm(chief, TOTPDevice, "remove", [device], reason="The phone was lost.")
    assert not TOTPDevice.objects.exists()
    action = StaffAction.objects.get()
    assert (action.actor, action.user, action.reason) == (admin_pages.user(chief), device.user, "The phone was lost.")


# -- one's own password ------------------------------------------------------------------------------------------------


def set_own_password(client, old, new="another good password"):
    return client.post("/admin/password_change/", {"old_password": old, "new_password1": new, "new_password2": new})


def test_own_password_is_compared_five_times(admin_user):
    client = Client()
    assert log_in(client=client) == "in"
    for _ in range(5):
        assert "Your old password was entered incorrectly" in text(set_own_password(client, "wrong"))
    assert "Too many failed attempts" in text(set_own_password(client, PASSWORD))
    admin_user.refresh_from_db()
    assert admin_user.check_password(PASSWORD)


def test_own_password_ends_other_sessions_and_is_notified(admin_user, as_user):
    client, other, api = Client(), Client(), as_user(admin_user)
    assert log_in(client=client) == log_in(client=other) == "in"
    assert set_own_password(client, PASSWORD).status_code == 302
    assert [page.get("/admin/").status_code for page in (client, other)] == [200, 302]
    assert api.get("/api/users/me/").status_code == 401
    assert not admin_user.sessions.filter(ended_at=None).exists()
    assert admin_user.notifications.filter(kind="account_changed").count() == 1
    assert log_in(password="another good password") == "in"


def test_sign_out_everywhere_ends_sessions_at_the_admin(admin_user, client):
    admin = Client()
    assert log_in(client=admin) == "in"
    pair = client.post("/api/auth/token/", {"username": admin_user.email, "password": PASSWORD}).json()
    assert client.post("/api/auth/logout/?everywhere=true", {"refresh": pair["refresh"]}).status_code == 204
    assert admin.get("/admin/").status_code == 302


def test_form_counts_like_a_read(client, settings):
    settings.LIMITS = {**settings.LIMITS, "reads.address": 2}
    # Five are too many also for two windows.
    answers = [client.get("/admin/login/") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(answer["Retry-After"] for answer in answers if answer.status_code == 429)
