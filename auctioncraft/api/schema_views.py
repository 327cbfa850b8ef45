"""The schema and its page: what is not JSON, but for its refusals."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from auctioncraft.api.renderers import JSONRenderer


class _Document(APIView):
    """Open to everybody, in the form that was asked for: 406 if there is no such form."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = DefaultContentNegotiation

    def handle_exception(self, exc: Exception) -> Any:
        """Refuse in the one shape, where DRF would write the error as the document is written."""
        answer = super().handle_exception(exc)
        renderer = JSONRenderer()
        answer.accepted_renderer, answer.accepted_media_type = renderer, renderer.media_type
        self.request.accepted_renderer, self.request.accepted_media_type = renderer, renderer.media_type
        return answer


class SchemaView(_Document, SpectacularAPIView):
    """The schema, as YAML or JSON."""


class DocsView(_Document, SpectacularSwaggerSplitView):
    """Swagger UI. Its script has an address of its own (`?script=`), so that no script need stand in the page."""
