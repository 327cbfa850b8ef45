"""Mail servers that behave badly."""

from typing import ClassVar

from django.core import mail
from django.core.mail.backends.locmem import EmailBackend


class Away(EmailBackend):
    """Refuses the connection."""

    def open(self):
        raise ConnectionRefusedError("mail.example.com")


class Choosy(EmailBackend):
    """Takes every mail but those to an address that begins with `bad`."""

    def send_messages(self, messages):
        if any(address.startswith("bad") for message in messages for address in message.to):
            raise ValueError(f"won't take {messages[0].subject}")
        return super().send_messages(messages)


class Watched(EmailBackend):
    """Notes whether it was called inside a transaction."""

    inside: ClassVar[list[bool]] = []

    def send_messages(self, messages):
        from django.db import connection

        self.inside.append(connection.in_atomic_block)
        return super().send_messages(messages)


def subjects():
    return [message.subject for message in mail.outbox]


PATH = "notifications.tests.mailboxes."
