"""The server as in production: its environment, its database, its processes."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.postgres import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent


def environment(database_url: str, var: Path) -> dict[str, str]:
    """Return the environment of production, with only what finds programs from the caller's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "auctioncraft.settings",
        "READ_DOT_ENV": "off",
        "DEBUG": "off",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "JWT_SIGNING_KEY": secrets.token_urlsafe(64),
        "ALLOWED_HOSTS": "127.0.0.1",
        # There is no TLS on the loopback.
        "SECURE_SSL_REDIRECT": "off",
        "DATABASE_URL": database_url,
        "STRIPE_SECRET_KEY": f"sk_test_{secrets.token_hex(12)}",
        "STRIPE_WEBHOOK_SECRET": f"whsec_{secrets.token_hex(12)}",
        "LOG_LEVEL": "WARNING",
        # Unreachable, not off, so that counting is measured too.
        "LIMITS": ",".join(
            f"{scope}.{who}=1000000000"
            for scope in ("sign_in", "bids", "writes", "reads")
            for who in ("account", "address", "network")
            if (scope, who) != ("bids", "address")
        ),
        # The clients of many networks are simulated from one address.
        "WEB_THREADS_PER_NETWORK": "0",
        "VAR_DIR": str(var),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def manage(env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a management command and return the completed process."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def prepare(env: dict[str, str], *, products: int, bidders: int) -> dict[str, Any]:
    """Migrate the database and create the data; return what the load needs (seed_data.py)."""
    migrated = manage(env, "migrate", "--verbosity=0")
    if migrated.returncode:
        raise SystemExit(f"migrate failed:\n{migrated.stderr[-3000:]}")
    command = [sys.executable, "-m", "benchmarks.seed_data", f"--products={products}", f"--bidders={bidders}"]
    filled = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if filled.returncode:
        raise SystemExit(f"creating the data failed:\n{filled.stderr[-3000:]}")
    plan: dict[str, Any] = json.loads(filled.stdout.splitlines()[-1])
    return plan


@contextmanager
def serving(env: dict[str, str], *, workers: int, threads: int, log: Path) -> Iterator[int]:
    """Run the server as in production; yield the port."""
    port = free_port()
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "auctioncraft.wsgi:application"]
    command += ["--port", str(port), "--workers", str(workers), "--blocking-threads", "128"]
    env = env | {"WEB_THREADS": str(threads)}
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True)
        try:
            _await(port, process, log)
            yield port
        finally:
            _stop(process)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/products/?page_size=1") as answer:
                answer.read()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"The product list answers {error.code}:\n{log.read_text()[-2000:]}") from error
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"The server did not start:\n{log.read_text()[-3000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        # Its workers are in its process group.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
