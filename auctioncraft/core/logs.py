"""Log format: one line per record, JSON or key=value, with its request or task and without secrets.

Code uses `logging.getLogger(__name__)` as usual; records of libraries get the same format. Secrets are removed by
core/redaction.py. docs/operations.md lists the fields.
"""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.utils.functional import SimpleLazyObject

from auctioncraft.core.redaction import redact_value

if TYPE_CHECKING:
    from django.http import HttpRequest
    from structlog.typing import EventDict

FORMATS: Final = ("json", "text")
# The `extra` fields that are logged: libraries pass whole requests.
EXTRA_FIELDS: Final = ("method", "route", "status", "ms")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """The current request and its id in the log."""

    id: str
    request: HttpRequest

    def user_id(self) -> int | None:
        """Return the user's id if it is known by now, without a query."""
        user = self.request.__dict__.get("user")
        if isinstance(user, SimpleLazyObject):
            # The user of an admin session is loaded when it is first used, and cached here.
            user = getattr(self.request, "_cached_user", None)
        user_id: int | None = getattr(user, "pk", None)
        return user_id


# The request of this thread, until its response has been sent. Set by auctioncraft/request_logging.py.
current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def logging_config(*, log_format: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING setting: all to stderr. Raises ImproperlyConfigured for an unknown format."""
    if log_format not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT must be one of {', '.join(FORMATS)}.")
    to_root = {"handlers": [], "propagate": True}
    quiet = {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "auctioncraft.core.logs.formatter", "log_format": log_format}},
        "handlers": {"stderr": {"class": "auctioncraft.core.logs.LineHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # These have their own handlers, which would bypass our formatter.
            "django": to_root,
            "_granian": to_root,
            # Our own request line replaces these.
            "django.server": to_root | {"level": "ERROR"},
            "django.request": {"level": "ERROR"},
            # Anyone could fill the log: a traceback for every request with a wrong Host.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Statements with their parameters.
            "django.db.backends": quiet,
            # The SDK logs request bodies at INFO; storages and Pillow log bytes and signed headers at DEBUG.
            "stripe": quiet,
            "botocore": quiet,
            "boto3": quiet,
            "s3transfer": quiet,
            "PIL": quiet,
            # Thirty lines per font and receipt.
            "fontTools": quiet,
            # Four lines per job and second. Failures are errors.
            "celery.beat": quiet,
            "celery.worker.strategy": quiet,
            "celery.worker.request": quiet,
            "celery.app.trace": quiet,
            # Message contents.
            "kombu": quiet,
            "amqp": quiet,
        },
    }


def formatter(*, log_format: str) -> logging.Formatter:
    """Return the logging formatter for one of FORMATS."""
    render = _as_json if log_format == "json" else _as_text
    return structlog.stdlib.ProcessorFormatter(
        processors=[_describe, structlog.processors.format_exc_info, _redact, render]
    )


class LineHandler(logging.StreamHandler[Any]):
    """Write to stderr. A record that cannot be formatted is named; logging would print it with its secrets."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's)
        """Write where the record came from, and not the record."""
        error = sys.exc_info()[0]
        try:
            name = error.__name__ if error else "?"
            self.stream.write(f"a log line of {record.name}, line {record.lineno}, could not be written: {name}\n")
        except (OSError, ValueError):
            pass  # stderr is closed


def _describe(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Build the line's fields: time, level, logger, event, extra fields, then the request or task."""
    record: logging.LogRecord = line.pop("_record")
    line.pop("_from_structlog", None)
    fields: EventDict = {
        # Milliseconds: six digits would look like a code.
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": line.pop("event"),
        **{name: record.__dict__[name] for name in EXTRA_FIELDS if name in record.__dict__},
        **line,
    }
    if context := current_request.get():
        if (user_id := context.user_id()) is not None:
            fields["user"] = user_id
        fields["request_id"] = context.id
    return structlog.contextvars.merge_contextvars(_logger, _method, fields)


def _redact(_logger: Any, _method: str, line: EventDict) -> EventDict:
    return {name: value if name in _SAFE else redact_value(name, value) for name, value in line.items()}


# Fields that `_describe` sets itself.
_SAFE = frozenset({"time", "level", "logger", "user"})


def _as_json(_logger: Any, _method: str, line: EventDict) -> str:
    try:
        text = orjson.dumps(line).decode()
    except TypeError:  # lone surrogates, numbers beyond 64 bits
        return json.dumps(line)
    # Control characters are written in ASCII: a reader could take them for a line end, a terminal for a command.
    return text if text.isprintable() else json.dumps(line)


_FIELDS = structlog.processors.LogfmtRenderer()


def _as_text(logger: Any, method: str, line: EventDict) -> str:
    """Return a line for people: the event, then key=value; a traceback below it."""
    head = f"{line.pop('time')[11:]} {line.pop('level').upper()} {line.pop('logger')}: {_escape(line.pop('event'))}"
    below = [line.pop(name) for name in ("exception", "stack_info") if name in line]
    fields = _FIELDS(logger, method, line)
    return "\n".join([f"{head} {fields}".rstrip(), *below])


def _escape(text: str) -> str:
    """Escape line breaks and terminal control characters."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
