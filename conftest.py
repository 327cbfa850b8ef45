"""Fixtures of the whole suite."""

# ruff: noqa: ARG001 (a fixture asks for the database by naming it)
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from rest_framework.test import APIClient

from accounts.services import tokens
from simulation.simulated_clock import is_scratch
from tests import factories, servers
from tests.secret_log_watch import SecretLogWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User


@pytest.fixture(scope="session", autouse=True)
def log_watch() -> Iterator[SecretLogWatch]:
    """Read what all the tests log, down to DEBUG; at the end fail if a line held a code, a token or a secret."""
    watch, root = SecretLogWatch(), logging.getLogger()
    level = root.level
    for handler in root.handlers:
        handler.setLevel(level)  # the watch sees more, the output stays as it is
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    with pytest.MonkeyPatch.context() as patch:
        watch.collect(patch)
        yield watch
    root.setLevel(level)
    root.removeHandler(watch)
    if watch.leaks:
        pytest.fail("Secrets were logged:\n" + "\n".join(watch.leaks), pytrace=False)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Copy the migrated database before a test writes to it. Yield the name of the copy."""
    folder = tmp_path_factory.mktemp("template")
    if not is_scratch():  # pytest-django makes none if only tests with servers were selected
        with servers.migrated_database(folder) as name:
            yield name
        return
    connection.close()  # PostgreSQL copies no database that is in use
    with servers.created_database(folder, connection.settings_dict["NAME"]) as name:
        yield name


@pytest.fixture(scope="session")
def template_database(django_db_setup: str) -> str:
    """Return the name of an empty, migrated database. Tests with servers start on copies of it."""
    return django_db_setup


@pytest.fixture(scope="session", autouse=True)
def _emptied_by_delete() -> Iterator[None]:
    """Empty the tables after a test that commits by DELETE.

    Django truncates them, for which PostgreSQL makes new files for each table and index: a second, for a few rows.
    """

    def sql_flush(_: Any, style: Any, tables: list[str], **__: Any) -> list[str]:
        return [f"{style.SQL_KEYWORD('DELETE FROM')} {connection.ops.quote_name(table)};" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        yield


@pytest.fixture
def client() -> APIClient:
    """Return a caller without a token."""
    return APIClient()


@pytest.fixture
def as_user(db: None) -> Callable[[User], APIClient]:
    """Make a caller with a real access token of the user."""

    def make(user: User) -> APIClient:
        caller = APIClient()
        access = tokens.sign_in(user=user, user_agent="tests", ip=None).access
        caller.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        return caller

    return make


@pytest.fixture
def seller(db: None) -> User:
    """Somebody who sells."""
    return factories.user("seller@example.com")


@pytest.fixture
def bidder(db: None) -> User:
    """Somebody who bids."""
    return factories.user("bidder@example.com")


@pytest.fixture
def rival(db: None) -> User:
    """Somebody else who bids."""
    return factories.user("rival@example.com")


@pytest.fixture
def staff(db: None) -> User:
    """Somebody of the house."""
    return factories.user("staff@example.com", is_staff=True)
