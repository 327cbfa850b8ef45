"""What holds for every request and every answer, whatever view they are for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import JsonResponse

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    View = Callable[[HttpRequest], HttpResponseBase]


def sized_bodies(get_response: View) -> View:
    """Refuse a body that does not say its length: 411 (RFC 9110, 15.5.12).

    WSGI reads none of a chunked body, so that the request would be carried out as if it had been empty.
    """

    def answer(request: HttpRequest) -> HttpResponseBase:
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            refusal = {"code": "length_required", "detail": "Send the body with a Content-Length, not in chunks."}
            return JsonResponse(refusal, status=411)
        return get_response(request)

    return answer


def private_answers(get_response: View) -> View:
    """Keep what was answered to a token out of every cache (RFC 9111, 5.2.2.5), unless the view said otherwise."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if "HTTP_AUTHORIZATION" in request.META and "Cache-Control" not in response:
            response["Cache-Control"] = "private, no-store"
        return response

    return answer
