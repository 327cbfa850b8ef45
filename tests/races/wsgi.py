"""The application for the negative controls: each request's headers disable safeguards, and the clock can be ahead.

Without such headers, and without CLOCK_IS_AHEAD_BY (seconds), it serves as in life.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import time_machine

from auctioncraft.wsgi import application as as_in_life
from tests.races.guards_disabled import guards_disabled

if ahead := int(os.environ.get("CLOCK_IS_AHEAD_BY", "0")):
    time_machine.travel(datetime.now(UTC) + timedelta(seconds=ahead)).start()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    sent = {"X-Disable": environ.get("HTTP_X_DISABLE", ""), "X-Stop": environ.get("HTTP_X_STOP", "")}
    with guards_disabled({name: value for name, value in sent.items() if value}):
        return as_in_life(environ, start_response)
