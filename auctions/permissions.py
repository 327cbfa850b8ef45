"""Permissions of this app's endpoints."""

from rest_framework.permissions import SAFE_METHODS, BasePermission


class IsStaffOrReadOnly(BasePermission):
    """Everyone can read, staff can write."""

    def has_permission(self, request, view):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201, ARG002, D102
        return request.method in SAFE_METHODS or bool(request.user.is_authenticated and request.user.is_staff)
