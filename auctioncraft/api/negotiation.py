"""Content negotiation: JSON responses, and the parser of a body."""

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
    """Always responds with JSON, also to a client that accepts something else, instead of a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Return the parser of the body, or None (415).

        A Content-Type with an asterisk is not a type; DRF would accept it for any parser.
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
        """Return the first renderer of the view."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type
