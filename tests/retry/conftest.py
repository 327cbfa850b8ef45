"""The table exists while the tests of a module run."""

import pytest
from django.db import connection

from tests.retry.letters import Letter


@pytest.fixture(scope="module", autouse=True)
def _table(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        with connection.schema_editor() as editor:
            editor.create_model(Letter)
        yield
        with connection.schema_editor() as editor:
            editor.delete_model(Letter)


@pytest.fixture(autouse=True)
def _emptied(db):
    yield
    Letter.objects.all().delete()
