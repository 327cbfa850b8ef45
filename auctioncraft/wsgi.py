"""The WSGI application that granian serves."""

from __future__ import annotations

import os
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils.http import parse_header_parameters

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")
_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 (the settings come first)

from auctioncraft.request_body import BodyReader, respond  # noqa: E402

_bodies = BodyReader()
# A place for each request that is served at once, with its database connection: so many connections has a process,
# however many threads wait for bodies or for a place.
_places: SimpleQueue[BaseDatabaseWrapper | None] = SimpleQueue()
for _ in range(settings.WEB_THREADS):
    _places.put(None)


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Serve a request (PEP 3333): first wait for its body, then for a place.

    Django parses the Content-Type before our code runs, and fails if its parameters are malformed. Replace it by a type
    that no parser accepts, so that the response is 415 and not 500.
    """
    try:
        parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    except (ValueError, LookupError):
        environ["CONTENT_TYPE"] = "application/x-unreadable"
    if refusal := _bodies.read(environ):
        return respond(refusal, start_response)
    if connections.all(initialized_only=True):  # a test's thread, which has its own
        return _serve(environ, start_response)
    database = _places.get()
    if database is not None:
        connections["default"] = database
    try:
        return _serve(environ, start_response)
    finally:
        if database is None and (made := connections.all(initialized_only=True)):
            database = made[0]
            database.inc_thread_sharing()
        if database is not None:
            del connections["default"]
        _places.put(database)


def _serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    response = _django(environ, start_response)
    try:
        # In one piece: a client that reads slowly keeps no thread.
        return [b"".join(response)]
    finally:
        response.close()
