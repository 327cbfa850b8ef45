"""A database that is made for one run and thrown away: no row that anybody cares for comes near a simulation."""

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
    """Point the default connection at a new, migrated database on the same engine; yield its name.

    Dropped at the end unless it is to be kept. Queries are not logged, as they would be with DEBUG.
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
    """Have PostgreSQL not wait for the disk at each commit: nothing here need outlive the machine."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {connection.ops.quote_name(name)} SET synchronous_commit = off")
        connection.close()
