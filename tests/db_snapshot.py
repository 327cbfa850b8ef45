"""What is in the database, so that a test can say that nothing was written, or that nothing is wrong."""

from contextlib import contextmanager

from django.apps import apps

from accounts.models import User
from auctioncraft.core.invariants import find_violations

APPS = ("auctioncraft", "auctions", "payments", "notifications")


def all_rows():
    """Return every row that a refused request must not have touched, by table."""
    models = [User, *(model for app in APPS for model in apps.get_app_config(app).get_models())]
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in models}


@contextmanager
def assert_nothing_written():
    """Hold that what happens within changes no row."""
    before = all_rows()
    yield
    assert all_rows() == before


def broken_invariants():
    """Return what breaks an invariant: a line a row."""
    return [line for lines in find_violations().values() for line in lines]
