"""What this app keeps about somebody, for themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Q

from notifications.models import EmailDelivery, Notification, Preference

if TYPE_CHECKING:
    from accounts.models import User

_NOTICE: Final = ("id", "kind", "title", "message", "product", "in_app", "mailed", "created_at", "read_at")
_MAIL: Final = ("notification", "code__created_at", "due_at", "attempts", "sent_at", "given_up_at", "error")


def export_account(*, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return their notices, when mails of these and of codes (told by their moment) went out, and what they switched.

    Three queries.
    """
    of_codes = Q(code__email=user.email) | Q(code__account=user)
    mails = EmailDelivery.objects.filter(Q(notification__recipient=user) | of_codes).order_by("pk")
    return {
        "notifications": list(Notification.objects.filter(recipient=user).order_by("pk").values(*_NOTICE)),
        "mails": [
            {"code_asked_at" if name == "code__created_at" else name: value for name, value in row.items()}
            for row in mails.values(*_MAIL)
        ],
        "notification_preferences": list(Preference.objects.filter(user=user).values("kind", "in_app", "mail")),
    }
