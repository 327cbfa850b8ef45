"""A house to attack: the world of world.py behind a real server, set up as in production, and the Stripe double.

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
from auctioncraft.tests import servers
from auctioncraft.tests.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CALLERS = ("anonymous", "bidder", "seller", "staff")
# Lines of the server's log that tell of a failure, whatever was answered.
FAILURES = ("Traceback", "panicked", "unhandled error", "Internal Server Error", "Respawning")


@dataclass
class Attacked:
    """A server under attack."""

    house: servers.House
    port: int
    world: World
    environment: dict[str, str]

    def token(self, role: str) -> str | None:
        """Sign the role in anew; what is tried may well end its sign-ins."""
        if role == "anonymous":
            return None
        user = User.objects.get(pk=self.world.people[role].pk)
        return tokens.sign_in(user=user, user_agent="fuzz", ip=None).access

    def damage(self) -> list[str]:
        """Return the lines of the log that tell of a failure, and what is not true any more."""
        log = (self.house.folder / "web.log").read_text(errors="replace").splitlines()
        checked = self.house.manage("check_invariants")
        broken = [] if checked.returncode == 0 else [checked.stdout + checked.stderr]
        told = [line for line in log if any(mark in line for mark in FAILURES)]
        return told + broken


@contextmanager
def attacked(house: servers.House) -> Iterator[Attacked]:
    """Put the world into the house and start its servers."""
    # Pictures are the house's, too.
    with (
        stripe(house.folder) as stripe_at,
        override_settings(MEDIA_ROOT=house.folder / "media", STRIPE_API_BASE=stripe_at),
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
        house.environment |= production
        world, port = World(), servers.free_port()
        house.serve(port)
        yield Attacked(house, port, world, house.environment)


@contextmanager
def stripe(folder: Path) -> Iterator[str]:
    """Start the Stripe double; yield its address."""
    port = servers.free_port()
    process = servers.House(folder, {}).start("stripe", "stripe_double", "--port", str(port), "--db", ":memory:")

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        servers.until(listens)
        yield f"http://127.0.0.1:{port}"
    finally:
        servers.kill(process)
