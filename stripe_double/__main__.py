"""Start the double: `python -m stripe_double`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvicorn

from stripe_double.app import LIVE_KEYS, build
from stripe_double.state import Double
from stripe_double.store import Store
from stripe_double.webhooks import Deliverer, Endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

HOST = "127.0.0.1"  # never another: its data is for this machine
TRUE = ("true", "on", "ok", "y", "yes", "1")  # what django-environ reads as true; anything else means DEBUG off


def refusal(env: Mapping[str, str]) -> str | None:
    """Return why the double must not run in this environment, or None: with DEBUG off, or with a live key."""
    debug = env.get("DEBUG")
    if debug is not None and debug.strip().lower() not in TRUE:
        return "DEBUG is off: the Stripe double is for development and tests, never for production."
    if env.get("STRIPE_SECRET_KEY", "").strip().startswith(LIVE_KEYS):
        return "STRIPE_SECRET_KEY is a live key: the Stripe double does not run beside real money."
    return None


def parse(argv: Sequence[str], env: Mapping[str, str]) -> argparse.Namespace:
    """Return the settings of the command line, else of the environment; exit 2 if invalid."""
    parser = argparse.ArgumentParser(
        prog="python -m stripe_double", description=__doc__, epilog="For development and tests only."
    )
    parser.add_argument("--port", type=int, default=env.get("STRIPE_DOUBLE_PORT", "8001"))
    parser.add_argument("--webhook-url", default=env.get("STRIPE_DOUBLE_WEBHOOK_URL", ""))
    # Not as `default`: argparse would be one %(default)s away from printing it.
    parser.add_argument("--webhook-secret", help="whsec_…; rather set STRIPE_WEBHOOK_SECRET, which `ps` does not show")
    parser.add_argument(
        "--connect-webhook-url",
        default=env.get("STRIPE_DOUBLE_CONNECT_WEBHOOK_URL", ""),
        help="where the events of connected accounts go; else to --webhook-url",
    )
    parser.add_argument("--connect-webhook-secret", help="rather set STRIPE_CONNECT_WEBHOOK_SECRET")
    parser.add_argument(
        "--db", default=env.get("STRIPE_DOUBLE_DB", "stripe_double.sqlite3"), help="a file, or :memory:"
    )
    parser.add_argument(
        "--latency",
        type=float,
        default=env.get("STRIPE_DOUBLE_LATENCY", "0"),
        help="seconds each POST takes, as Stripe's do",
    )
    options = parser.parse_args(argv)
    options.webhook_secret = options.webhook_secret or env.get("STRIPE_WEBHOOK_SECRET", "")
    options.connect_webhook_secret = options.connect_webhook_secret or env.get("STRIPE_CONNECT_WEBHOOK_SECRET", "")
    for name, url in (
        ("--webhook-url", options.webhook_url),
        ("--connect-webhook-url", options.connect_webhook_url),
    ):
        if url and urlsplit(url).scheme not in ("http", "https"):
            parser.error(f"{name} must begin with http:// or https://")
    if options.connect_webhook_url and not options.webhook_url:
        parser.error("--connect-webhook-url goes with --webhook-url")
    if options.webhook_url and not options.webhook_secret:
        parser.error("a webhook needs its secret: set STRIPE_WEBHOOK_SECRET or --webhook-secret")
    return options


def _deliverer(store: Store, options: argparse.Namespace) -> Deliverer:
    platform = Endpoint(options.webhook_url, [options.webhook_secret])
    if not (options.connect_webhook_url or options.connect_webhook_secret):
        return Deliverer(store, platform)
    url = options.connect_webhook_url or options.webhook_url
    secret = options.connect_webhook_secret or options.webhook_secret
    return Deliverer(store, platform, connect=Endpoint(url, [secret]))


def server(double: Double, port: int) -> uvicorn.Server:
    """Return the server, quiet (its access log would contain client secrets) and quick to stop."""
    return uvicorn.Server(
        uvicorn.Config(
            build(double),
            host=HOST,
            port=port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=1,
            server_header=False,
            ws="none",
        )
    )


def main(argv: Sequence[str], env: Mapping[str, str]) -> int:
    """Run until SIGTERM or SIGINT; 2 when it refuses to start."""
    problem = refusal(env)
    if problem:
        sys.stderr.write(f"stripe_double: {problem}\n")
        return 2
    options = parse(argv, env)
    logging.basicConfig(level=logging.INFO, format="stripe_double: %(message)s")
    try:
        store = Store(options.db)
    except sqlite3.Error as error:
        sys.stderr.write(f"stripe_double: cannot open {options.db}: {error}\n")
        return 2
    deliverer = _deliverer(store, options) if options.webhook_url else None
    running = server(Double(store, deliverer, options.latency), options.port)
    to = f", webhooks to {options.webhook_url}" if deliverer else ", no webhooks (no --webhook-url)"
    logging.getLogger("stripe_double").info("a test double of Stripe on http://%s:%s%s", HOST, options.port, to)
    # uvicorn shuts down in order and then raises the signal again; being asked to stop is no failure here.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        asyncio.run(running.serve())
    except KeyboardInterrupt:
        return 0
    return 0 if running.started else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
