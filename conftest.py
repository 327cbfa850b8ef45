"""Fixtures of the whole suite."""

# ruff: noqa: ARG001 (a fixture requests another one by name)
from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management.commands import flush
from django.db import connection
from rest_framework.test import APIClient

from accounts.services import tokens
from simulation.simulated_clock import is_scratch
from tests import factories, servers
from tests.secret_log_watch import SecretLogWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from accounts.models import User


@pytest.hookimpl(trylast=True)  # after pytest-django has put the tests in its order
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that start servers first: they take longest, and two processes then end at about the same time."""
    items.sort(key=lambda item: "servers" not in item.keywords or "django_db" in item.keywords)


@pytest.fixture(scope="session", autouse=True)
def log_watch() -> Iterator[SecretLogWatch]:
    """Search everything that the tests log, down to DEBUG; fail at the end if a line held a code, token or secret."""
    watch, root = SecretLogWatch(), logging.getLogger()
    level = root.level
    for handler in root.handlers:
        handler.setLevel(level)  # the watch reads more, the output stays the same
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
    servers.commit_without_waiting(connection.settings_dict["NAME"])
    connection.close()  # PostgreSQL copies no database that is in use
    with servers.created_database(folder, connection.settings_dict["NAME"]) as name:
        yield name


@pytest.fixture(scope="session")
def template_database(django_db_setup: str) -> str:
    """Return the name of an empty, migrated database. Tests with servers start on copies of it."""
    return django_db_setup


@pytest.fixture(scope="session", autouse=True)
def _fast_flush() -> Iterator[None]:
    """Empty the tables by DELETE after a test that commits, except those of which migrations fill the rows.

    TRUNCATE, which Django uses, makes PostgreSQL create new files for each table and index, which takes a second.
    Creating content types and permissions again takes 0.2 s.
    """
    kept = {"django_content_type", "auth_permission"}

    def sql_flush(_: Any, style: Any, tables: list[str], **__: Any) -> list[str]:
        emptied = sorted(set(tables) - kept)
        return [f"{style.SQL_KEYWORD('DELETE FROM')} {connection.ops.quote_name(table)};" for table in emptied]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(connection.ops), "sql_flush", sql_flush)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_: None)
        yield


@pytest.fixture
def client() -> APIClient:
    """Return an API client without a token."""
    return APIClient()


@pytest.fixture
def as_user(db: None) -> Callable[[User], APIClient]:
    """Return a function that makes an API client with an access token of the user."""

    def make(user: User) -> APIClient:
        caller = APIClient()
        access = tokens.sign_in(user=user, user_agent="tests", ip=None).access
        caller.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
        return caller

    return make


@pytest.fixture
def seller(db: None) -> User:
    """Return a seller."""
    return factories.user("seller@example.com")


@pytest.fixture
def bidder(db: None) -> User:
    """Return a bidder."""
    return factories.user("bidder@example.com")


@pytest.fixture
def rival(db: None) -> User:
    """Return another bidder."""
    return factories.user("rival@example.com")


@pytest.fixture
def staff(db: None) -> User:
    """Return a member of staff."""
    return factories.user("staff@example.com", is_staff=True)
