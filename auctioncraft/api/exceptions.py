"""The exception handler: every error becomes `{"code", "detail", …}`."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from auctioncraft.api.parsers import BodyTooLarge
from auctioncraft.core import errors

logger = logging.getLogger(__name__)


def handle_exception(exception: Exception, context: dict[str, Any]) -> Response:
    """Return the response to an exception of a view. DRF's EXCEPTION_HANDLER."""
    set_rollback()
    if not isinstance(exception, errors.DomainError | exceptions.APIException):
        exception = _translate(exception, context)
    if isinstance(exception, errors.DomainError):
        headers = {"Retry-After": str(exception.retry_after)} if exception.retry_after else {}
        if exception.status == errors.NotAuthenticated.status:
            headers["WWW-Authenticate"] = "Bearer"
        return Response(exception.body(), status=exception.status, headers=headers)
    return _api_exception(exception)


def _translate(exception: Exception, context: dict[str, Any]) -> errors.DomainError | exceptions.APIException:
    if isinstance(exception, Http404):
        return errors.NotFound()
    if isinstance(exception, PermissionDenied):
        return errors.PermissionDenied()
    if isinstance(exception, RequestDataTooBig):
        return BodyTooLarge()
    if isinstance(exception, SuspiciousOperation):
        # Too many fields, or an unknown Host.
        return exceptions.ParseError("The request is not valid.")
    if isinstance(exception, OperationalError | InterfaceError):
        # Down, restarting or overloaded; a lock timeout or a deadlock. Whether a COMMIT succeeded is unknown here; the
        # client repeats the request with its Idempotency-Key.
        logger.warning("database unavailable: %s", type(exception).__name__)
        return errors.Unavailable()
    logger.error("unhandled error in %s", context["request"].path, exc_info=exception)
    got_request_exception.send(sender=type(context["view"]), request=context["request"]._request)  # noqa: SLF001 (DRF's)
    return _ServerError()


class _ServerError(errors.DomainError):
    code = "server_error"
    detail = "Something went wrong on our side. It was logged."
    status = 500


def _api_exception(exception: exceptions.APIException) -> Response:
    headers = {}
    if header := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    if isinstance(exception, exceptions.ValidationError):
        body = {"code": "invalid", "detail": errors.Invalid.detail, "errors": _by_field(exception.detail)}
    else:
        detail: Any = exception.detail
        code = detail["code"] if isinstance(detail, dict) else getattr(detail, "code", exception.default_code)
        text = detail["detail"] if isinstance(detail, dict) else detail
        body = {"code": _CODES.get(code, code), "detail": str(text)}
    return Response(body, status=exception.status_code, headers=headers)


# DRF's codes, where ours differ.
_CODES = {
    "parse_error": "invalid",
    "authentication_failed": "token_not_valid",
}


def _by_field(detail: Any) -> dict[str, Any]:
    if isinstance(detail, dict):
        return {str(field): _messages(problems) for field, problems in detail.items()}
    return {"non_field_errors": _messages(detail)}


def _messages(problems: Any) -> Any:
    if isinstance(problems, dict):
        return [f"{key}: {text}" for key, texts in problems.items() for text in _messages(texts)]
    if isinstance(problems, list):
        return [message for problem in problems for message in _messages(problem)]
    return [str(problems)]


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:  # noqa: ARG001 (Django's)
    """Respond to a request that reached no view, like one with an unknown Host. Django's handler400."""
    return JsonResponse({"code": "invalid", "detail": "The request is not valid."}, status=400)


@csrf_exempt
def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:  # noqa: ARG001 (Django's)
    """Respond to an unknown path. Django's handler404, and the last route under /api/, where DEBUG would show a page.

    CSRF-exempt: otherwise a POST to an unknown path would get the 403 page of the CSRF middleware.
    """
    return JsonResponse(errors.NotFound().body(), status=404)


def server_error(request: HttpRequest) -> JsonResponse:  # noqa: ARG001 (Django's)
    """Respond to an error outside any view. Django's handler500."""
    return JsonResponse(_ServerError().body(), status=500)
