import pytest

from notifications.services import outbox


@pytest.fixture(autouse=True)
def _reset_log_limit():
    """Forget which malformed events were logged."""
    outbox._reported.clear()
