"""The Celery application: `celery -A auctioncraft worker -B`.

Every job is an idempotent sweep over rows that say what is to be done (ADR 0003), so a lost or doubled message costs
a second, never a mail.
"""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")

app = Celery("auctioncraft")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# A sweep that was not run within its second is pointless to run later: the next one does its work.
app.conf.beat_schedule = {
    name: {"task": name, "schedule": every, "options": {"expires": max(every, 2)}}
    for name, every in {
        "auctions.close_due": 1.0,
        "notifications.write_notices": 1.0,
        "notifications.deliver": 1.0,
        "payments.process_events": 5.0,
    }.items()
}
