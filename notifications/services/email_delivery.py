"""Sending what waits to be mailed: claim, send, mark (ADR 0003).

The claim is committed before anything is sent and the mark is written after, so a worker killed at any moment loses
no mail: its lease runs out and another takes over. Killed between the sending and the mark, that mail goes out twice,
with the same Message-ID, by which the second can be recognised.
"""

from __future__ import annotations

import logging
import smtplib
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.core import mail
from django.db import transaction
from django.db.models import F

from accounts.models import OneTimeCode, User
from auctioncraft.core import clock
from notifications.email import compose
from notifications.models import EmailDelivery

if TYPE_CHECKING:
    from django.core.mail.backends.base import BaseEmailBackend

logger = logging.getLogger(__name__)

BATCH: Final = 20  # mails per claim
LEASE: Final = timedelta(seconds=60)
# How long a claim may be worked on. What is left is handed back: the last mail begun has half the lease to end.
SENDING: Final = 30.0
MOST_ATTEMPTS: Final = 60  # with waits of up to an hour: more than two days
CODE_PRIORITY: Final = 0


def request_code(*, code: OneTimeCode) -> None:
    """Have a one-time code mailed, before anything else; in the caller's transaction."""
    EmailDelivery.objects.create(code=code, priority=CODE_PRIORITY)


def wait_after(attempts: int, priority: int) -> timedelta:
    """Return how long to wait after the given number of failures: doubling, to an hour; to 15 s for codes."""
    first, most = (2, 15) if priority == CODE_PRIORITY else (10, 3600)
    return timedelta(seconds=min(first * 2 ** min(attempts - 1, 20), most))


def send_due_emails(*, limit: int = BATCH, seconds: float = 20) -> int:
    """Send everything that is due, codes first, `limit` a claim; return how many mails went out.

    Must not be called in a transaction: it commits its claim, then talks to the mail server. A failure is kept on its
    row and tried again later, each time later, and given up after 60 tries. Claims nothing new after `seconds`.
    """
    until = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < until and (batch := _claim(limit)):
        sent += _send(batch)
    return sent


def _claim(limit: int) -> list[EmailDelivery]:
    """Take a lease on what is due: hidden from other workers for 60 s, the attempt counted. Committed on return."""
    if not EmailDelivery.objects.due(clock.now()).exists():
        return []  # without taking SQLite's one lock for nothing
    with transaction.atomic(durable=True):
        now = clock.now()
        due = EmailDelivery.objects.due(now).select_for_update(skip_locked=True, no_key=True, of=("self",))
        ids = list(due.values_list("pk", flat=True)[:limit])
        EmailDelivery.objects.filter(pk__in=ids).update(due_at=now + LEASE, attempts=F("attempts") + 1)
    claimed = EmailDelivery.objects.filter(pk__in=ids).select_related("notification__recipient", "code__account")
    return list(claimed.order_by("priority", "pk"))


def _send(batch: list[EmailDelivery]) -> int:
    until = time.monotonic() + SENDING
    connection: BaseEmailBackend = mail.get_connection()
    now = clock.now()
    active = _accounts(batch)
    sent = 0
    opened = False
    try:
        for done, delivery in enumerate(batch):
            if time.monotonic() > until:
                _hand_back(batch[done:])
                break
            if reason := _why_not(delivery, now, active):
                _give_up(delivery, reason)
                continue
            try:
                if not opened:
                    connection.open()
                    opened = True
                compose(delivery, connection).send()
            except Exception as error:  # noqa: BLE001 (backends raise what they like)
                _failed(delivery, error)
                if not opened:
                    # The mail server is away. One wait for its time-out is enough.
                    for other in batch[done + 1 :]:
                        _failed(other, error)
                    break
                _close(connection)
                continue
            EmailDelivery.objects.filter(pk=delivery.pk).update(sent_at=clock.now(), error="")
            sent += 1
    finally:
        _close(connection)
    return sent


def _close(connection: BaseEmailBackend) -> None:
    """Close a connection that may be broken; the next mail opens a new one by itself."""
    try:
        connection.close()
    except Exception as error:  # noqa: BLE001 (as above; what was sent is sent)
        logger.info("closing the connection to the mail server: %s", type(error).__name__)


def _accounts(batch: list[EmailDelivery]) -> dict[str, bool]:
    """Return which of the codes' addresses have an account, and whether it is active."""
    addresses = [delivery.code.email for delivery in batch if delivery.code]
    if not addresses:
        return {}
    return dict(User.objects.filter(email__in=addresses).values_list("email", "is_active"))


def _why_not(delivery: EmailDelivery, now: datetime, active: dict[str, bool]) -> str:
    """Return why a mail should not go out at all; empty if it should."""
    if delivery.attempts > MOST_ATTEMPTS:
        return "too many attempts"  # also the one that kills every worker before it can be marked
    if code := delivery.code:
        return _why_no_code(code, now, active)
    notification = delivery.notification
    return "" if notification and notification.recipient.is_active else "recipient disabled"


def _why_no_code(code: OneTimeCode, now: datetime, active: dict[str, bool]) -> str:
    if not active.get(code.email, True) or (code.account and not code.account.is_active):
        return "recipient disabled"
    if code.purpose == OneTimeCode.Purpose.RESET and code.email not in active:
        return "no account"  # a password for none; whoever asked cannot tell
    if code.consumed_at is not None:
        return "code used or superseded"
    return "code expired" if code.expires_at <= now else ""


def _failed(delivery: EmailDelivery, error: Exception) -> None:
    """Keep the failure and wait; only if the lease is still ours, for another worker may have sent it meanwhile.

    The error's name alone is kept: its text may quote the mail, and with it a code.
    """
    name = type(error).__name__
    if isinstance(error, smtplib.SMTPResponseException):
        name = f"{name} {error.smtp_code}"
    logger.warning("delivery %s failed, attempt %s: %s", delivery.pk, delivery.attempts, name)
    if delivery.attempts >= MOST_ATTEMPTS:
        _give_up(delivery, name)
        return
    wait = wait_after(delivery.attempts, delivery.priority)
    EmailDelivery.objects.held(delivery).update(due_at=clock.now() + wait, error=name)


def _give_up(delivery: EmailDelivery, reason: str) -> None:
    logger.warning("delivery %s given up: %s", delivery.pk, reason)
    EmailDelivery.objects.held(delivery).update(given_up_at=clock.now(), error=reason)


def _hand_back(rest: list[EmailDelivery]) -> None:
    """End our lease on what there was no time for; it was not an attempt."""
    for delivery in rest:
        EmailDelivery.objects.held(delivery).update(due_at=clock.now(), attempts=F("attempts") - 1)
