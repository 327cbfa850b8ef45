"""Middleware: security headers, unknown hosts, chunked bodies, caching."""

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


# What a page may load (CSP level 3): files of this server, no inline scripts. Inline styles are allowed: unfold,
# htmx and Swagger UI insert them without a nonce.
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'{eval}; style-src 'self' 'unsafe-inline'; font-src 'self'; "
    "connect-src 'self'; img-src 'self' data:{images}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_DATA_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PERMISSIONS = (
    "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), hid=(), magnetometer=(), "
    "microphone=(), midi=(), payment=(), serial=(), usb=()"
)


def security_headers(get_response: View) -> View:
    """Set Content-Security-Policy and Permissions-Policy; Django's SecurityMiddleware sets the other headers.

    The admin and the docs are pages. Everything else is data and may load nothing; a view of the API that responds with
    a page sets its own policy.
    """
    images = _image_sources()
    by_path = {
        # unfold uses Alpine, which evaluates attributes: without this the admin does not work.
        "/admin/": _PAGE_POLICY.format(eval=" 'unsafe-eval'", images=images),
        "/api/docs/": _PAGE_POLICY.format(eval="", images=images),
    }
    # Django's error pages in development.
    otherwise = f"{_DATA_POLICY}; style-src 'unsafe-inline'" if settings.DEBUG else _DATA_POLICY

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        headers = response.headers
        path = request.path_info
        if path.startswith("/api/") and path != "/api/docs/":
            headers.setdefault("Content-Security-Policy", _DATA_POLICY)
            return response
        policy = next((policy for start, policy in by_path.items() if path.startswith(start)), otherwise)
        headers["Content-Security-Policy"] = policy
        headers["Permissions-Policy"] = _PERMISSIONS
        return response

    return respond


def _image_sources() -> str:
    """Return what `img-src` allows for images that another server has."""
    if settings.MEDIA_STORAGE == "files":
        return ""
    # Without a domain it is the URL of the bucket, which only the storage library knows.
    domain = settings.STORAGES["default"]["OPTIONS"]["custom_domain"]
    return f" https://{domain}" if domain else " https:"


def json_invalid_host(get_response: View) -> View:
    """Respond with JSON to an unknown Host, where DEBUG would show a page."""
    if not settings.DEBUG:
        raise MiddlewareNotUsed

    def respond(request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith("/api/"):
            try:
                request.get_host()
            except DisallowedHost:
                return exceptions.bad_request(request)
        return get_response(request)

    return respond


def require_content_length(get_response: View) -> View:
    """Refuse a body without Content-Length: 411 (RFC 9110, 15.5.12).

    WSGI does not read a chunked body, so the request would be carried out as if its body were empty.
    """

    def respond(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            refusal = {"code": "length_required", "detail": "Send the body with a Content-Length, not in chunks."}
            return JsonResponse(refusal, status=411)
        return get_response(request)

    return respond


def no_store_when_authenticated(get_response: View) -> View:
    """Keep responses to requests with a token out of caches (RFC 9111, 5.2.2.5), unless the view decides otherwise."""

    def respond(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if "HTTP_AUTHORIZATION" in request.META and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return response

    return respond
