"""What the tests with real server processes share."""

import pytest

from auctioncraft.tests import servers


@pytest.fixture(scope="package")
def template(tmp_path_factory):
    """An empty database with its tables, migrated once; its name."""
    with servers.migrated(tmp_path_factory.mktemp("template")) as name:
        yield name


@pytest.fixture
def house(template, tmp_path, django_db_blocker):
    """A fresh database, and the processes that a test starts on it."""
    with django_db_blocker.unblock(), servers.house(tmp_path, template) as made:
        yield made
