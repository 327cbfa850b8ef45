"""The schema and the docs page: the views that respond with something other than JSON."""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.views import APIView

from auctioncraft.api.renderers import JSONRenderer
from auctioncraft.core.errors import Unavailable

if TYPE_CHECKING:
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request


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
    """The schema, as YAML or JSON: made once in each process, because that takes as long as a hundred requests."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *_: Any, **__: Any) -> HttpResponse:
        """Return the schema, or 304 if the client has it."""
        renderer = request.accepted_renderer
        body = _render_schema(type(renderer))
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers = {
            "ETag": etag,
            "Cache-Control": "public, max-age=300",
            "Content-Disposition": f'inline; filename="AuctionCraft.{renderer.format}"',
        }
        response = HttpResponse(body, content_type=renderer.media_type, headers=headers)
        return get_conditional_response(request._request, etag=etag, response=response) or response  # noqa: SLF001 (DRF's)


_lock = threading.Lock()
_schemas: dict[type[BaseRenderer], bytes] = {}


def _render_schema(renderer: type[BaseRenderer]) -> bytes:
    if renderer in _schemas:
        return _schemas[renderer]
    # The generator is not thread-safe; a request that waited for it would keep a thread from others.
    if not _lock.acquire(timeout=0.1):
        raise Unavailable
    try:
        generator: Any = SpectacularAPIView.generator_class()
        rendered: Any = renderer().render(generator.get_schema(request=None, public=True), renderer_context={})
        _schemas[renderer] = rendered
        return _schemas[renderer]
    finally:
        _lock.release()


class DocsView(_PublicView, SpectacularSwaggerSplitView):
    """Swagger UI. Its script has its own URL (`?script=`), so that the page needs no inline script."""
