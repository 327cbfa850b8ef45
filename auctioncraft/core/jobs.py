"""A job of the worker: a sweep over rows that say what is to be done (ADR 0003)."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from celery import shared_task

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

logger = logging.getLogger(__name__)


def periodic_job(name: str) -> Callable[[Callable[[], Any]], Any]:
    """Make a function a Celery task that a worker process never runs twice at once.

    Beat sends each sweep every second; one that is held up (a mail server that hangs) must not fill the worker's
    threads while auctions wait to be closed. Workers may run the same sweep side by side: they claim rows.
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
        return shared_task(name=name)(run)

    return decorate


def process_each(
    work: Callable[..., bool],
    rows: Iterable[tuple[Any, ...]],
    *,
    until: tuple[type[Exception], ...] | type[Exception] = (),
) -> int:
    """Do `work` with each row as its arguments; return for how many it was done.

    A row that fails is logged and the others go on: the longest overdue comes first at every sweep, and would keep
    them waiting for ever. An error of `until` says that somebody whom all of them need is away: the rest is left for
    the next sweep, rather than waiting for a time-out each.
    """
    done = 0
    for row in rows:
        try:
            done += work(*row)
        except until:
            break
        except Exception:  # whatever is wrong with one row
            logger.exception("%s failed for %s", work.__qualname__, row)
    return done
