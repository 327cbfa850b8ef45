"""`manage.py start`: run everything, with demo data. `make run` calls it."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from honcho.manager import Manager

from auctioncraft import processes

BANNER = """
AuctionCraft is starting and ready in a few seconds. Open

  http://127.0.0.1:{port}/api/         the API
  http://127.0.0.1:{port}/api/docs/    its documentation, with every call to try out
  http://127.0.0.1:{port}/admin/       the admin: log in as staff@example.com

One-time codes and other e-mail: {mail}
Payments: {payments}
Ctrl-C stops everything.
"""


class Command(BaseCommand):
    """Migrate, load the demo, and run the web server, the workers and the Stripe double until Ctrl-C."""

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=settings.PORT)

    def handle(self, *, port: int, **_: Any) -> None:
        if not settings.DEBUG:
            raise CommandError("This is for development (DEBUG=on). For production see docs/operations.md.")
        processes.ensure_ports_free(port)
        call_command("migrate", verbosity=0)
        call_command("load_demo")
        self.stdout.write(BANNER.format(port=port, mail=_mail(), payments=_payments()))
        self.stdout.flush()
        manager = Manager()
        for process in (processes.web(port), *processes.companion_processes(port)):
            manager.add_process(
                process.name, shlex.join(process.command), env=os.environ | {"PORT": str(port)} | process.environment
            )
        manager.loop()
        # Ctrl-C and a supervisor's SIGTERM are no failures.
        stopped = {128 + signal.SIGINT, 128 + signal.SIGTERM}
        sys.exit(0 if manager.returncode in stopped else manager.returncode or 1)


def _mail() -> str:
    backend = settings.EMAIL_BACKEND.rsplit(".", 2)[-2]
    return f"files in {settings.EMAIL_FILE_PATH}" if backend == "filebased" else f"sent by {settings.EMAIL_BACKEND}"


def _payments() -> str:
    if settings.STRIPE_IS_DOUBLE:
        return f"the Stripe double at {settings.STRIPE_API_BASE} (README.md: pay with one curl)"
    return f"Stripe at {settings.STRIPE_API_BASE or 'https://api.stripe.com'}, with your keys"
