"""Bodies that arrive slowly, or never: one client must not stop the server for others."""

import socket
import time
from contextlib import suppress
from statistics import median
from urllib.request import urlopen

import pytest

from tests import factories, servers

pytestmark = [pytest.mark.servers, pytest.mark.sqlite]
HEADERS = ("POST /api/auth/token/ HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json", "Content-Length: 100")
UNFINISHED = "\r\n".join((*HEADERS, "", "{")).encode()


@pytest.fixture
def port(stack):
    port = servers.free_port()
    stack.serve(port, workers=1, BODY_TIMEOUT="3")
    return port


@pytest.fixture
def send_unfinished(port):
    """Return a function that opens a connection with an unfinished request."""
    opened = []

    def send(data=UNFINISHED):
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=30))
        opened[-1].sendall(data)
        return opened[-1]

    yield send
    for connection in opened:
        connection.close()


def seconds_for_a_list(port, count=15):
    taken = []
    for _ in range(count):
        start = time.perf_counter()
        with urlopen(f"http://127.0.0.1:{port}/api/products/", timeout=60) as answer:
            assert answer.status == 200
        taken.append(time.perf_counter() - start)
    return median(taken)


def test_sixteen_unfinished_bodies_do_not_slow_reads_and_end_after_the_timeout(stack, port, send_unfinished):
    factories.product(factories.user())
    before = seconds_for_a_list(port)
    start = time.monotonic()
    slow = [send_unfinished() for _ in range(16)]
    time.sleep(0.5)
    refused = send_unfinished().recv(4096)  # the network has eight slow ones
    assert b" 503 " in refused
    assert b'"code": "unavailable"' in refused
    assert seconds_for_a_list(port) < max(3 * before, 0.1)
    for connection in slow:
        assert connection.recv(4096)[9:12] in {b"", b"408"}
    assert 3 <= time.monotonic() - start < 30
    post = {"username": "a@example.com", "password": "no"}
    # A client may see its connection end before the server's thread does.
    servers.wait_until(lambda: stack.caller(port).post("/api/auth/token/", post)[0] == 401, every=0.2)


def test_body_that_trickles_in_ends_as_well(port, send_unfinished):
    connection, start = send_unfinished(), time.monotonic()
    with suppress(OSError):  # it was ended
        while time.monotonic() - start < 30:
            connection.sendall(b" ")
            time.sleep(0.4)
    assert 3 < time.monotonic() - start < 30


def test_slow_body_that_is_complete_in_time_is_answered(port, send_unfinished):
    connection = send_unfinished()
    time.sleep(1)
    connection.sendall(b" " * 98 + b"}")
    assert b" 400 " in connection.recv(4096)


@pytest.mark.parametrize(
    ("content_type", "length", "status"),
    [(b"application/json", 262_145, b" 413 "), (b"multipart/form-data; boundary=x", 5_400_000, b" 413 ")],
)
def test_body_that_no_view_accepts_is_refused_unread(send_unfinished, content_type, length, status):
    request = UNFINISHED.replace(b"application/json", content_type).replace(b"100", str(length).encode())
    assert status in send_unfinished(request).recv(4096)


def test_client_that_reads_slowly_keeps_no_thread(port, send_unfinished):
    before = seconds_for_a_list(port)
    page = b"GET /api/schema/?format=json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    for _ in range(8):
        send_unfinished(page * 20)  # 8 MB that nobody reads
    assert seconds_for_a_list(port) < max(3 * before, 0.1)
