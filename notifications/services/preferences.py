"""Preferences: which kinds of notifications a user gets, in the app and by email."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from accounts.services import account_states
from accounts.services.account_states import Action
from auctioncraft.core.errors import Invalid
from notifications.kinds import OPTIONAL_KINDS
from notifications.models import Preference

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from accounts.models import User
    from notifications.models import Notification

CHANNELS: Final = ("in_app", "mail")

Channels = dict[str, bool]

_DEFAULT: Final[Channels] = dict.fromkeys(CHANNELS, True)


def get_preferences(*, user: User) -> dict[str, Channels]:
    """Return the user's preference for every optional kind; by default all channels are on."""
    rows = {row.kind: {"in_app": row.in_app, "mail": row.mail} for row in Preference.objects.filter(user=user)}
    return {kind: rows.get(kind, _DEFAULT) for kind in OPTIONAL_KINDS}


def set_preferences(*, user: User, changes: Mapping[str, Mapping[str, bool]]) -> None:
    """Change the given channels for notifications written from now on. The caller has locked `user`.

    Raises Invalid for an unknown kind, a kind that is not optional, and an unknown channel; EmailNotVerified.
    """
    account_states.check_allowed(user_id=user.pk, action=Action.CHOOSE_NOTIFICATIONS)
    if not changes.keys() <= set(OPTIONAL_KINDS):
        raise Invalid(notifications=f"Use one of these kinds: {', '.join(OPTIONAL_KINDS)}.")
    if not all(channels.keys() <= set(CHANNELS) for channels in changes.values()):
        raise Invalid(notifications=f"Use one of these channels: {', '.join(CHANNELS)}.")
    before = get_preferences(user=user)
    after = {kind: before[kind] | dict(channels) for kind, channels in changes.items()}
    changed = {kind: channels for kind, channels in after.items() if channels != before[kind]}
    if not changed:
        return
    Preference.objects.filter(user=user, kind__in=changed).delete()
    Preference.objects.bulk_create(
        Preference(user=user, kind=kind, **channels) for kind, channels in changed.items() if channels != _DEFAULT
    )


def apply_preferences(notifications: Collection[Notification]) -> None:
    """Set `in_app` and `mailed` on unsaved notifications as their recipients chose. One query at most."""
    kinds = {notification.kind for notification in notifications}.intersection(OPTIONAL_KINDS)
    if not kinds:
        return
    users = {notification.recipient_id for notification in notifications if notification.kind in kinds}
    found = Preference.objects.filter(user__in=users, kind__in=kinds).order_by()
    rows = {(row.user_id, row.kind): row for row in found}
    for notification in notifications:
        if row := rows.get((notification.recipient_id, notification.kind)):
            notification.in_app, notification.mailed = row.in_app, row.mail
