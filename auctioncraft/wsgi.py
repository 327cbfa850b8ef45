"""The WSGI application that granian serves."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from django.core.wsgi import get_wsgi_application
from django.utils.http import parse_header_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")
_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Serve a request (PEP 3333).

    Django parses the Content-Type before our code runs, and fails if its parameters are malformed. Replace it by a type
    that no parser accepts, so that the response is 415 and not 500.
    """
    try:
        parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    except (ValueError, LookupError):
        environ["CONTENT_TYPE"] = "application/x-unreadable"
    response: Iterable[bytes] = _django(environ, start_response)
    return response
