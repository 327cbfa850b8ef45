"""A database for one run: a simulation never touches real data."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from unittest import mock

from django.conf import settings
from django.db import connection

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def scratch_database(*, keep: bool = False) -> Iterator[str]:
    """Point the default connection to a new, migrated database on the same engine; yield its name.

    It is dropped at the end unless `keep`. DEBUG is off meanwhile, so that Django does not collect the queries.
    """
    creation, test = connection.creation, connection.settings_dict["TEST"]
    before = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory(prefix="auctioncraft-") as folder, mock.patch.object(settings, "DEBUG", False):
        name = f"test_simulation_{token_hex(4)}"
        if connection.vendor == "sqlite":
            name = str((settings.VAR_DIR if keep else Path(folder)) / f"{name}.sqlite3")
        with mock.patch.dict(test, NAME=name):
            creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
            try:
                _make_fast(name)
                yield name
            finally:
                creation.destroy_test_db(before, verbosity=0, keepdb=keep)


def _make_fast(name: str) -> None:
    """Commit without waiting for the disk: the data need not survive a crash."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} SET synchronous_commit = off")
        connection.close()
