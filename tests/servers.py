"""Real processes for tests: the web server and the worker, on a database of their own, and an HTTP client.

The Django of the test uses the same database, so that factories create rows and the ORM reads them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import psycopg
from django.conf import settings
from django.core.mail.backends.filebased import EmailBackend
from django.db import connection

from accounts.services import tokens
from tests.violations import find_violations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

READY_TIMEOUT = 60  # seconds for a process to start on a busy machine


class SlowMail(EmailBackend):
    """The file backend, with at least 0.1 s per mail: time to kill the worker."""

    def send_messages(self, messages: Any) -> Any:
        time.sleep(0.1)
        return super().send_messages(messages)


def wait_until(what: Callable[[], Any], *, seconds: float = READY_TIMEOUT, every: float = 0.02, says: str = "") -> Any:
    """Call until the result is true; return it. Fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, says or f"not within {seconds} s"
        time.sleep(every)
    return answer


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_concurrently(work: list[Callable[[], Any]]) -> list[Any]:
    """Run in threads that start together; return the results in order, or raise the first failure."""
    start = threading.Barrier(len(work), timeout=READY_TIMEOUT)
    results: list[Any] = [None] * len(work)
    failures: list[BaseException] = []

    def run(place: int) -> None:
        try:
            start.wait()
            results[place] = work[place]()
        except BaseException as failure:  # noqa: BLE001 (raised below)
            failures.append(failure)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place,), daemon=True) for place in range(len(work))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return results


class Client:
    """An HTTP client with one persistent connection, which is opened again if the server went away."""

    def __init__(self, port: int, user: Any = None) -> None:
        self.token = tokens.sign_in(user=user, user_agent="tests", ip=None).access if user else None
        self.user = user
        self.connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def send(
        self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Return status and JSON. Raises OSError or HTTPException when there was no answer."""
        headers = {"Content-Type": "application/json", **headers}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            self.connection.request(method, path, json.dumps(body or {}), headers)
            answer = self.connection.getresponse()
            return answer.status, json.loads(answer.read() or b"{}")
        except BaseException:
            self.connection.close()
            raise

    def post(self, path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, dict[str, Any]]:
        """POST, with an Idempotency-Key if given."""
        return self.send("POST", path, body, **({"Idempotency-Key": key} if key else {}))

    def bid(self, product: Any, key: str | None = None, **offer: Any) -> tuple[int, dict[str, Any]]:
        return self.post(f"/api/products/{product.pk}/bids/", offer, key)

    def close(self) -> None:
        self.connection.close()


@dataclass
class ServerStack:
    """A database, a folder, and the processes that use them."""

    folder: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    callers: ExitStack = field(default_factory=ExitStack)

    def caller(self, port: int, user: Any = None) -> Client:
        """Return a client that is closed with the stack."""
        return self.callers.enter_context(closing(Client(port, user)))

    def start(self, name: str, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a process in its own process group; it logs to `name`.log."""
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=settings.BASE_DIR,
                env=self.environment | environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def serve(
        self, port: int, application: str = "auctioncraft.wsgi:application", workers: int = 2, **environment: str
    ) -> subprocess.Popen[bytes]:
        """Start the web server, as in production; return when it answers."""
        process = self.start(
            "web",
            *("granian", "--interface", "wsgi", application, "--host", "127.0.0.1"),
            *("--port", str(port), "--workers", str(workers), "--blocking-threads", "128", "--no-ws"),
            **environment,
        )

        def answers() -> bool:
            assert process.poll() is None, self.log("web")
            with suppress(OSError, HTTPException), closing(HTTPConnection("127.0.0.1", port, timeout=5)) as caller:
                caller.request("GET", "/api/products/?page_size=1")
                answer = caller.getresponse()
                return answer.read() != b"" and answer.status == 200
            return False

        wait_until(answers, every=0.1, says=self.log("web"))
        return process

    def work(self, **environment: str) -> subprocess.Popen[bytes]:
        """Start a Celery worker with beat."""
        return self.start(
            "worker",
            *("celery", "-A", "auctioncraft", "worker", "-B", "--pool", "threads", "--concurrency", "4"),
            **environment,
        )

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=READY_TIMEOUT,
            check=False,
        )

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def assert_invariants(self) -> None:
        """Check all invariants in the stack's database."""
        violated = find_violations()
        assert violated == {}, violated


