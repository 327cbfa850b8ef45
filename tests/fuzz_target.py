"""The target of the fuzzers: the scenario behind a real server with production settings, and the Stripe double.

Request limits are off; otherwise the fuzzers would only see 429.
"""

from __future__ import annotations

import socket
from contextlib import contextmanager
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING

from django.test import override_settings

from accounts.models import User
from accounts.services import tokens
from tests import servers
from tests.scenario import Scenario
from tests.violations import find_violations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLERS = ("anonymous", "bidder", "seller", "staff")
# Log lines with one of these report a failure.
FAILURES = ("Traceback", "panicked", "unhandled error", "Internal Server Error", "Respawning")


@dataclass
class FuzzTarget:
    """A running server with the scenario in its database."""

    stack: servers.ServerStack
    port: int
    scenario: Scenario
    environment: dict[str, str]

    def token(self, role: str) -> str | None:
        """Return a new token of the role: the requests may end its sessions."""
        if role == "anonymous":
            return None
        user = User.objects.get(pk=self.scenario.people[role].pk)
        return tokens.sign_in(user=user, user_agent="fuzz", ip=None).access

    def damage(self) -> list[str]:
        """Return failures in the server's log and broken invariants."""
        log = (self.stack.folder / "web.log").read_text(errors="replace").splitlines()
        failures = [line for line in log if any(mark in line for mark in FAILURES)]
        return failures + [f"{name}: {row}" for name, rows in find_violations().items() for row in rows]


@contextmanager
def start_fuzz_target(stack: servers.ServerStack) -> Iterator[FuzzTarget]:
    """Create the scenario in the stack and start its servers."""
    # Images are stored in the stack's folder.
    with (
        stripe(stack.folder) as stripe_at,
        override_settings(MEDIA_ROOT=stack.folder / "media", STRIPE_API_BASE=stripe_at),
    ):
        production = {
            "DEBUG": "off",
            "SECRET_KEY": token_hex(32),
            "ALLOWED_HOSTS": "127.0.0.1",
            "ALLOW_SQLITE": "on",
            "SECURE_SSL_REDIRECT": "off",
            "STRIPE_SECRET_KEY": "sk_test_double",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_double",
            "STRIPE_WEBHOOK_SECRET": "whsec_double",
            "STRIPE_API_BASE": stripe_at,
        }
        stack.environment |= production
        scenario, port = Scenario(), servers.free_port()
        stack.serve(port)
        yield FuzzTarget(stack, port, scenario, stack.environment)


@contextmanager
def stripe(folder: Path) -> Iterator[str]:
    """Start the Stripe double; yield its URL."""
    port = servers.free_port()
    process = servers.ServerStack(folder, {}).start("stripe", "stripe_double", "--port", str(port), "--db", ":memory:")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        servers.wait_until(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        servers.kill(process)
