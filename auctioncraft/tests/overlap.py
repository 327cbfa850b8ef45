"""Two pieces of work that overlap for certain: one stops in its transaction until the other waits for it or is done."""

import threading

from django.db import connection, transaction

from auctioncraft.tests import servers

LATEST = 20  # seconds: for what should come at once
GRACE = 0.3  # seconds in which SQLite, which does not tell who waits for it, would let a second writer through


class Running(threading.Thread):
    """Work in a thread; `result` is what it returned or raised."""

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


def meanwhile(first, second):
    """Let `first` work and stop before its COMMIT, `second` run as far as it gets, and `first` commit.

    Return both results: what was returned or raised.
    """

    def stopped(stop):
        with transaction.atomic():
            result = first()
            stop()
        return result

    return overlapping(stopped, second)


def overlapping(first, second):
    """As `meanwhile`; `first` gets what it calls where it is to stop."""
    worked, go_on = threading.Event(), threading.Event()

    def stop():
        worked.set()
        assert go_on.wait(LATEST)

    one = Running(lambda: first(stop))
    servers.until(lambda: worked.is_set() or not one.is_alive(), every=0.005)
    other = Running(second)
    if connection.vendor == "postgresql":
        servers.until(lambda: not other.is_alive() or _somebody_waits(), every=0.005)
    else:
        other.join(GRACE)
    go_on.set()
    one.join(LATEST)
    other.join(LATEST)
    return one.result, other.result


def _somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock')"
        )
        return cursor.fetchone()[0]
