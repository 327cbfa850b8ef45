"""What an answer is written as, and what a body is read as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.negotiation import DefaultContentNegotiation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_framework.parsers import BaseParser
    from rest_framework.renderers import BaseRenderer
    from rest_framework.request import Request

ANYTHING = "*/*"


class JSONOnlyNegotiation(DefaultContentNegotiation):
    """The API speaks JSON to everybody: a client that asks for something else gets it too, rather than a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return who reads the body, or None (415).

        A Content-Type with an asterisk names no type. DRF would take it for whatever the view reads.
        """
        sent = (request.content_type or "").partition(";")[0]
        if "*" in sent:
            parsers = [parser for parser in parsers if parser.media_type == ANYTHING]
        return super().select_parser(request, parsers)

    def select_renderer(
        self,
        request: Request,  # noqa: ARG002 (DRF's signature)
        renderers: Iterable[BaseRenderer],
        format_suffix: str | None = None,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        """Return the view's own renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
