"""The processes of a development machine: `manage.py start` runs all three, `runserver` the two beside itself."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass

from django.conf import settings
from django.core.management.base import CommandError


@dataclass(frozen=True, slots=True)
class Process:
    """A command to run, and what its environment has beyond ours."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


def web(port: int) -> Process:
    """Return the web server, in the shape it has in production (docs/operations.md)."""
    command = ("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port), "--workers", _workers())
    quiet = ("--blocking-threads", "2", "--log-level", "warning", "auctioncraft.wsgi:application")
    return Process("web", (sys.executable, "-m", *command, *quiet), {})


def _workers() -> str:
    # SQLite has one writer at a time: more processes would only wait for each other.
    return "1" if settings.DATABASE_IS_SQLITE else str(os.cpu_count() or 1)


def worker() -> Process:
    """Return the Celery worker with its beat."""
    command = ("celery", "--quiet", "--app", "auctioncraft", "worker", "--beat", "--pool", "threads")
    options = ("--concurrency", "4", "--without-gossip", "--without-mingle")
    return Process("worker", (sys.executable, "-m", *command, *options), {})


def stripe_double(web_port: int) -> Process:
    """Return the stand-in for Stripe; its webhooks come back to our web server."""
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


def ensure_ports_free(web_port: int) -> None:
    """See that the web server can have its port, and the Stripe double its own, which follows from it.

    Where the settings were made for another port, this command starts anew with the right one: else our payments would
    go to another project's double. Raises CommandError if a port is taken.
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


def companion_processes(web_port: int) -> list[Process]:
    """Return what has to run beside the web server: the worker, and the double unless Stripe's own keys are set."""
    return [worker(), stripe_double(web_port)] if settings.STRIPE_IS_DOUBLE else [worker()]
