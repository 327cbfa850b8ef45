"""What log lines look like, and what stands in every one of them.

Code says `logging.getLogger(__name__)` and logs as always. Here a record, of ours or of a library, becomes one line,
JSON or key=value, with the request or the task that it belongs to, and without secrets (auctioncraft/redaction.py).
docs/operations.md lists the fields.
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
# What a record may bring along by `extra`: libraries bring whole requests.
EXTRA: Final = ("method", "route", "status", "ms")


@dataclass(frozen=True, slots=True)
class RequestContext:
    """A request that is being answered, and the id it goes by in the log."""

    id: str
    request: HttpRequest

    def user_id(self) -> int | None:
        """Return whose it is, as far as that was found out by now: never by a query."""
        user = self.request.__dict__.get("user")
        if isinstance(user, SimpleLazyObject):
            # Django's own, of the admin's session, not looked up before somebody asks; then it is kept here.
            user = getattr(self.request, "_cached_user", None)
        user_id: int | None = getattr(user, "pk", None)
        return user_id


# The request that this thread answers. Set by auctioncraft.request_logging, for as long as an answer is sent.
current_request: ContextVar[RequestContext | None] = ContextVar("current_request", default=None)


def logging_config(*, log_format: str, level: str) -> dict[str, Any]:
    """Return Django's LOGGING: everything to stderr, a line each. Raises ImproperlyConfigured for an unknown format."""
    if log_format not in FORMATS:
        raise ImproperlyConfigured(f"LOG_FORMAT is one of {', '.join(FORMATS)}.")
    here = {"handlers": [], "propagate": True}
    quiet = {"level": "WARNING"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": "auctioncraft.core.logs.formatter", "log_format": log_format}},
        "handlers": {"stderr": {"class": "auctioncraft.core.logs.LineHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # These come with handlers of their own, past our formatter.
            "django": here,
            "_granian": here,
            # The access line says it better.
            "django.server": here | {"level": "ERROR"},
            "django.request": {"level": "ERROR"},
            # A traceback for every request with a foreign Host would be anybody's to fill the log with.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            # Statements with their parameters.
            "django.db.backends": quiet,
            # The SDK logs request bodies at INFO; storages and pictures log bytes and signed headers at DEBUG.
            "stripe": quiet,
            "botocore": quiet,
            "boto3": quiet,
            "s3transfer": quiet,
            "PIL": quiet,
            # Thirty lines for every font of every receipt.
            "fontTools": quiet,
            # Each sweep, each second: sent, received, expired, succeeded. What fails is an error.
            "celery.beat": quiet,
            "celery.worker.strategy": quiet,
            "celery.worker.request": quiet,
            "celery.app.trace": quiet,
            # What it decodes.
            "kombu": quiet,
            "amqp": quiet,
        },
    }


def formatter(*, log_format: str) -> logging.Formatter:
    """Return what makes a record a line in one of FORMATS."""
    last = _as_json if log_format == "json" else _as_text
    return structlog.stdlib.ProcessorFormatter(
        processors=[_described, structlog.processors.format_exc_info, _redacted, last]
    )


class LineHandler(logging.StreamHandler[Any]):
    """Writes lines to stderr. A line that cannot be made is named; logging would show it, whatever it holds."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's)
        """Say that there was one."""
        error = sys.exc_info()[0]
        try:
            name = error.__name__ if error else "?"
            self.stream.write(f"a log line of {record.name}, line {record.lineno}, could not be written: {name}\n")
        except (OSError, ValueError):
            pass  # stderr is gone, and with it whoever would read this


def _described(_logger: Any, _method: str, line: EventDict) -> EventDict:
    """Put the fields in their order: when, how bad, who says it, what; then which request or task."""
    record: logging.LogRecord = line.pop("_record")
    line.pop("_from_structlog", None)
    described: EventDict = {
        # Milliseconds: six digits would look like a code.
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": record.levelname.lower(),
        "logger": record.name,
        "event": line.pop("event"),
        **{name: record.__dict__[name] for name in EXTRA if name in record.__dict__},
        **line,
    }
    if call := current_request.get():
        if (user_id := call.user_id()) is not None:
            described["user"] = user_id
        described["request_id"] = call.id
    return structlog.contextvars.merge_contextvars(_logger, _method, described)


def _redacted(_logger: Any, _method: str, line: EventDict) -> EventDict:
    return {name: value if name in _SAFE else redact_value(name, value) for name, value in line.items()}


# What `_described` writes itself.
_SAFE = frozenset({"time", "level", "logger", "user"})


def _as_json(_logger: Any, _method: str, line: EventDict) -> str:
    try:
        text = orjson.dumps(line).decode()
    except TypeError:  # lone surrogates, numbers beyond 64 bits
        return json.dumps(line)
    # The rare line with what some reader may take for its end, or a terminal for a command: in ASCII.
    return text if text.isprintable() else json.dumps(line)


_FIELDS = structlog.processors.LogfmtRenderer()


def _as_text(logger: Any, method: str, line: EventDict) -> str:
    """Return a line to be read: what, then key=value; a traceback below it, in lines."""
    head = (
        f"{line.pop('time')[11:]} {line.pop('level').upper()} {line.pop('logger')}: {_in_one_line(line.pop('event'))}"
    )
    below = [line.pop(name) for name in ("exception", "stack_info") if name in line]
    fields = _FIELDS(logger, method, line)
    return "\n".join([f"{head} {fields}".rstrip(), *below])


def _in_one_line(text: str) -> str:
    """Return the text with what would break its line, or command a terminal, escaped."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
