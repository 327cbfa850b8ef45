"""`manage.py runserver`: Django's, and in development the workers and the Stripe double as well.

The workers send codes and close auctions: without them, someone who follows the usual five commands would wait for an
e-mail that never comes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as StaticFilesCommand

from auctioncraft import processes

if TYPE_CHECKING:
    from django.core.management.base import CommandParser


class Command(StaticFilesCommand):
    """Django's development server; with DEBUG it also starts the workers and the Stripe double."""

    default_port = str(settings.PORT)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--alone", action="store_true", help="Start neither workers nor the Stripe double.")

    def handle(self, *args: Any, **options: Any) -> str | None:
        # The autoreloader runs this twice: the outer process, which lives on, starts the others.
        reloaded = os.environ.get("RUN_MAIN") == "true"
        if options["alone"] or reloaded or not settings.DEBUG:
            return super().handle(*args, **options)
        port = int((options["addrport"] or self.default_port).rpartition(":")[2])
        processes.ensure_ports_free(port)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        started = [
            subprocess.Popen(process.command, env=os.environ | process.environment)  # noqa: S603 (our own command)  # nosec B603
            for process in processes.companion_processes(port)
        ]
        try:
            return super().handle(*args, **options)
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait()
