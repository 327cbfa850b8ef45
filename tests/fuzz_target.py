"""A stack to attack: the scenario of world.py behind a real server, set up as in production, and the Stripe double.

Limits of requests are off, or a fuzzer would only ever see 429.
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

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLERS = ("anonymous", "bidder", "seller", "staff")
# Lines of the server's log that tell of a failure, whatever was answered.
FAILURES = ("Traceback", "panicked", "unhandled error", "Internal Server Error", "Respawning")


@dataclass
class FuzzTarget:
    """A server under attack."""

    stack: servers.ServerStack
    port: int
    scenario: Scenario
    environment: dict[str, str]

    def token(self, role: str) -> str | None:
        """Sign the role in anew; what is tried may well end its sign-ins."""
        if role == "anonymous":
            return None
        user = User.objects.get(pk=self.scenario.people[role].pk)
        return tokens.sign_in(user=user, user_agent="fuzz", ip=None).access

    def damage(self) -> list[str]:
        """Return the lines of the log that tell of a failure, and what is not true any more."""
        log = (self.stack.folder / "web.log").read_text(errors="replace").splitlines()
        checked = self.stack.manage("check_invariants")
        broken = [] if checked.returncode == 0 else [checked.stdout + checked.stderr]
        told = [line for line in log if any(mark in line for mark in FAILURES)]
        return told + broken


@contextmanager
def start_fuzz_target(stack: servers.ServerStack) -> Iterator[FuzzTarget]:
    """Put the world into the stack and start its servers."""
    # Pictures are the stack's, too.
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
            **{f"THROTTLE_{scope}": "0" for scope in ("SIGN_IN", "BIDS", "WRITES", "READS")},
        }
        stack.environment |= production
        scenario, port = Scenario(), servers.free_port()
        stack.serve(port)
        yield FuzzTarget(stack, port, scenario, stack.environment)


@contextmanager
def stripe(folder: Path) -> Iterator[str]:
    """Start the Stripe double; yield its address."""
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
