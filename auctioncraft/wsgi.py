"""The WSGI application that granian serves."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.utils.http import parse_header_parameters

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "auctioncraft.settings")
_django = get_wsgi_application()

from django.conf import settings  # noqa: E402 (the settings come first)

from auctioncraft.core.client_ip import client_ip, wide_network  # noqa: E402
from auctioncraft.places import Places  # noqa: E402
from auctioncraft.request_body import BUSY, BodyReader, respond  # noqa: E402

# Seconds, not 0.005: a request that computes makes another wait so long after each of its queries.
sys.setswitchinterval(0.0005)
_bodies = BodyReader()
# A place for each request that is served at once, with its database connection: so many connections has a process,
# however many threads wait for bodies or for a place.
_places = Places(settings.WEB_THREADS, settings.WEB_THREADS_PER_NETWORK)


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Serve a request (PEP 3333): first wait for its body, then for a place.

    Django parses the Content-Type before our code runs, and fails if its parameters are malformed. Replace it by a type
    that no parser accepts, so that the response is 415 and not 500.
    """
    try:
        parse_header_parameters(environ.get("CONTENT_TYPE", ""))
    except (ValueError, LookupError):
        environ["CONTENT_TYPE"] = "application/x-unreadable"
    network = wide_network(client_ip(SimpleNamespace(META=environ)))  # type: ignore[arg-type]
    if refusal := _bodies.read(environ, network):
        return respond(refusal, start_response)
    if connections.all(initialized_only=True):  # a test's thread, which has its own
        return _serve(environ, start_response)
    place = _places.take(network)
    if place is None:
        return respond(BUSY, start_response)
    if place.database is not None:
        connections["default"] = place.database
    try:
        return _serve(environ, start_response)
    finally:
        if place.database is None and (made := connections.all(initialized_only=True)):
            place.database = made[0]
            place.database.inc_thread_sharing()
        if place.database is not None:
            del connections["default"]
        _places.leave(place, network)


def _serve(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    response = _django(environ, start_response)
    try:
        # In one piece: a client that reads slowly keeps no thread.
        return [b"".join(response)]
    finally:
        response.close()
