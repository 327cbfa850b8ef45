import pytest

from notifications.services import outbox


@pytest.fixture(autouse=True)
def _log_anew():
    """What was logged ten minutes ago is not logged again; each test starts without a past."""
    outbox._reported.clear()
