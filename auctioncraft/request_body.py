"""Reads request bodies before a request takes one of the threads that serve.

granian gives a request a thread when its headers are there, has no deadline for its body, and a read that waits cannot
be interrupted. So the server has more threads than serve at once (wsgi.py): those beyond wait for bodies. Bodies take
never all threads, and those of a network that already sends some slowly are refused unread. A connection whose body is
overdue ends.
A proxy that buffers bodies (docs/nginx.conf) does all this too, and better.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from django.conf import settings

if TYPE_CHECKING:
    from collections.abc import Callable

# Bodies that are read at once in a process, and of one network; the Procfile has 128 threads. An office that sends at
# once is far below.
MAX_READING: Final = 112
MAX_READING_OF_NETWORK: Final = 64
# Of these, bodies of one network that take longer than SLOW_AFTER seconds.
MAX_SLOW_OF_NETWORK: Final = 8
SLOW_AFTER: Final = 0.25
# Around the file in a form, and the webhook: the largest bodies that a view accepts.
FORM_OVERHEAD: Final = 65_536
MAX_OTHER: Final = 262_144
# Bytes of all headers, the path and the query: some headers are lists, whose parts cost more than their bytes.
MAX_HEADERS: Final = 16_384
# tcpi_last_data_recv in Linux's struct tcp_info: milliseconds since data came.
_LAST_DATA_RECEIVED: Final = 52

Refusal = tuple[HTTPStatus, dict[str, str]]
TOO_LARGE: Final[Refusal] = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    {"code": "body_too_large", "detail": "The request body is too large."},
)
HEADERS_TOO_LARGE: Final[Refusal] = (
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    {"code": "headers_too_large", "detail": f"Headers and URL are too large: at most {MAX_HEADERS // 1024} KB."},
)
INCOMPLETE: Final[Refusal] = (
    HTTPStatus.REQUEST_TIMEOUT,
    {"code": "body_timeout", "detail": "The request body did not arrive in time."},
)
BUSY: Final[Refusal] = (
    HTTPStatus.SERVICE_UNAVAILABLE,
    {"code": "unavailable", "detail": "Too many slow requests. Try again in a moment."},
)


class _Reading(NamedTuple):
    """A body that is being read."""

    network: str
    address: str
    port: int
    since: float
    seconds: float


class BodyReader:
    """Reads bodies, and knows which are being read."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reading: dict[int, _Reading] = {}  # by thread
        self._watching = False

    def read(self, environ: dict[str, Any], network: str) -> Refusal | None:
        """Replace the body of a WSGI request from a network by one that has arrived; or return why it is refused."""
        if sum(len(value) for value in environ.values() if isinstance(value, str)) > MAX_HEADERS:
            return HEADERS_TOO_LARGE
        length = _content_length(environ)
        if not length:
            return None
        is_form = environ.get("CONTENT_TYPE", "").startswith("multipart/")
        if length > (settings.UPLOAD_MAX_SIZE + FORM_OVERHEAD if is_form else MAX_OTHER):
            return TOO_LARGE
        seconds = settings.BODY_TIMEOUT + length / settings.BODY_MIN_RATE
        address, port = environ.get("REMOTE_ADDR", ""), int(environ["SERVER_PORT"])
        thread = threading.get_ident()
        with self._lock:
            if self._is_full(network):
                return BUSY
            self._reading[thread] = _Reading(network, address, port, time.monotonic(), seconds)
            self._watch()
        try:
            body = bytes(environ["wsgi.input"].read(length))
        finally:
            with self._lock:
                del self._reading[thread]
        environ["wsgi.input"] = BytesIO(body)
        return INCOMPLETE if len(body) < length else None

    def _is_full(self, network: str) -> bool:
        if len(self._reading) < MAX_SLOW_OF_NETWORK:
            return False
        slow_since = time.monotonic() - SLOW_AFTER
        since = [row.since for row in self._reading.values() if row.network == network]
        slow = sum(at < slow_since for at in since)
        full = len(self._reading) >= MAX_READING or len(since) >= MAX_READING_OF_NETWORK
        return full or slow >= MAX_SLOW_OF_NETWORK

    def _watch(self) -> None:
        # Behind a proxy all connections have its address, and it is the one that ends slow ones.
        if not self._watching and not settings.NUM_PROXIES:
            self._watching = True
            threading.Thread(target=self._end_overdue, daemon=True).start()

    def _end_overdue(self) -> None:
        while True:
            time.sleep(1)
            now = time.monotonic()
            with self._lock:
                rows = list(self._reading.values())
            late = {(row.port, row.address): now - row.since - row.seconds for row in reversed(rows)}
            for (port, address), seconds in late.items():
                # A body that trickles in ends last, with all that its sender has open.
                if seconds > 0:
                    end_connections(port, address, silent_for=1 if seconds < 2 * settings.BODY_TIMEOUT else 0)


def end_connections(port: int, address: str, *, silent_for: float) -> None:
    """End the connections from an address to our port that have sent nothing for some seconds (Linux)."""
    files = Path("/proc/self/fd")
    for file in files.iterdir() if files.is_dir() else ():
        try:
            with socket.socket(fileno=os.dup(int(file.name))) as peer:
                if peer.getpeername()[0] != address or peer.getsockname()[1] != port:
                    continue
                info = peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 64)
                (silent,) = struct.unpack_from("I", info, _LAST_DATA_RECEIVED)
                if silent >= silent_for * 1000:
                    peer.shutdown(socket.SHUT_RDWR)
        except (OSError, IndexError, TypeError):  # no connection, or not of the internet
            continue


def respond(refusal: Refusal, start_response: Callable[..., Any]) -> list[bytes]:
    """Answer a request whose body is refused. The server then ends its connection, since the body was not read."""
    status, answer = refusal
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", "2"))
    start_response(f"{status.value} {status.phrase}", headers)
    return [body]


def _content_length(environ: dict[str, Any]) -> int:
    try:
        return max(0, int(environ.get("CONTENT_LENGTH") or 0))
    except ValueError:
        return 0
