"""Log lines: their two formats, their request or task, and the redaction of secrets."""

import io
import json
import logging
import sys
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import RequestFactory

from auctioncraft import celery
from auctioncraft.core import logs
from auctioncraft.core.redaction import REDACTED
from auctions.tasks import close_due

MOMENT = datetime(2026, 11, 23, 22, 4, 5, 678_901, UTC)


def record(message="delivery %s failed", *args, **more):
    # Not given to a logger: the secret watch of the suite would find the secrets used here.
    made = {"name": "notifications", "levelname": "WARNING", "levelno": 30, "msg": message, "args": args or ()}
    return logging.makeLogRecord(made | {"created": MOMENT.timestamp()} | more)


def as_json(made):
    return json.loads(logs.formatter(log_format="json").format(made))


def as_text(made):
    return logs.formatter(log_format="text").format(made)


@pytest.fixture
def call():
    """A current request."""
    request = RequestFactory().get("/api/")
    token = logs.current_request.set(logs.RequestContext("request-1", request))
    yield request
    logs.current_request.reset(token)


def failure(text):
    try:
        int(text)
    except ValueError:
        return sys.exc_info()


def test_log_in_production_is_json():
    assert as_json(record("delivery %s failed", 7, status=503, request="whatever", path="/x")) == {
        "time": "2026-11-23T22:04:05.678Z",
        "level": "warning",
        "logger": "notifications",
        "event": "delivery 7 failed",
        "status": 503,
    }


def test_log_in_development_is_message_and_fields():
    line = as_text(record("delivery %s failed", 7, status=503, route="a b"))
    assert line == '22:04:05.678Z WARNING notifications: delivery 7 failed route="a b" status=503'


def test_log_line_names_request_and_user(call):
    assert as_json(record("x"))["request_id"] == "request-1"
    assert "user" not in as_json(record("x"))
    call.user = type("Somebody", (), {"pk": 12})()
    assert as_json(record("x"))["user"] == 12
    assert as_text(record("x")).endswith("x user=12 request_id=request-1")


def test_log_line_of_a_task_names_it(monkeypatch):
    """Those of the task, Celery's about its failure, and none after it."""
    lines = []

    class Keep(logging.Handler):
        def emit(self, made):
            lines.append(as_json(made))

    def failing_job():
        logging.getLogger("auctions").info("at work")
        raise ValueError("odd")

    assert celery.app.tasks["auctions.close_due"]
    monkeypatch.setattr("auctions.tasks.closing.close_due", failing_job)
    keep = Keep()
    logging.root.addHandler(keep)
    try:
        result = close_due.apply()
        logging.getLogger("auctions").info("later")
    finally:
        logging.root.removeHandler(keep)
    assert result.failed()
    assert [(line["logger"], line.get("task"), line.get("task_id")) for line in lines] == [
        ("auctions", "auctions.close_due", result.id),
        ("celery.app.trace", "auctions.close_due", result.id),
        ("auctions", None, None),
    ]


def test_log_line_with_a_secret_is_redacted():
    made = record("code %s for %s", "042137", {"password": "hunter-two"}, exc_info=failure("access='abc.def'"))
    for line in (logs.formatter(log_format="json").format(made), as_text(made)):
        assert not [secret for secret in ("042137", "hunter-two", "abc.def") if secret in line]
        assert line.count(REDACTED) == 3
    assert made.args == ("042137", {"password": "hunter-two"})  # other handlers get the original


def test_log_traceback_is_one_json_field():
    made = record("failed", exc_info=failure("odd"))
    assert as_json(made)["exception"].endswith("ValueError: invalid literal for int() with base 10: 'odd'")
    assert as_text(made).splitlines()[1] == "Traceback (most recent call last):"
    assert as_text(made).splitlines()[-1] == "ValueError: invalid literal for int() with base 10: 'odd'"


@pytest.mark.parametrize("log_format", logs.FORMATS)
def test_log_message_with_newline_stays_one_line(log_format):
    line = logs.formatter(log_format=log_format).format(record("x\n22:04 INFO auctioncraft: \x1b[2Jall is well\r\x9b"))
    assert line.isprintable()


def test_log_field_without_json_form_is_written():
    line = as_json(record("lone \ud800", status=2**70, route=object))
    assert (line["event"], line["status"]) == ("lone \ud800", 2**70)
    assert line["route"] == "<class 'object'>"


def test_log_line_that_cannot_be_formatted_is_named_only():
    stream = io.StringIO()
    handler = logs.LineHandler(stream)
    handler.setFormatter(logs.formatter(log_format="json"))
    handler.handle(record("%d", "042137"))
    assert stream.getvalue() == "a log line of notifications, line 0, could not be written: TypeError\n"
    stream.close()
    handler.handle(record("the stream is closed"))


def test_log_format_unknown_is_refused():
    with pytest.raises(ImproperlyConfigured, match="LOG_FORMAT must be one of json, text"):
        logs.logging_config(log_format="xml", level="INFO")


def test_every_logger_uses_the_one_handler():
    """Django, Celery and the web server bring their own handlers, with other formats."""
    assert list(settings.LOGGING["handlers"]) == ["stderr"]
    # Uvicorn's belong to the Stripe double, if a test of this process has run it.
    names = (name for name in logging.root.manager.loggerDict if not name.startswith("uvicorn"))
    loggers = [logging.getLogger(name) for name in names]
    past_it = [logger.name for logger in loggers if not logger.propagate or set(map(type, logger.handlers)) - HARMLESS]
    assert past_it == []


HARMLESS = {logging.NullHandler}
