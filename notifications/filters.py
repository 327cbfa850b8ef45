"""The query parameters of this app's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django_filters

from auctioncraft.api.filters import BooleanFilter

if TYPE_CHECKING:
    from django.db.models import QuerySet


class NotificationFilter(django_filters.FilterSet):  # type: ignore[misc]  # the library has no types
    """The parameters of the list of notifications."""

    unread = BooleanFilter(method="filter_unread", label="`true`: only notifications that are not read.")

    def filter_unread(self, notifications: QuerySet[Any], _: str, value: bool) -> QuerySet[Any]:  # noqa: FBT001 (django-filter's signature)
        """Return the unread ones, or all."""
        return notifications.filter(read_at__isnull=True) if value else notifications
