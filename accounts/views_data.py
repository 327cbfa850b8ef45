"""One's own data over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.authentication import current_user
from accounts.serializers_data import ExportSerializer
from accounts.services import export
from accounts.views import NoStoreViewSet

if TYPE_CHECKING:
    from rest_framework.request import Request


class ExportViewSet(NoStoreViewSet):
    """All of one's data."""

    @extend_schema(operation_id="users_me_export_retrieve", responses=ExportSerializer)
    def list(self, request: Request) -> Response:
        """Take out all that is kept about oneself, as one JSON file."""
        # Rows of many kinds, made to be written: going through fields would add nothing.
        answer = Response(export.export(user=current_user(request)))
        answer.headers["Content-Disposition"] = 'attachment; filename="auctioncraft-export.json"'
        return answer
