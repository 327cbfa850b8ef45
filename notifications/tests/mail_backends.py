"""Email backends for tests: mail servers that fail in different ways."""

import smtplib
from typing import ClassVar

from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db import connection

PATH = "notifications.tests.mail_backends."


class Unreachable(EmailBackend):
    """Refuses the connection."""

    attempts: ClassVar[list[str]] = []

    def open(self):
        self.attempts.append("open")
        raise ConnectionRefusedError("mail.example.com")


class Hanging(EmailBackend):
    """Accepts the connection and times out on every message."""

    attempts: ClassVar[list[str]] = []

    def send_messages(self, messages):
        self.attempts.append(messages[0].subject)
        raise TimeoutError("timed out")


class RejectsBadAddresses(EmailBackend):
    """Rejects messages to addresses that begin with `bad`."""

    def send_messages(self, messages):
        if any(address.startswith("bad") for message in messages for address in message.to):
            raise smtplib.SMTPDataError(552, f"cannot accept {messages[0].body}".encode())
        return super().send_messages(messages)


class RecordsTransactions(EmailBackend):
    """Records whether it was called inside a transaction."""

    in_transaction: ClassVar[list[bool]] = []

    def send_messages(self, messages):
        self.in_transaction.append(connection.in_atomic_block)
        return super().send_messages(messages)


def subjects():
    return [message.subject for message in mail.outbox]
