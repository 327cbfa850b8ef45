"""The Celery application. Its jobs and queues: auctioncraft/core/jobs.py."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.utils.log import configure_logging
from kombu import Exchange, Queue
from structlog.contextvars import bind_contextvars, clear_contextvars

from auctioncraft.core import jobs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")

app = Celery("auctioncraft")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = jobs.SCHEDULE
app.conf.task_default_queue = jobs.DEFAULT
# Each with its own exchange: queues that share one all get every message. A worker without --queues serves them all.
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in jobs.THREADS]


@signals.setup_logging.connect
def _configure_logging(**_: Any) -> None:
    """Apply Django's LOGGING, in place of Celery's own levels and formats."""
    configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)


@signals.task_prerun.connect
def _bind_task(task_id: str, task: Any, **_: Any) -> None:
    """Name the task in every log line from here on."""
    bind_contextvars(task=task.name, task_id=task_id)


@signals.task_postrun.connect
def _unbind_task(**_: Any) -> None:
    clear_contextvars()
