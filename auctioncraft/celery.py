"""The Celery application: `celery -A auctioncraft worker -B`.

Every job is an idempotent sweep over rows that say what is to be done (ADR 0003), so a lost or doubled message costs
a second, never a mail.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.utils.log import configure_logging
from structlog.contextvars import bind_contextvars, clear_contextvars

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")

app = Celery("auctioncraft")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A sweep that was not run within its second is pointless to run later: the next one does its work.
app.conf.beat_schedule = {
    name: {"task": name, "schedule": every, "options": {"expires": max(every, 2)}}
    for name, every in {
        "auctions.close_due": 1.0,
        "notifications.write_notifications": 1.0,
        "notifications.send_due_emails": 1.0,
        "auctions.lapse_offers": 5.0,
        "payments.process_events": 5.0,
        "payments.follow_up_orders": 5.0,
        "payments.send_refunds": 5.0,
        "payments.charge_winners": 5.0,
        "payments.send_payouts": 10.0,
        "notifications.notify_ending_soon": 30.0,
        "payments.cancel_stale_intents": 60.0,
        "payments.delete_customers": 60.0,
        "payments.reconcile": 3600.0,
        "accounts.purge": 3600.0,
    }.items()
}


@signals.setup_logging.connect
def _log_as_everybody(**_: Any) -> None:
    """Leave the log to Django's settings. Without this Celery sets a level and formats of its own."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


@signals.task_prerun.connect
def _name_task(task_id: str, task: Any, **_: Any) -> None:
    """Have every line from here on say which task it is of."""
    bind_contextvars(task=task.name, task_id=task_id)


@signals.task_postrun.connect
def _forget_task(**_: Any) -> None:
    clear_contextvars()
