"""The search of the suite's logs for secrets (conftest.py::log_watch) runs, and would fail the suite."""

import logging
import os
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from accounts.models import OneTimeCode
from accounts.services import code_alarm, otp, tokens
from tests import factories
from tests.secret_log_watch import SecretLogWatch

# A careless log call. A suite that makes it must fail.
SUITE = """
import logging
import pytest
from uuid import uuid4
from accounts.models import OneTimeCode
from accounts.services import code_alarm, otp, tokens
from django.conf import settings

logger = logging.getLogger("accounts.{logger}")


@pytest.fixture
def code():
    return otp.derive_code(OneTimeCode(email="somebody@example.com", nonce="0" * 32))


@pytest.fixture
def pair():
    return tokens._issue(tokens.Credential(1, uuid4(), 1))


def test_it(code, pair):
    logger.{line}
"""
CARELESS = {
    "a one-time code": 'debug("sent %s", code)',
    "a token or a client secret": 'info("for %s", pair.refresh)',
    "a secret of the settings": 'warning("signed with " + settings.SECRET_KEY)',
}


def run(folder, line):
    test = folder / "test_it.py"
    test.write_text(SUITE.replace("{line}", line).replace("{logger}", folder.name))
    shutil.copy(settings.BASE_DIR / "conftest.py", folder)
    command = [sys.executable, "-m", "pytest", "-q", "-c", settings.BASE_DIR / "pytest.ini", test]
    environment = os.environ | {"PYTHONPATH": str(settings.BASE_DIR), "PYTEST_ADDOPTS": "", "VAR_DIR": str(folder)}
    environment = {name: value for name, value in environment.items() if "XDIST" not in name}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.nightly
@pytest.mark.servers
def test_suite_that_logs_a_secret_fails(tmp_path):
    """All three in one suite, as starting one takes seconds."""
    done = run(tmp_path, "; logger.".join(CARELESS.values()))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Secrets were logged:" in done.stdout
    assert [what for what in CARELESS if f"{what}, by accounts.{tmp_path.name}, in " not in done.stdout] == []
    assert "::test_it (call): " in done.stdout


@pytest.fixture
def other(log_watch):
    """A second watch with the same knowledge; its findings do not fail the suite."""
    made = SecretLogWatch()
    made.codes, made.words = log_watch.codes, log_watch.words
    return made


def record(text, *args, **more):
    return logging.makeLogRecord({"name": "accounts", "levelname": "INFO", "msg": text, "args": args, **more})


@pytest.mark.django_db
def test_watch_knows_every_code_and_token(other):
    code = otp.request_code(email="somebody@example.com", ip=None)
    pair = tokens.sign_in(user=factories.user(), user_agent="", ip=None)
    long = OneTimeCode(email="rose@example.com", nonce="1" * 32, digits=code_alarm.DIGITS_UNDER_ATTACK)
    texts = [otp.derive_code(code), otp.derive_code(long), *pair.access.split(".")[1:], pair.refresh, pair.refresh[:40]]
    for text in texts:
        other.leaks.clear()
        other.emit(record("sent to %s", text))
        assert other.leaks, text


def test_watch_finds_a_secret_in_a_traceback(other):
    try:
        int(settings.STRIPE_WEBHOOK_SECRET)
    except ValueError:
        other.emit(record("failed", exc_info=sys.exc_info()))
    assert other.leaks


def test_watch_ignores_digits_within_other_text(other):
    digits = otp.derive_code(OneTimeCode(email="somebody@example.com", nonce="1" * 32))
    other.emit(record("at 12:00:00.%s of %s0 and req_%s", digits, digits, digits))
    assert other.leaks == []
    other.emit(record("it is %s.", digits))
    assert other.leaks


def test_watch_reads_the_logs_of_processes(other, tmp_path):
    (tmp_path / "web.log").write_text("fine\nit is " + otp.derive_code(OneTimeCode(email="a@example.com")) + "\n")
    other.look_at_files(tmp_path)
    assert [leak.partition(",")[0] for leak in other.leaks] == ["a one-time code"]


def test_watch_reads_every_logger_at_debug(log_watch):
    before = log_watch.read
    logging.getLogger("a.library").debug("something")
    logging.getLogger("django.server").error("something")
    assert log_watch.read == before + 6  # the record, and the line in both formats
