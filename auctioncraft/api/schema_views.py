"""The schema and the docs page: the views that respond with something other than JSON."""

from __future__ import annotations

from typing import Any

from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from auctioncraft.api.renderers import JSONRenderer


class _PublicView(APIView):
    """Public, in the format that the client accepts, else 406."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    content_negotiation_class = DefaultContentNegotiation

    def handle_exception(self, exc: Exception) -> Any:
        """Render errors as JSON; DRF would render them like the document."""
        self.request.accepted_renderer, self.request.accepted_media_type = JSONRenderer(), JSONRenderer.media_type
        return super().handle_exception(exc)


class SchemaView(_PublicView, SpectacularAPIView):
    """The schema, as YAML or JSON."""


class DocsView(_PublicView, SpectacularSwaggerSplitView):
    """Swagger UI. Its script has its own URL (`?script=`), so that the page needs no inline script."""
