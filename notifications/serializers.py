"""Notifications in responses."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from notifications.models import Notification


class NotificationSerializer(serializers.ModelSerializer):
    """A notification. Kinds may be added; clients should ignore unknown ones."""

    product = serializers.IntegerField(source="product_id", allow_null=True, read_only=True)
    is_read = serializers.BooleanField(read_only=True)

    class Meta:
        model = Notification
        fields: ClassVar = ("id", "kind", "title", "message", "product", "is_read", "created_at")
        read_only_fields: ClassVar = fields


class UnreadCountSerializer(serializers.Serializer):
    """The number of unread notifications."""

    unread_count = serializers.IntegerField(min_value=0)
