"""Whether responses reveal that an address has an account: `python -m benchmarks.enumeration`.

Each endpoint gets pairs of requests in random order, one for an address with an account and one for an address without.
The responses must be equal byte for byte, and the Mann-Whitney test must find no difference in their times
(mann_whitney.py). The server runs as in production, with cheaper password hashes (enumeration_settings.py). The limits
on codes apply: every address is used once, and every request comes from another network, like a botnet's, by
X-Forwarded-For. Only the requests per minute are unlimited.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import secrets
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from ipaddress import IPv4Address
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import mann_whitney, postgres, report, server

# For all rows together: one false alarm in a hundred runs (Bonferroni).
SIGNIFICANCE = 0.01
WARM_UP = 20  # uncounted pairs of each row
_MOMENT = re.compile(rb'"created_at":"[^"]+"')


@dataclass(slots=True)
class Row:
    """An endpoint, its body without the address, and its results: milliseconds by whether there is an account."""

    name: str
    path: str
    body: dict[str, str]
    address: str = "email"
    status: int = 200
    signed_in: bool = False
    times: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    unequal: list[str] = field(default_factory=list)


def rows() -> list[Row]:
    """Return every endpoint that takes an address."""
    password = {"password": "a wrong but valid password"}
    return [
        Row("request a code", "/api/auth/otp/request/", {}),
        Row("wrong code", "/api/auth/otp/verify/", {"code": "none"}, status=400),
        Row("wrong password", "/api/auth/token/", password, address="username", status=401),
        Row("registration", "/api/users/register/", password | {"display_name": "Name"}, status=201),
        Row("request a password reset", "/api/auth/password/reset/", {}),
        Row("password reset, wrong code", "/api/auth/password/reset/confirm/", password | {"code": "none"}, status=400),
        Row("change to that address", "/api/users/me/email/", {}, signed_in=True),
    ]


def address(row: int, number: int, *, known: bool) -> str:
    """Return an address that reveals nothing: all have one length, and no order."""
    # Odd numbers have accounts; scrambled, so that neighbors in an index are of both kinds.
    scrambled = ((2 * number + known) * 0x9E3779B1) % 2**32
    return f"{scrambled:08x}{row:02d}@example.com"


def main() -> None:
    """Print the report, and fail if a response or a time differs."""
    options = _options()
    with ExitStack() as stack:
        text, good = _run(options, stack)
    print(text)
    if options.results:
        path = Path(options.results) / f"enumeration-{datetime.now(UTC):%Y-%m-%d}.md"
        path.write_text(text + "\n")
        print(f"\nWritten to {path.name}")
    if not good:
        raise SystemExit(1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enumeration", description=__doc__)
    parser.add_argument(
        "--database-url", help="an existing server (as a superuser); by default a temporary one is started"
    )
    parser.add_argument("--pairs", type=int, default=1000, help="of each row")
    parser.add_argument(
        "--full-hash", action="store_true", help="hash passwords as production does: slower, less sensitive"
    )
    parser.add_argument("--only", default="", help="rows whose name contains this")
    parser.add_argument("--results", default=str(Path(__file__).parent / "results"), help="folder; empty for none")
    return parser.parse_args()


def _run(options: argparse.Namespace, stack: ExitStack) -> tuple[str, bool]:
    var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auctioncraft-enumeration-")))
    machine = report.machine(os.cpu_count() or 1, os.getloadavg()[0])
    database = stack.enter_context(postgres.running(options.database_url))
    database.create(postgres.DATABASES[0])
    env = server.environment(database.url(postgres.DATABASES[0]), var)
    env |= {"REGISTRATION_REQUIRES_VERIFICATION": "on", "NUM_PROXIES": "1"}
    if not options.full_hash:
        env["DJANGO_SETTINGS_MODULE"] = "benchmarks.enumeration_settings"
    _fill(env, options.pairs + WARM_UP)
    database.query(postgres.DATABASES[0], "VACUUM ANALYZE")
    token = _token(env)
    measured = [row for row in rows() if options.only in row.name]
    # One process and one thread: others would add noise.
    port = stack.enter_context(server.serving(env, workers=1, threads=1, log=var / "granian.log"))
    caller = stack.enter_context(closing(HTTPConnection("127.0.0.1", port, timeout=60)))
    for row in measured:
        _measure(row, caller, pairs=options.pairs, token=token)
        print(f"{row.name}: done", file=sys.stderr, flush=True)
    return _report(options, measured, machine=machine, database=database.version())


def _measure(row: Row, caller: HTTPConnection, *, pairs: int, token: str) -> None:
    place = [each.name for each in rows()].index(row.name)
    for number in range(pairs + WARM_UP):
        answers = {}
        for known in random.sample((True, False), 2):
            given = address(place, number, known=known)
            took, answer = _ask(row, caller, given, token)
            if number >= WARM_UP:
                row.times[known].append(took)
            answers[known] = answer
        if answers[True] != answers[False] or answers[True][0] != row.status:
            row.unequal.append(f"{answers[True]} / {answers[False]}")


# Headers that differ between any two responses.
VARYING = {"date", "x-request-id"}


def _ask(row: Row, caller: HTTPConnection, given: str, token: str) -> tuple[float, tuple[Any, ...]]:
    """Return the milliseconds, and the response without the address and the time of day."""
    headers = {"Content-Type": "application/json", "X-Forwarded-For": str(IPv4Address(secrets.randbelow(2**32)))}
    if row.signed_in:
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(row.body | {row.address: given})
    started = time.perf_counter()
    caller.request("POST", row.path, body, headers)
    answer = caller.getresponse()
    content = answer.read()
    took = (time.perf_counter() - started) * 1000
    seen = sorted((name.lower(), value) for name, value in answer.getheaders() if name.lower() not in VARYING)
    return took, (answer.status, _MOMENT.sub(b"", content.replace(given.encode(), b"")), seen)


def _fill(env: dict[str, str], pairs: int) -> None:
    done = server.manage(env, "migrate", "--verbosity=0")
    # Accounts are active and verified and have a password.
    places = len(rows())
    script = f"""
