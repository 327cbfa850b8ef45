"""Strict parsing: what two parsers could read differently is refused (RFC 8259 and RFC 7493)."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser, MultiPartParser

from auctioncraft.request_body import FORM_OVERHEAD

MAX_DEPTH = 64
# Objects and arrays in a body, and such signs in its text: each of them costs more than its two bytes.
MAX_BRACKETS = 5_000


class BodyTooLarge(APIException):
    """The body is larger than its parser accepts."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The request body is too large."
    default_code = "body_too_large"

    def __init__(self, limit: int | None = None) -> None:
        """`limit`: in bytes."""
        super().__init__(f"The request body is too large: at most {limit // 1024:,} KB." if limit else None)


def read_limited(stream: IO[bytes], limit: int) -> bytes:
    """Read at most `limit` bytes; raise BodyTooLarge if there are more."""
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


class StrictJSONParser(BaseParser):
    """UTF-8 JSON objects; numbers with a point become Decimal.

    Refuses duplicate keys, NaN and Infinity, NUL and lone surrogates in text, and nesting over 64 levels.
    """

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:  # noqa: ARG002 (DRF's signature)
        """Return the decoded body. Raises ParseError (400), BodyTooLarge (413), UnsupportedMediaType (415)."""
        charset = (stream.content_params if hasattr(stream, "content_params") else {}).get("charset", "utf-8")
        if not isinstance(charset, str) or charset.lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or self.media_type, "The body must be UTF-8.")
        body = read_limited(stream, settings.JSON_MAX_SIZE)
        if body.count(b"[") + body.count(b"{") > MAX_BRACKETS:
            raise ParseError(f"The body has more than {MAX_BRACKETS:,} objects and arrays.")
        try:
            data = json.loads(
                body.decode("utf-8"),
                parse_float=Decimal,
                parse_constant=_refuse_constant,
                object_pairs_hook=_without_duplicates,
            )
        except (ValueError, ArithmeticError, RecursionError) as error:
            raise ParseError("The body is not valid JSON.") from error
        _check(data)
        if not isinstance(data, dict):
            raise ParseError("The body must be a JSON object.")
        return data


class UploadParser(MultiPartParser):
    """A form with a file, in which each field occurs once.

    The body may be larger than elsewhere: UPLOAD_MAX_SIZE for the file, and a little for the form around it.
    """

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Return fields and files. Raises ParseError (400), BodyTooLarge (413), UnsupportedMediaType (415)."""
        request = parser_context["request"]
        if request.content_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            raise UnsupportedMediaType(media_type or self.media_type, "The form must be UTF-8.")
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.UPLOAD_MAX_SIZE + FORM_OVERHEAD:
            raise BodyTooLarge(settings.UPLOAD_MAX_SIZE)
        try:
            form: Any = super().parse(stream, media_type, {**parser_context, "encoding": "utf-8"})
        except ParseError as error:
            raise ParseError("The body is not a valid form.") from error
        for part in (form.data, form.files):
            if any(len(values) > 1 for _, values in part.lists()):
                raise ParseError("A field occurs twice in the form.")
        if any(file.size > settings.UPLOAD_MAX_SIZE for file in form.files.values()):
            raise BodyTooLarge(settings.UPLOAD_MAX_SIZE)
        return form


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(f"{name} is not a JSON number.")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ParseError("A key occurs twice in one object.")
    return data


def _check(data: Any) -> None:
    """Check the depth and all text, without recursion."""
    level = [data]
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_text(text: str) -> None:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ParseError("Text contains a character that cannot be stored (NUL or a lone surrogate).")
