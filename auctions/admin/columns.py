"""Columns of the admin's pages that not all staff see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.http import HttpRequest


class SuperuserOnlyFields:
    """Hides fields from staff who are not superusers: hidden maxima and reserve prices."""

    superuser_only: tuple[Any, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        return fields if request.user.is_superuser else [field for field in fields if field not in self.superuser_only]
