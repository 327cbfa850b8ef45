"""Send the emails that wait as EmailDelivery rows (core/retry.py, ADR 0003).

A worker that is killed loses no email: its lease ends and another worker takes over. If it is killed after sending and
before recording that, the email is sent twice with the same Message-ID.

One-time codes have a job of their own, so that they never wait for other emails.

Nobody's mailbox is flooded: of the same kind about the same product a member gets one email an hour, with the newest
state. The notifications in the app are complete.
"""

from __future__ import annotations

import logging
import smtplib
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.core import mail
from django.db.models import Max, Q, QuerySet

from accounts.models import OneTimeCode, User
from accounts.services.account_states import may_be_mailed
from auctioncraft.core import clock, retry
from auctioncraft.core.purge import delete_in_batches, oldest
from notifications.email import STAFF_ACTION_SOURCE, compose
from notifications.models import EmailDelivery

if TYPE_CHECKING:
    from datetime import datetime

    from django.core.mail.backends.base import BaseEmailBackend

    from notifications.models import EmailDeliveryQuerySet, Notification

logger = logging.getLogger(__name__)

DELIVERY_RETENTION: Final = timedelta(days=90)


class MailServerAway(retry.AttemptFailed):
    """The mail server refuses the connection or does not answer in time (EMAIL_TIMEOUT)."""


CODE_POLICY: Final = retry.RetryPolicy(
    first_delay=timedelta(seconds=2), longest_delay=timedelta(seconds=15), max_attempts=60, stop_on=(MailServerAway,)
)
# 60 attempts with up to an hour between them: about two days. While the mail server is away no email is given up.
NOTIFICATION_POLICY: Final = retry.RetryPolicy(
    first_delay=timedelta(seconds=10), longest_delay=timedelta(hours=1), max_attempts=60, stop_on=(MailServerAway,)
)

# Between two emails of the same kind about the same product to one member.
INTERVAL: Final = timedelta(hours=1)


def send_codes() -> int:
    """Send the one-time codes that are due; return how many were sent. Must not be called in a transaction."""
    return _send_due(EmailDelivery.objects.filter(code__isnull=False), CODE_POLICY)


def send_notification_emails() -> int:
    """Send the notification emails that are due; return how many were sent. Must not be called in a transaction."""
    return _send_due(EmailDelivery.objects.filter(notification__isnull=False), NOTIFICATION_POLICY)


def restart(deliveries: QuerySet[EmailDelivery]) -> int:
    """Make the emails that are not sent due, also those given up; return how many. A job sends them."""
    return retry.restart(deliveries.filter(sent_at__isnull=True))


def purge() -> int:
    """Delete the deliveries that were sent or given up 90 days ago; return how many. A job."""
    return delete_in_batches(lambda now: oldest(EmailDelivery).filter(_ended_before(now - DELIVERY_RETENTION)))


def _ended_before(at: datetime) -> Q:
    return Q(sent_at__lt=at) | Q(sent_at__isnull=True, next_attempt_at__isnull=True, last_attempt_at__lt=at)


def _send_due(deliveries: EmailDeliveryQuerySet, policy: retry.RetryPolicy) -> int:
    pending = deliveries.waiting().select_related("notification__recipient", "code__account")
    connection = _Connection()
    try:
        return retry.process_due(pending, connection.send, policy=policy)
    finally:
        connection.close()


class _Connection:
    """A connection to the mail server: opened for the first email, and again after one that failed."""

    def __init__(self) -> None:
        self._backend: BaseEmailBackend | None = None

    def send(self, delivery: EmailDelivery) -> None:
        """Send one email and record it. Raises GiveUp, MailServerAway, AttemptFailed."""
        if reason := _find_obstacle(delivery):
            raise retry.GiveUp(reason)
        if delivery.notification:
            _hold_back(delivery, delivery.notification)
        try:
            if self._backend is None:
                self._open()
            compose(delivery, self._backend).send()
        except retry.AttemptFailed:
            raise
        except Exception as error:
            self.close()
            is_away = isinstance(error, (TimeoutError, smtplib.SMTPServerDisconnected))
            raise (MailServerAway if is_away else retry.AttemptFailed)(_describe(error)) from error
        EmailDelivery.objects.filter(pk=delivery.pk).update(sent_at=clock.now())

    def _open(self) -> None:
        backend: BaseEmailBackend = mail.get_connection()
        try:
            backend.open()
        except Exception as error:
            raise MailServerAway(_describe(error)) from error
        self._backend = backend

    def close(self) -> None:
        """Close the connection, which may be broken."""
        backend, self._backend = self._backend, None
        if backend is None:
            return
        try:
            backend.close()
        except Exception as error:  # noqa: BLE001 (backends raise anything; what was sent is sent)
            logger.info("closing the connection to the mail server: %s", type(error).__name__)


def _hold_back(delivery: EmailDelivery, notification: Notification) -> None:
    """Raise GiveUp if a newer email about the same is waiting, RetryLater if one was sent less than an hour ago."""
    if notification.product_id is None:
        return
    same = EmailDelivery.objects.about_the_same(notification).exclude(pk=delivery.pk)
    if same.waiting().filter(notification__gt=notification.pk).exists():
        raise retry.GiveUp("replaced by a newer one")
    now = clock.now()
    sent_at = same.filter(sent_at__gt=now - INTERVAL).aggregate(last=Max("sent_at"))["last"]
    if sent_at is not None:
        raise retry.RetryLater(sent_at + INTERVAL - now)


def _describe(error: Exception) -> str:
    """Return the error's type, and its SMTP code. Its text may quote the email, and with it a one-time code."""
    name = type(error).__name__
    return f"{name} {error.smtp_code}" if isinstance(error, smtplib.SMTPResponseException) else name


def _find_obstacle(delivery: EmailDelivery) -> str:
    """Return why this email must not be sent, or an empty string."""
    if delivery.code:
        return _find_code_obstacle(delivery.code)
    notification = delivery.notification
    if notification and notification.source.startswith(STAFF_ACTION_SOURCE):
        # It may say that the account was disabled.
        return "" if notification.recipient.email_verified_at else "address not verified"
    if notification is None or not notification.recipient.is_active:
        return "recipient disabled"
    return "" if may_be_mailed(notification.recipient) else "address not verified"


def _find_code_obstacle(code: OneTimeCode) -> str:
    is_active = User.objects.filter(email=code.email).values_list("is_active", flat=True).first()
    if is_active is False or (code.account and not code.account.is_active):
        return "recipient disabled"
    if code.purpose == OneTimeCode.Purpose.RESET and is_active is None:
        return "no account"  # not known to the client who requested the code
    if code.consumed_at is not None:
        return "code used or superseded"
    return "code expired" if code.expires_at <= clock.now() else ""
