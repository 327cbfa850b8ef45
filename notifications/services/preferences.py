"""How somebody wants to be told of what: each kind that can be switched off, in the app and by mail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from auctioncraft.core.errors import Invalid
from notifications.kinds import KINDS, SWITCHABLE
from notifications.models import Preference

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from accounts.models import User
    from notifications.models import Notification

CHANNELS: Final = ("in_app", "mail")

Channels = dict[str, bool]


def chosen(*, user: User) -> dict[str, Channels]:
    """Return it for every kind that can be switched off: as they chose, else as the kind does by itself."""
    rows = {row.kind: row for row in Preference.objects.filter(user=user)}
    return {
        kind: {"in_app": rows[kind].in_app, "mail": rows[kind].mail} if kind in rows else _by_itself(kind)
        for kind in SWITCHABLE
    }


def choose(*, user: User, wanted: Mapping[str, Mapping[str, bool]]) -> None:
    """Change what is given, for what is written from now on; in the caller's transaction, which has locked `user`.

    Raises Invalid for a kind that there is not or that cannot be switched off, and for a channel that there is not.
    """
    if not wanted.keys() <= set(SWITCHABLE):
        raise Invalid(notifications=f"These can be switched off: {', '.join(SWITCHABLE)}.")
    if not all(channels.keys() <= set(CHANNELS) for channels in wanted.values()):
        raise Invalid(notifications=f"Each is switched by {' and '.join(CHANNELS)}.")
    before = chosen(user=user)
    after = {kind: before[kind] | dict(channels) for kind, channels in wanted.items()}
    changed = {kind: channels for kind, channels in after.items() if channels != before[kind]}
    if not changed:
        return
    Preference.objects.filter(user=user, kind__in=changed).delete()
    Preference.objects.bulk_create(
        Preference(user=user, kind=kind, **channels)
        for kind, channels in changed.items()
        if channels != _by_itself(kind)
    )


def apply(notices: Collection[Notification]) -> None:
    """Set on notices that are about to be written whether they are shown and mailed: one query, or none."""
    kinds = {notice.kind for notice in notices}.intersection(SWITCHABLE)
    if not kinds:
        return
    people = {notice.recipient_id for notice in notices if notice.kind in kinds}
    found = Preference.objects.filter(user__in=people, kind__in=kinds).order_by()
    rows = {(row.user_id, row.kind): row for row in found}
    for notice in notices:
        if row := rows.get((notice.recipient_id, notice.kind)):
            notice.in_app, notice.mailed = row.in_app, row.mail


def forget(*, user: User) -> None:
    """Delete what somebody chose."""
    Preference.objects.filter(user=user).delete()


def _by_itself(kind: str) -> Channels:
    return {"in_app": True, "mail": KINDS[kind].mails}
