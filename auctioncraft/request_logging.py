"""One line in the log for every request, and the id by which all lines of a request are found."""

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

HEADER = "X-Request-ID"
# An id that a proxy or a client gave. Whatever else comes is not put into our log and not sent back.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_PARAMETER = re.compile(r"\(\?P<(\w+)>(?:[^()]|\([^()]*\))*\)|<(?:\w+:)?(\w+)>")


def log_requests(get_response: View) -> View:
    """Give each request its id, answer with it, and log one line. The outermost middleware, to see every answer.

    The line names the route and not the path: no search, no id of anybody's, nothing that a caller made up.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        call = logs.RequestContext(_id_of(request), request)
        logs.current_request.set(call)
        response = get_response(request)
        response.headers[HEADER] = call.id
        route = _route(request)
        extra = {
            "method": request.method if request.method in _METHODS else "?",
            "route": route,
            "status": response.status_code,
            "ms": round((time.perf_counter() - began) * 1000, 1),
        }
        # A page of the admin is dozens of files.
        logger.log(logging.DEBUG if route == settings.STATIC_URL else logging.INFO, "request", extra=extra)
        return response

    return answer


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


def _route(request: HttpRequest) -> str:
    if request.resolver_match:
        return route_of(request.resolver_match.route)
    # Answered by a middleware.
    return settings.STATIC_URL if request.path_info.startswith(settings.STATIC_URL) else "?"


@lru_cache(maxsize=512)
def route_of(pattern: str) -> str:
    """Return a route as the documentation writes it: /api/products/{pk}/bids/."""
    plain = _PARAMETER.sub(lambda found: "{" + (found[1] or found[2]) + "}", pattern)
    return "/" + re.sub(r"[\^$\\]", "", plain)


def _id_of(request: HttpRequest) -> str:
    given = request.META.get("HTTP_X_REQUEST_ID", "")
    return given if _SANE.fullmatch(given) else uuid4().hex


def _forget(**_: Any) -> None:
    """End the request for the log, when the last of its answer was sent: Django logs after the middleware too."""
    logs.current_request.set(None)


request_finished.connect(_forget, dispatch_uid="auctioncraft.request_logging")