from django.contrib.auth.hashers import make_password
from django.utils import timezone
from accounts.models import User
from benchmarks.enumeration import address
hashed, now = make_password("the right password"), timezone.now()
User.objects.bulk_create(
    User(email=address(row, number, known=True), password=hashed, email_verified_at=now)
    for row in range({places}) for number in range({pairs})
)
"""
    done = done if done.returncode else server.manage(env, "shell", "--no-imports", "-c", script)
    if done.returncode:
        raise SystemExit(f"creating the data failed:\n{done.stderr[-3000:]}")


def _token(env: dict[str, str]) -> str:
    """Return an access token of a user without a password, who can change the address without one."""
    script = """
from accounts.models import User
from accounts.services import tokens
print(tokens.sign_in(user=User.objects.create_user("user@example.com"), user_agent="", ip=None).access)
"""
    done = server.manage(env, "shell", "--no-imports", "-c", script)
    if done.returncode:
        raise SystemExit(f"signing in failed:\n{done.stderr[-3000:]}")
    return done.stdout.split()[-1]


def _report(options: argparse.Namespace, measured: list[Row], *, machine: str, database: str) -> tuple[str, bool]:
    below = SIGNIFICANCE / len(measured)
    lines = [
        f"# Enumeration, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "",
        f"{options.pairs:,} pairs a row, {machine}; {database}",
        "",
        f"Passwords are hashed {'as in production' if options.full_hash else 'cheaply (enumeration_settings.py)'}.",
        f"Times differ if p < {below:.4f} ({SIGNIFICANCE} over all rows). `share`: how often the address with an",
        "account is slower. `sensitivity`: the smallest constant delay that the test would have found.",
        "",
        "| endpoint | responses | median with, without | share | p | sensitivity | verdict |",
        "|---|---|---:|---:|---:|---:|---|",
    ]
    good = True
    for row in measured:
        known, unknown = row.times[True], row.times[False]
        found = mann_whitney.compare(known, unknown)
        delay = mann_whitney.smallest_detectable_delay(known, unknown, below=below)
        differs = found.p < below or bool(row.unequal)
        good = good and not differs
        answers = f"{len(row.unequal)} UNEQUAL" if row.unequal else "equal"
        lines.append(
            f"| {row.name} | {answers} | {median(known):.2f} ms, {median(unknown):.2f} ms | {found.share:.3f} "
            f"| {found.p:.3f} | {delay:.2f} ms | {'DIFFERS' if differs else 'no difference'} |"
        )
        lines += [f"\nUnequal: {text}\n" for text in row.unequal[:1]]
    return "\n".join(lines), good


if __name__ == "__main__":
    main()