def kill(process: subprocess.Popen[bytes]) -> None:
    """`kill -9` a process and everything that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(READY_TIMEOUT)


def _environment(folder: Path, database_url: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "PGHOST") if name in os.environ}
    return kept | {
        "DJANGO_SETTINGS_MODULE": "auctioncraft.settings",
        "READ_DOT_ENV": "off",
        "DEBUG": "on",
        # Those of the test, which signs the tokens of the clients.
        "SECRET_KEY": settings.SECRET_KEY,
        "JWT_SIGNING_KEY": settings.JWT_SIGNING_KEY,
        "DATABASE_URL": database_url,
        "VAR_DIR": str(folder),
        "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "EMAIL_FILE_PATH": str(folder / "mail"),
        "LOG_LEVEL": "INFO",
        "PYTHONDONTWRITEBYTECODE": "1",
        # These tests send many requests from one address.
        "MAX_UNPAID_ORDERS": str(settings.MAX_UNPAID_ORDERS),
        "MAX_UNPAID_ORDERS_NEW": str(settings.MAX_UNPAID_ORDERS_NEW),
        "LIMITS": ",".join(f"{name}={number}" for name, number in settings.LIMITS.items()),
        "WEB_THREADS_PER_NETWORK": "0",
    }


@contextmanager
def migrated_database(folder: Path) -> Iterator[str]:
    """Create a migrated, empty database; yield its name."""
    with created_database(folder) as name:
        done = ServerStack(folder, _environment(folder, _url(name))).manage("migrate", "--verbosity=0")
        assert done.returncode == 0, done.stderr
        yield name


@contextmanager
def server_stack(folder: Path, template: str, *, survives_crash: bool = False) -> Iterator[ServerStack]:
    """Use a copy of the template in this process and in those it starts; at the end kill them and drop it.

    `survives_crash`: what was committed is still there after PostgreSQL itself is killed.
    """
    with created_database(folder, template) as name, _connected_to(name):
        if not survives_crash:
            commit_without_waiting(name)
        made = ServerStack(folder, _environment(folder, _url(name)))
        try:
            yield made
        finally:
            made.callers.close()
            for process in made.processes:
                kill(process)


@contextmanager
def created_database(folder: Path, template: str | None = None) -> Iterator[str]:
    """Create a database, empty or as a copy of another one; yield its name and drop it at the end."""
    if connection.vendor == "sqlite":
        name = str(folder / "database.sqlite3")
        if template:
            shutil.copy(template, name)
        yield name
        return
    name = f"auctioncraft_test_{token_hex(4)}"
    _execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template}" if template else ""))
    try:
        yield name
    finally:
        _execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def commit_without_waiting(name: str) -> None:
    """Let new connections to this test database commit without waiting for the disk, which takes milliseconds."""
    if connection.vendor == "postgresql":
        _execute(f"ALTER DATABASE {name} SET synchronous_commit = off")


def _execute(statement: str) -> None:
    at = settings.DATABASES["default"]
    with psycopg.connect(
        host=at["HOST"] or None, port=at["PORT"] or None, user=at["USER"], password=at["PASSWORD"], dbname="postgres",
        autocommit=True,
    ) as server:  # fmt: skip
        server.execute(statement)


def _url(name: str) -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    at = settings.DATABASES["default"]
    return f"postgres://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{name}"


@contextmanager
def _connected_to(name: str) -> Iterator[None]:
    """Point the default connection of every thread at another database."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before
