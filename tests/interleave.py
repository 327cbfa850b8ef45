"""Run two pieces of work interleaved: one stops in its transaction until the other waits for it or has ended."""

import threading

from django.db import connection, transaction

from tests import servers

TIMEOUT = 20  # seconds
GRACE = 0.3  # seconds; SQLite does not report waiters, so this is how long a second writer gets to pass


class BackgroundTask(threading.Thread):
    """A thread; `result` is what its work returned or raised."""

    def __init__(self, work):
        super().__init__()
        self.work, self.result = work, None
        self.start()

    def run(self):
        try:
            self.result = self.work()
        except Exception as error:  # noqa: BLE001
            self.result = error
        finally:
            connection.close()


def interleave(first, second):
    """Run `first` up to its COMMIT, then `second` as far as it gets, then let `first` commit.

    Return both results, returned or raised.
    """

    def stopped(stop):
        with transaction.atomic():
            result = first()
            stop()
        return result

    return interleave_at(stopped, second)


def interleave_at(first, second):
    """As `interleave`; `first` gets a function to call where it is to stop."""
    worked, go_on = threading.Event(), threading.Event()

    def stop():
        worked.set()
        assert go_on.wait(TIMEOUT)

    one = BackgroundTask(lambda: first(stop))
    servers.wait_until(lambda: worked.is_set() or not one.is_alive(), every=0.005)
    other = BackgroundTask(second)
    if connection.vendor == "postgresql":
        servers.wait_until(lambda: not other.is_alive() or _has_lock_waiter(), every=0.005)
    else:
        other.join(GRACE)
    go_on.set()
    one.join(TIMEOUT)
    other.join(TIMEOUT)
    return one.result, other.result


def _has_lock_waiter():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return cursor.fetchone()[0]
