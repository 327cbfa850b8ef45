"""Fixtures of this app's tests."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connections
from django.db.models import F

from accounts.models import FailedAttempts, OneTimeCode
from accounts.services import otp
from accounts.signals import (
    code_requested,
    email_change_requested,
    email_changed,
    new_device_signed_in,
    password_changed,
    refresh_token_reused,
)
from auctioncraft.core.invariants import find_violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SIGNALS = (
    code_requested, email_change_requested, email_changed, password_changed, refresh_token_reused, new_device_signed_in
)  # fmt: skip


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without whoever listens above: what they do is their tests' matter."""
    for signal in SIGNALS:
        monkeypatch.setattr(signal, "receivers", [])


@pytest.fixture(autouse=True)
def invariants_hold(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did with the database, what must always be true is."""
    uses_database = request.node.get_closest_marker("django_db") is not None
    if uses_database:
        request.getfixturevalue("db")
    yield
    if uses_database:
        assert find_violations("accounts") == {}


@pytest.fixture
def mailed(alone: None) -> Iterator[list[str]]:
    """The codes that went to the mail, in order."""
    codes: list[str] = []

    def receive(code: OneTimeCode, **_: Any) -> None:
        codes.append(otp.derive_code(code))

    code_requested.connect(receive)
    yield codes
    code_requested.disconnect(receive)


@pytest.fixture
def together() -> Callable[..., list[Any]]:
    """Call something from many threads at the same moment, each with a connection of its own; return the results."""

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
def wait() -> Callable[[float], None]:
    """Let seconds pass for codes and guards. The rows are moved: PostgreSQL's clock cannot be."""

    def move(seconds: float) -> None:
        by = timedelta(seconds=seconds)
        OneTimeCode.objects.update(created_at=F("created_at") - by, expires_at=F("expires_at") - by)
        for guard in FailedAttempts.objects.all():
            guard.failures = [moment - seconds for moment in guard.failures]
            guard.last_failed_at = guard.last_failed_at and guard.last_failed_at - by
            guard.save()

    return move
