"""Notifications over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.authentication import current_user
from auctioncraft.api.parse_body import ParseBodyMixin
from notifications.filters import NotificationFilter
from notifications.models import Notification
from notifications.pagination import NotificationPagination
from notifications.serializers import NotificationSerializer, UnreadCountSerializer
from notifications.services import inbox

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class NotificationViewSet(ParseBodyMixin, ListModelMixin, GenericViewSet):
    """Your notifications, newest first."""

    queryset = Notification.objects.all()
    serializer_class = NotificationSerializer
    pagination_class = NotificationPagination
    filterset_class = NotificationFilter
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> QuerySet[Notification]:
        """Return the user's notifications that are shown in the app."""
        rows: QuerySet[Notification] = Notification.objects.shown(self.request.user.pk)
        return rows

    @extend_schema(request=None, responses=NotificationSerializer)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, **_: Any) -> Response:  # noqa: ARG002 (DRF's signature)
        """Mark a notification as read."""
        return Response(self.get_serializer(inbox.mark_read(notification=self.get_object())).data)

    @extend_schema(request=None, responses=UnreadCountSerializer)
    @action(detail=False, methods=["post"])
    def read_all(self, request: Request) -> Response:
        """Mark all your notifications as read."""
        inbox.mark_all_read(recipient=current_user(request))
        return Response({"unread_count": 0})
