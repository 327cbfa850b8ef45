"""One database with two servers: a normal one, and one whose safeguards can be disabled. Emptied after every test."""

from pathlib import Path

import pytest
from django.db import connection, transaction

from tests import factories, servers
from tests.races.harness import Served


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marker
def pytest_collection_modifyitems(items):
    """Run the negative controls, which disable a safeguard, at night."""
    for item in items:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        if item.path.is_relative_to(Path(__file__).parent) and parameters.get("without"):
            item.add_marker(pytest.mark.nightly)


@pytest.fixture(scope="package")
def running(template_database, tmp_path_factory, django_db_blocker):
    """Two servers on one database: the normal one, and the one whose safeguards can be disabled."""
    with (
        django_db_blocker.unblock(),
        servers.server_stack(tmp_path_factory.mktemp("races"), template_database) as stack,
    ):
        real, unsafe_server = servers.free_port(), servers.free_port()
        stack.serve(real)
        stack.serve(unsafe_server, "tests.races.wsgi:application")
        connection.close()
        yield Served(stack, real), Served(stack, unsafe_server)


@pytest.fixture(autouse=True)
def _emptied(running, django_db_blocker):
    with django_db_blocker.unblock():
        yield
        running[0].stack.callers.close()
        with transaction.atomic(), connection.cursor() as cursor:
            # In any order: foreign keys are checked at the end. TRUNCATE takes a second.
            for table in connection.introspection.django_table_names(only_existing=True):
                cursor.execute(f"DELETE FROM {table}")


@pytest.fixture
def server(running):
    """The normal server."""
    return running[0]


@pytest.fixture
def unsafe_server(running):
    """The server whose safeguards can be disabled."""
    return running[1]


@pytest.fixture
def seller(_emptied):
    return factories.user("seller@example.com")


@pytest.fixture
def staff(_emptied):
    return factories.user("staff@example.com", is_staff=True)


@pytest.fixture
def bidder(_emptied):
    return factories.user("bidder@example.com")


@pytest.fixture
def rival(_emptied):
    return factories.user("rival@example.com")
