"""Fixtures of this app's tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.db.models import F

from accounts.models import FailedAttempts, OneTimeCode, Session, WrongCode
from accounts.services import otp
from accounts.signals import (
    account_discarded,
    code_requested,
    email_change_requested,
    email_changed,
    new_device_signed_in,
    password_changed,
    refresh_token_reused,
)
from tests.violations import find_violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = (
    account_discarded, code_requested, email_change_requested, email_changed, password_changed, refresh_token_reused,
    new_device_signed_in,
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disconnect the apps above, whose tests prove what they do."""
    for signal in SIGNALS:
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check the invariants of accounts after every test with a database."""
    uses_database = request.node.get_closest_marker("django_db") is not None
    if uses_database:
        request.getfixturevalue("db")
    yield
    if uses_database:
        assert find_violations("accounts") == {}


@pytest.fixture
def mailed_codes(no_receivers: None) -> Iterator[list[str]]:
    """The codes to mail, in order."""
    codes: list[str] = []

    def receive(code: OneTimeCode, **_: Any) -> None:
        codes.append(otp.derive_code(code))

    code_requested.connect(receive)
    yield codes
    code_requested.disconnect(receive)


@pytest.fixture
def run_parallel() -> Callable[..., list[Any]]:
    """Call a function from many threads at once, each with its own connection; return the results."""

    def run(count: int, call: Callable[[int], Any]) -> list[Any]:
        start = threading.Barrier(count)

        def one(number: int) -> Any:
            start.wait()
            try:
                return call(number)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(count) as pool:
            return list(pool.map(one, range(count)))

    return run


@pytest.fixture
def spend_earlier() -> Callable[[], None]:
    """Move the uses of refresh tokens back by more than the time in which they may be repeated."""

    def move() -> None:
        for session in Session.objects.all():
            session.spent = [[spent, used_at - 10.5] for spent, used_at in session.spent]
            session.save()

    return move


@pytest.fixture
def advance_time() -> Callable[[float], None]:
    """Move codes and failed attempts back by some seconds, because PostgreSQL's clock cannot be moved."""

    def move(seconds: float) -> None:
        by = timedelta(seconds=seconds)
        OneTimeCode.objects.update(created_at=F("created_at") - by, expires_at=F("expires_at") - by)
        WrongCode.objects.update(at=F("at") - by)
        for attempts in FailedAttempts.objects.all():
            attempts.failures = [failed_at - seconds for failed_at in attempts.failures]
            attempts.last_failed_at = attempts.last_failed_at and attempts.last_failed_at - by
            attempts.save()

    return move
