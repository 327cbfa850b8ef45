"""A table of rows to retry."""

from datetime import timedelta

from django.apps.registry import Apps
from django.db import models

from auctioncraft.core import clock
from auctioncraft.core.retry import RetryModel, RetryPolicy

SECOND = timedelta(seconds=1)


class FarSideAway(Exception):
    pass


class Letter(RetryModel):
    done = models.BooleanField(default=False)

    class Meta:
        apps = Apps()
        app_label = "retry_tests"


POLICY = RetryPolicy(first_delay=10 * SECOND, longest_delay=60 * SECOND, max_attempts=3, stop_on=(FarSideAway,))


def pending():
    return Letter.objects.filter(done=False)


def letters(count, **fields):
    start = clock.now() - timedelta(hours=1)
    return [Letter.objects.create(next_attempt_at=start + number * SECOND, **fields) for number in range(count)]


def finish(letter):
    Letter.objects.filter(pk=letter.pk).update(done=True)


def failing(error):
    def work(letter):
        raise error

    return work


def make_due():
    Letter.objects.update(next_attempt_at=clock.now() - SECOND)
