"""Snapshots of the database, to assert that nothing was written, and the invariants."""

from contextlib import contextmanager

from django.apps import apps

from accounts.models import User
from tests.violations import find_violations

APPS = ("auctioncraft", "auctions", "payments", "notifications")


def all_rows():
    """Return all rows that a refused request must leave unchanged, by table."""
    models = [User, *(model for app in APPS for model in apps.get_app_config(app).get_models())]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


@contextmanager
def assert_nothing_written():
    """Assert that the block changes no row."""
    before = all_rows()
    yield
    assert all_rows() == before


def broken_invariants():
    """Return one line per row that breaks an invariant."""
    return [line for lines in find_violations().values() for line in lines]
