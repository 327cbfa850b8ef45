"""What the tests with real server processes share."""

import pytest
from django.test import override_settings

from accounts.models import OneTimeCode
from accounts.services import otp
from tests import fuzz_target, servers
from tests.scenario import Scenario, rolled_back


@pytest.fixture
def stack(template_database, tmp_path, django_db_blocker, log_watch):
    """A fresh database, and the processes that a test starts on it. What they log is watched as well."""
    with django_db_blocker.unblock(), servers.server_stack(tmp_path, template_database) as made:
        yield made
        for code in OneTimeCode.objects.all():
            otp.derive_code(code)  # which the processes did where the watch could not see it
        log_watch.look_at_files(tmp_path)


@pytest.fixture(scope="module")
def stripe(tmp_path_factory):
    """The Stripe double; its address."""
    with fuzz_target.stripe(tmp_path_factory.mktemp("stripe")) as address:
        yield address


@pytest.fixture(scope="module")
def scenario(django_db_setup, django_db_blocker, tmp_path_factory, stripe):
    """The world of world.py, once for all tests of a module: each is a savepoint in its transaction."""
    media = tmp_path_factory.mktemp("media")
    with django_db_blocker.unblock(), override_settings(MEDIA_ROOT=media, STRIPE_API_BASE=stripe), rolled_back():
        yield Scenario()
