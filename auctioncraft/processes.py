"""The processes of a development machine: `manage.py start` runs all of them, `runserver` those beside itself."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass, field

from django.conf import settings
from django.core.management.base import CommandError

from auctioncraft.core import jobs


@dataclass(frozen=True, slots=True)
class Process:
    """A command to run, and what its environment has beyond ours."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


def web(port: int) -> Process:
    """Return the one web server; production has a second one for requests that may wait for Stripe."""
    # SQLite has one writer at a time: more processes would only wait for each other.
    workers = 1 if settings.DATABASE_IS_SQLITE else os.cpu_count() or 1
    command = ("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", str(workers))
    options = ("--blocking-threads", "128", "--log-level", "warning", "auctioncraft.wsgi:application")
    return Process("web", (sys.executable, "-m", *command, *options))


def workers() -> list[Process]:
    """Return a Celery worker for each queue; the first one runs beat as well."""
    return [_worker(queue, beat=queue == jobs.DEFAULT) for queue in jobs.THREADS]


def _worker(queue: str, *, beat: bool) -> Process:
    command = ("celery", "--quiet", "--app", "auctioncraft", "worker", "--queues", queue, "--hostname", f"{queue}@%h")
    options = ("--pool", "threads", "--concurrency", str(jobs.THREADS[queue]), "--without-gossip", "--without-mingle")
    name = "worker" if queue == jobs.DEFAULT else f"worker-{queue}"
    return Process(name, (sys.executable, "-m", *command, *options, *(("--beat",) if beat else ())))


def stripe_double(web_port: int) -> Process:
    """Return the Stripe double, which sends its webhooks to our web server."""
    return Process(
        "stripe",
        (sys.executable, "-m", "stripe_double"),
        {
            "DEBUG": "on",
            "STRIPE_DOUBLE_PORT": str(settings.STRIPE_DOUBLE_PORT),
            "STRIPE_DOUBLE_WEBHOOK_URL": f"http://127.0.0.1:{web_port}/api/stripe/webhook/",
            "STRIPE_DOUBLE_DB": str(settings.VAR_DIR / "stripe_double.sqlite3"),
            "STRIPE_WEBHOOK_SECRET": settings.STRIPE_WEBHOOK_SECRET,
            "STRIPE_SECRET_KEY": settings.STRIPE_SECRET_KEY,
        },
    )


def companion_processes(web_port: int) -> list[Process]:
    """Return what runs beside the web server: the workers, and the double unless Stripe's own keys are set."""
    return [*workers(), stripe_double(web_port)] if settings.STRIPE_IS_DOUBLE else workers()


def ensure_ports_free(web_port: int) -> None:
    """Check that the ports of the web server and of the Stripe double are free. Raises CommandError if one is not.

    If the settings were made for another port, this process starts again with the right one: the double's port follows
    from it, and payments would otherwise go to another project's double.
    """
    if web_port != settings.PORT:
        os.environ["PORT"] = str(web_port)
        os.execv(sys.executable, [sys.executable, *sys.argv])  # noqa: S606 (ourselves)  # nosec B606
    double = [settings.STRIPE_DOUBLE_PORT] if settings.STRIPE_IS_DOUBLE else []
    for port in (web_port, *double):
        if not _is_free(port):
            raise CommandError(f"Port {port} is taken. Choose another: make run PORT=8400, or runserver 8400.")


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
