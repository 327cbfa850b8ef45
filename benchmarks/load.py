"""The load generator: keep-alive connections from one process, each with one request at a time.

Plain sockets and one selector, nothing parsed but what is needed, so that it takes little of the machine it shares
with the server; how much is measured and printed. Reads a job as JSON on stdin, prints what it counted on stdout.
"""

from __future__ import annotations

import json
import random
import selectors
import socket
import sys
import time
from collections import Counter
from itertools import count, cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STEP = 100
CAP = 99_999_999


def reads(job: dict[str, Any]) -> Iterator[bytes]:
    """Yield GETs of the job's paths in random order, endlessly."""
    # A fixed seed: every round sends the same requests.
    order = random.Random(1).choices(job["paths"], k=5000)
    for path in cycle(order):
        yield f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n\r\n".encode()


def bids(job: dict[str, Any]) -> Iterator[bytes]:
    """Yield bids on random products, each above all earlier ones, never twice in a row by one bidder on a product."""
    chance = random.Random(job["floor"])
    last: dict[int, str] = {}
    for amount in count(job["floor"], STEP):
        if amount > CAP:
            raise SystemExit("The bids have reached the cap on amounts: fewer or shorter rounds.")
        job["floor"] = amount + STEP
        product = chance.choice(job["products"])
        token = chance.choice(job["tokens"])
        while token == last.get(product):
            token = chance.choice(job["tokens"])
        last[product] = token
        body = b'{"%s": %d.0}' % (job["field"].encode(), amount)
        yield (
            b"POST /api/products/%d/bids/ HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer %s\r\n"
            b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
        ) % (product, token.encode(), len(body), body)


KINDS: dict[str, Callable[[dict[str, Any]], Iterator[bytes]]] = {"reads": reads, "bids": bids}


class Connection:
    """A keep-alive connection with at most one open request."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        self.sent_at = 0.0

    def send(self, request: bytes) -> None:
        """Send a request; it is small enough to fit the socket's buffer."""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> int | None:
        """Read what came; return the status once the answer is whole. Raises ConnectionError when it never will be."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("The server closed the connection.")
        self.received += data
        end = self.received.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self.received[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:
            raise ConnectionError("An answer without Content-Length.")
        length = int(head[at + 15 :].split(b"\r\n", 1)[0])
        if len(self.received) < end + 4 + length:
            return None
        status = int(head[9:12])
        self.body, self.received = self.received[end + 4 :], b""
        return status


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Load for `warmup` and then `seconds`; return what was counted in the latter, and of bids those of both."""
    requests = KINDS[job["kind"]](job)
    selector = selectors.DefaultSelector()
    started = time.perf_counter()
    for _ in range(job["connections"]):
        connection = Connection(job["port"])
        selector.register(connection.socket, selectors.EVENT_READ, connection)
        connection.send(next(requests))
    begin, end = started + job["warmup"], started + job["warmup"] + job["seconds"]
    busy = 0.0
    answers: Counter[int] = Counter()
    counted: Counter[int] = Counter()
    refusals: Counter[str] = Counter()
    latencies: list[float] = []
    under_way = job["connections"]
    while under_way:
        ready = selector.select(30)
        if not ready:
            raise SystemExit("No answer for 30 seconds.")
        for key, _ in ready:
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            now = time.perf_counter()
            answers[status] += 1
            if status >= 400:
                code = connection.body.partition(b'"code":"')[2].partition(b'"')[0].decode()
                refusals[f"{status} {code}"] += 1
            if begin <= now < end:
                busy = busy or time.process_time()
                counted[status] += 1
                latencies.append(now - connection.sent_at)
                used = time.process_time() - busy
            if now < end:
                connection.send(next(requests))
            else:
                # Everything that was sent is answered before this ends: the count at the end is exact.
                under_way -= 1
    latencies.sort()
    good = job["status"]
    return {
        "per_second": counted[good] / job["seconds"],
        "good": answers[good],
        "others": sum(counted.values()) - counted[good],
        "answers": sum(counted.values()),
        "refusals": dict(refusals.most_common(3)),
        "p50": 1000 * latencies[len(latencies) // 2],
        "p99": 1000 * latencies[len(latencies) * 99 // 100],
        "generator_cpu": used / job["seconds"],
        "floor": job.get("floor"),
    }


if __name__ == "__main__":
    print(json.dumps(run(json.load(sys.stdin))))
