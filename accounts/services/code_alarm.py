"""Wrong codes over the whole site. Guesses spread over many addresses and networks show only here.

Six digits and a few guesses per address: with 10,000 addresses an account would be hit within days. While more than
WRONG_CODES_ALARM wrong codes were compared in the last hour, new codes have 8 digits, a hundred times as many to guess.
"""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings

from accounts.models import WrongCode

if TYPE_CHECKING:
    from datetime import datetime

logger = logging.getLogger(__name__)

WINDOW: Final = timedelta(hours=1)
DIGITS: Final = 6
DIGITS_UNDER_ATTACK: Final = 8
_LOG_INTERVAL: Final = 60  # seconds, per process
_logged_at: float | None = None


def record_wrong_code(now: datetime) -> None:
    """Count a wrong code that was compared."""
    WrongCode.objects.create(at=now)


def count_wrong_codes(now: datetime) -> int:
    """Return how many wrong codes were compared in the last hour."""
    return WrongCode.objects.filter(at__gt=now - WINDOW).count()


def choose_digits(now: datetime) -> int:
    """Return how many digits a new code has. Logs an error, once a minute, while it is more than usual."""
    limit: int = settings.WRONG_CODES_ALARM
    # No more rows than needed are read, however many there are.
    if WrongCode.objects.filter(at__gt=now - WINDOW)[: limit + 1].count() <= limit:
        return DIGITS
    _log_alarm(limit)
    return DIGITS_UNDER_ATTACK


def _log_alarm(limit: int) -> None:
    global _logged_at  # noqa: PLW0603 (once a minute per process)
    if _logged_at is None or time.monotonic() >= _logged_at + _LOG_INTERVAL:
        _logged_at = time.monotonic()
        logger.error("codes are being guessed: more than %s wrong ones in an hour", limit)
