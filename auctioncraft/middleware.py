"""What holds for every request and every answer, whatever view they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import DisallowedHost, MiddlewareNotUsed
from django.http import JsonResponse

from auctioncraft.api import exceptions

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    View = Callable[[HttpRequest], HttpResponseBase]


# What a page of ours may load (CSP level 3): files of this server, and no script that stands in a page. Styles do stand
# in pages: unfold, htmx and Swagger UI put them there and know no nonce.
_PAGE = (
    "default-src 'none'; script-src 'self'{evaluated}; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "connect-src 'self'; img-src 'self' data:{pictures}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_NO_PAGE = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_FEATURES = ", ".join(
    f"{feature}=()"
    for feature in (
        *(
            "accelerometer",
            "camera",
            "display-capture",
            "geolocation",
            "gyroscope",
            "hid",
            "magnetometer",
            "microphone",
        ),
        *("midi", "payment", "serial", "usb"),
    )
)


def security_headers(get_response: View) -> View:
    """Say what a browser may do with an answer; the rest of such headers is SecurityMiddleware's.

    The admin and the docs are pages. All else is data, which may load nothing, should a browser take it for a page; a
    view of the API that answers a page says itself what that may load.
    """
    pictures = _pictures()
    by_path = {
        # unfold is made with Alpine, which makes functions of attributes: without this the admin is a dead page.
        "/admin/": _PAGE.format(evaluated=" 'unsafe-eval'", pictures=pictures),
        "/api/docs/": _PAGE.format(evaluated="", pictures=pictures),
    }
    # Django's own pages of errors, in development.
    otherwise = f"{_NO_PAGE}; style-src 'unsafe-inline'" if settings.DEBUG else _NO_PAGE

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        headers = response.headers
        path = request.path_info
        if path.startswith("/api/") and path != "/api/docs/":
            headers.setdefault("Content-Security-Policy", _NO_PAGE)
            return response
        policy = next((policy for start, policy in by_path.items() if path.startswith(start)), otherwise)
        headers["Content-Security-Policy"] = policy
        headers["Permissions-Policy"] = _FEATURES
        return response

    return answer


def _pictures() -> str:
    """Return where pictures come from if not from here, to go into `img-src`."""
    if settings.MEDIA_STORAGE == "files":
        return ""
    # Without a domain it is the bucket's address, which only the storage's library knows.
    domain = settings.STORAGES["default"]["OPTIONS"]["custom_domain"]
    return f" https://{domain}" if domain else " https:"


def json_invalid_host(get_response: View) -> View:
    """Answer a Host that is not ours as production does, where DEBUG would show a page of its own."""
    if not settings.DEBUG:
        raise MiddlewareNotUsed

    def answer(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/api/"):
            try:
                request.get_host()
            except DisallowedHost:
                return exceptions.bad_request(request)
        return get_response(request)

    return answer


def require_content_length(get_response: View) -> View:
    """Refuse a body that does not say its length: 411 (RFC 9110, 15.5.12).

    WSGI reads none of a chunked body, so that the request would be carried out as if it had been empty.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            refusal = {"code": "length_required", "detail": "Send the body with a Content-Length, not in chunks."}
            return JsonResponse(refusal, status=411)
        return get_response(request)

    return answer


def no_store_when_authenticated(get_response: View) -> View:
    """Keep what was answered to a token out of every cache (RFC 9111, 5.2.2.5), unless the view said otherwise."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if "HTTP_AUTHORIZATION" in request.META and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return response

    return answer
