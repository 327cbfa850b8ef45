"""Fixtures of the tests with real server processes, and of those that use the scenario."""

import pytest
from django.test import override_settings

from accounts.models import OneTimeCode
from accounts.services import otp
from tests import fuzz_target, servers
from tests.scenario import Scenario, rolled_back


@pytest.fixture
def stack(template_database, tmp_path, django_db_blocker, log_watch):
    """Provide a new database and the processes that a test starts on it; their logs are searched for secrets too."""
    with django_db_blocker.unblock(), servers.server_stack(tmp_path, template_database) as made:
        yield made
        for code in OneTimeCode.objects.all():
            otp.derive_code(code)  # the processes derived it where the watch could not see it
        log_watch.look_at_files(tmp_path)


@pytest.fixture(scope="module")
def stripe(tmp_path_factory):
    """Start the Stripe double; provide its URL."""
    with fuzz_target.stripe(tmp_path_factory.mktemp("stripe")) as address:
        yield address


@pytest.fixture(scope="module")
def scenario(django_db_setup, django_db_blocker, tmp_path_factory, stripe):
    """Create the scenario once per module; each test is a savepoint in its transaction."""
    media = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media, STRIPE_API_BASE=stripe), rolled_back():
        yield Scenario()
