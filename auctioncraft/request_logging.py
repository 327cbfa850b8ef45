"""One log line per request, and a request id that all its lines share."""

from __future__ import annotations

import logging
import re
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from django.conf import settings
from django.core.signals import request_finished

from auctioncraft.core import logs

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    View = Callable[[HttpRequest], HttpResponseBase]

logger = logging.getLogger(__name__)

REQUEST_ID_HEADER = "X-Request-ID"
# Only such an id of a proxy or client is logged and sent back.
_VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_PARAMETER = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>")


def log_requests(get_response: View) -> View:
    """Give each request an id, send it back, and log one line. The outermost middleware, to see every response.

    The line has the route and not the path, so it contains no search, no id and nothing that a caller chose.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        start = time.perf_counter()
        context = logs.RequestContext(_request_id(request), request)
        logs.current_request.set(context)
        response = get_response(request)
        response.headers[REQUEST_ID_HEADER] = context.id
        route = _route(request)
        extra = {
            "method": request.method if request.method in _METHODS else "?",
            "route": route,
            "status": response.status_code,
            "ms": round((time.perf_counter() - start) * 1000, 1),
        }
        # An admin page loads dozens of static files.
        logger.log(logging.DEBUG if route == settings.STATIC_URL else logging.INFO, "request", extra=extra)
        return response

    return middleware


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(request: HttpRequest) -> str:
    if request.resolver_match:
        return route_of(request.resolver_match.route)
    # A middleware responded.
    return settings.STATIC_URL if request.path_info.startswith(settings.STATIC_URL) else "?"


@lru_cache(maxsize=512)
def route_of(pattern: str) -> str:
    """Return a URL pattern as the documentation shows it: /api/products/{pk}/bids/."""
    plain = _PARAMETER.sub(lambda found: "{" + (found[1] or found[2]) + "}", pattern)
    return "/" + re.sub(r"[\^$\\]", "", plain)


def _request_id(request: HttpRequest) -> str:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if _VALID_ID.fullmatch(given) else uuid4().hex


def _clear_request(**_: Any) -> None:
    """Forget the request when its response has been sent: Django logs after the middleware, too."""
    logs.current_request.set(None)


request_finished.connect(_clear_request, dispatch_uid="auctioncraft.request_logging")
