"""Production refuses to start with unsafe settings."""

import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tests.fresh_settings import load_settings

GOOD = {
    "READ_DOT_ENV": "off",
    "DEBUG": "off",
    "SECRET_KEY": "s3cr3t-" * 10,
    "JWT_SIGNING_KEY": "another-" * 10,
    "ALLOWED_HOSTS": "auctions.example.com",
    "DATABASE_URL": "postgres://127.0.0.1/none",
    "STRIPE_SECRET_KEY": "sk_test_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_1",
}
EXAMPLE = "development-only-secret-key-do-not-use-this-in-production-0000"


def run(tmp_path, *command, **changes):
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=environment | GOOD | {"VAR_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"} | changes,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"SECRET_KEY": ""}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": "x" * 49}, "SECRET_KEY must be set"),
        ({"SECRET_KEY": EXAMPLE}, "not the example"),
        ({"JWT_SIGNING_KEY": ""}, "JWT_SIGNING_KEY must be set"),
        ({"JWT_SIGNING_KEY": "x" * 31}, "JWT_SIGNING_KEY must be set"),
        ({"JWT_SIGNING_KEY": GOOD["SECRET_KEY"]}, "not SECRET_KEY"),
        ({"ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "auctions.example.com,*"}, "ALLOWED_HOSTS"),
        ({"DATABASE_URL": ""}, "DATABASE_URL must be PostgreSQL"),
        ({"STRIPE_SECRET_KEY": ""}, "STRIPE_SECRET_KEY"),
        ({"STRIPE_WEBHOOK_SECRET": ""}, "STRIPE_WEBHOOK_SECRET"),
        ({"SELLER_COMMISSION_PERCENT": "-1"}, "SELLER_COMMISSION_PERCENT must be from 0 to 100"),
        ({"SELLER_COMMISSION_PERCENT": "100.5"}, "SELLER_COMMISSION_PERCENT must be from 0 to 100"),
        ({"METRICS_TOKEN": "x" * 31}, "METRICS_TOKEN"),
        ({"DEBUG": "on", "STRIPE_SECRET_KEY": "sk_live_1"}, "DEBUG=on"),
        ({"DEBUG": "on", "STRIPE_SECRET_KEY": "rk_live_1"}, "DEBUG=on"),
    ],
)
def test_production_with_unsafe_settings_does_not_start(tmp_path, changes, sentence):
    with pytest.raises(ImproperlyConfigured) as refused:
        load_settings(GOOD | {"VAR_DIR": str(tmp_path)} | changes)
    assert sentence in str(refused.value)
    for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
        assert not changes.get(name) or changes[name] not in str(refused.value)


def test_process_with_unsafe_settings_does_not_start(tmp_path):
    started = run(tmp_path, "manage.py", "check", SECRET_KEY=EXAMPLE)
    assert started.returncode == 1
    assert "ImproperlyConfigured" in started.stderr
    assert EXAMPLE not in started.stderr


def test_production_with_own_settings_passes_the_deployment_check(tmp_path):
    checked = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "DEBUG")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "no issues" in checked.stdout
    assert load_settings(GOOD | {"VAR_DIR": str(tmp_path), "DATABASE_URL": "", "ALLOW_SQLITE": "on"}).DATABASE_IS_SQLITE
