"""Periodic jobs: what the workers do every few seconds, and the queue that each job waits in.

A job works on rows that say what is to be done (ADR 0003), so a message that is lost or doubled costs a second, never
an e-mail. An app declares its jobs in `tasks.py`:

    send_refunds = periodic_job("payments.send_refunds", every=5, queue=STRIPE)(refunds.send_due)

Each queue has a worker process of its own: a Stripe or a mail server that hangs never delays a close, and a Stripe that
hangs never delays a code. A worker has a thread for each job of its queue, and runs a job once at a time, so there is
always a thread to take a message and to drop it if the job is still busy: messages never pile up.
The price is two more processes of about 130 MB; threads that wait cost next to nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from celery import shared_task
from django.db.models import Q

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from django.db.models import QuerySet

logger = logging.getLogger(__name__)

DEFAULT: Final = "default"  # closes, notifications, purges: nothing that waits for another machine
MAIL: Final = "mail"
STRIPE: Final = "stripe"
# The threads of each queue's worker: exactly one for each job. The Procfile repeats them.
THREADS: Final = {DEFAULT: 12, MAIL: 2, STRIPE: 8}

# How many rows rows_by_time() reads at once.
PAGE_SIZE: Final = 200

# Celery beat's schedule. The apps' tasks fill it as they are imported.
SCHEDULE: Final[dict[str, dict[str, Any]]] = {}


def periodic_job(name: str, *, every: float, queue: str = DEFAULT) -> Callable[[Callable[[], Any]], Any]:
    """Make a function a job that starts every so many seconds, unless this process is still running it.

    Workers of several machines may run the same job side by side: they claim rows.
    """

    def decorate(work: Callable[[], Any]) -> Any:
        running = threading.Lock()

        def run() -> None:
            if running.acquire(blocking=False):
                try:
                    work()
                finally:
                    running.release()

        run.__doc__ = work.__doc__
        # A message that waited longer than the period is dropped: the next one does its work.
        options = {"queue": queue, "expires": max(every, 2)}
        SCHEDULE[name] = {"task": name, "schedule": every, "options": options}
        return shared_task(name=name)(run)

    return decorate


def process_each(work: Callable[..., bool], rows: Iterable[tuple[Any, ...]], *, seconds: float = 20) -> int:
    """Call `work` with each row as its arguments, each in its own transaction; return for how many it returned True.

    For work inside our database; calls to other services go through core/retry.py. A row that fails is logged and the
    others go on; the traceback is logged once for each type of error. Begins nothing after `seconds`: the rest is for
    the next run.
    """
    end = time.monotonic() + seconds
    done = 0
    types: set[type[Exception]] = set()
    for row in rows:
        if time.monotonic() > end:
            break
        try:
            done += work(*row)
        except Exception as error:  # whatever is wrong with one row
            is_new = type(error) not in types
            types.add(type(error))
            logger.exception("%s failed for %s: %r", work.__qualname__, row, error, exc_info=is_new)  # noqa: TRY401 (the error without traceback)
    return done


def rows_by_time(rows: QuerySet[Any], time_field: str, *columns: str) -> Iterator[tuple[Any, ...]]:
    """Yield the columns of all rows, the earliest first; read page by page, as process_each() needs them.

    Each page begins after the last row of the one before, so rows that fail again and again never fill the first page
    and keep later rows from their turn.
    """
    page = rows = rows.order_by(time_field, "pk")
    while True:
        found = list(page.values_list(time_field, "pk", *columns)[:PAGE_SIZE])
        yield from (row[2:] for row in found)
        if len(found) < PAGE_SIZE:
            return
        at, pk, *_ = found[-1]
        page = rows.filter(Q(**{f"{time_field}__gt": at}) | Q(pk__gt=pk), **{f"{time_field}__gte": at})
