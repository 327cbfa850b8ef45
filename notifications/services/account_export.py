"""All notifications data about a user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django.db.models import Case, F, Q, When

from notifications.models import EmailDelivery, Notification, Preference

if TYPE_CHECKING:
    from accounts.models import User

_NOTIFICATION: Final = ("id", "kind", "title", "message", "product", "in_app", "mailed", "created_at", "read_at")


def export_account(*, user: User) -> dict[str, list[dict[str, Any]]]:
    """Return the user's notifications, emails and preferences. A code's email names only when it was requested."""
    notifications = Notification.objects.filter(recipient=user).order_by("pk")
    # Who requests codes for an address that the user never proved is another person.
    proved_email = user.email if user.email_verified_at else None
    emails = EmailDelivery.objects.filter(
        Q(notification__recipient=user) | Q(code__email=proved_email) | Q(code__account=user)
    ).order_by("pk")
    return {
        "notifications": list(notifications.values(*_NOTIFICATION)),
        "mails": list(
            emails.values(
                "notification",
                "attempts",
                "sent_at",
                given_up_at=Case(When(next_attempt_at=None, then="last_attempt_at")),
                code_asked_at=F("code__created_at"),
                due_at=F("next_attempt_at"),
                error=F("last_error"),
            )
        ),
        "notification_preferences": list(Preference.objects.filter(user=user).values("kind", "in_app", "mail")),
    }
