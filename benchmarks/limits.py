"""What limits cost, and what they hold: `python -m benchmarks.limits`. One run, ratios; nothing fails.

First the cost of the count in a product detail, in one process, with and without limits in turn. Then how much one
client that does as much as it may slows the product list of a stranger, on a server as in production. Last, how late
thousands of listings that end at once are closed by a worker, and one among them with a bid.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from statistics import mean, median
from typing import TYPE_CHECKING, Any

from PIL import Image

from benchmarks import postgres, server

if TYPE_CHECKING:
    from collections.abc import Callable

DATABASE = "auctioncraft_bench_limits"
# Two networks of the loopback interface.
STRANGER, CLIENT = "127.9.9.9", "127.1.1.1"
JSON = "application/json"
CLOSED_AT = (
    "SELECT extract(epoch FROM max(closed_at - ends_at)), extract(epoch FROM max(closed_at - ends_at) FILTER "
    "(WHERE bid_count > 0)), count(*) FILTER (WHERE status = 'open') FROM auctions_auction WHERE starts_at < now() - "
    "interval '1 hour'"
)


def main() -> None:
    """Measure, and print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.limits", description=__doc__)
    parser.add_argument("--database-url", help="an existing server; by default a temporary one is started")
    parser.add_argument("--redis-url", default="redis://127.0.0.1:6379/9")
    parser.add_argument("--seconds", type=float, default=10, help="of each attack")
    parser.add_argument("--connections", type=int, default=8, help="of the client")
    parser.add_argument("--closes", type=int, default=3000)
    options = parser.parse_args()
    with ExitStack() as stack:
        var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="auctioncraft-bench-limits-")))
        database = stack.enter_context(postgres.running(options.database_url))
        database.create(DATABASE)
        stack.callback(database.drop, DATABASE)
        env = server.environment(database.url(DATABASE), var) | {"LIMITS": "", "REDIS_URL": options.redis_url}
        del env["WEB_THREADS_PER_NETWORK"]
        plan = server.prepare(env, products=options.closes + 1000, bidders=20)
        for cache, url in (("a cache in the process", ""), ("Redis", options.redis_url)):
            command = [sys.executable, "-m", "benchmarks.limit_cost", str(plan["products"][0])]
            changed = env | {"REDIS_URL": url}
            done = subprocess.run(command, cwd=server.ROOT, env=changed, capture_output=True, text=True, check=False)
            print(f"Limits of a product detail, counted in {cache}: {done.stdout.strip() or done.stderr[-1000:]}")
        with server.serving(env, workers=2, threads=2, log=var / "granian.log") as port:
            Attacks(port, plan, options).run()
            print(_closes(env, database, plan["products"][: options.closes], plan["tokens"][0], port))


class Client:
    """Sends requests from one address, each on a connection of its own."""

    def __init__(self, port: int, address: str, token: str = "") -> None:
        self.port, self.address = port, address
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, method: str, path: str, body: bytes | None = None, content_type: str = JSON) -> tuple[int, bytes]:
        """Return status and body."""
        made = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90, source_address=(self.address, 0))
        try:
            made.request(method, path, body, {**self.headers, "Content-Type": content_type})
            answer = made.getresponse()
            return answer.status, answer.read()
        finally:
            made.close()


class Attacks:
    """What one client may do, and what a stranger notices."""

    def __init__(self, port: int, plan: dict[str, Any], options: argparse.Namespace) -> None:
        self.options, self.port = options, port
        self.stranger = Client(port, STRANGER)
        # Each attack has an account that has done nothing yet.
        self.members = iter([Client(port, CLIENT, token) for token in plan["tokens"]])
        self.usual = self._read(options.seconds)

    def run(self) -> None:
        """Print a line for each attack."""
        listing = {"name": "A thing", "category": self._category(), "starting_bid": "5"}
        largest = json.dumps({**listing, "description": "x"}).encode()[:-1] + b', "x": [' + b"[]," * 42_000 + b"[]]}"
        seller = next(self.members)
        product = json.loads(seller.send("POST", "/api/products/", json.dumps(listing).encode())[1])["id"]
        form, form_type = _form(_largest_image())
        lister, writer, exporter, reader, watcher = (next(self.members) for _ in range(5))
        anybody = Client(self.port, CLIENT)
        self._attack("listings", lambda: lister.send("POST", "/api/products/", json.dumps(listing).encode()))
        self._attack("JSON of 128 KB", lambda: writer.send("POST", "/api/products/", largest))
        self._attack("JSON of 2.5 MB", lambda: writer.send("POST", "/api/products/", b"[" + b"[]," * 800_000 + b"[]]"))
        self._attack("images", lambda: seller.send("POST", f"/api/products/{product}/images/", form, form_type))
        self._attack("exports", lambda: exporter.send("GET", "/api/users/me/export/"))
        self._attack("searches", lambda: reader.send("GET", "/api/products/?search=pocket+watch&page=50"))
        self._attack("lists without a token", lambda: anybody.send("GET", "/api/products/?page_size=100"))
        self._attack("the schema", lambda: anybody.send("GET", "/api/schema/"))
        self._attack("watching", lambda: watcher.send("POST", f"/api/products/{product}/watch/", b"{}"))
        self._attack_slowly()

    def _category(self) -> int:
        found: int = json.loads(self.stranger.send("GET", "/api/categories/")[1])["results"][0]["id"]
        return found

    def _read(self, seconds: float) -> list[float]:
        taken, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            start = time.perf_counter()
            status, _ = self.stranger.send("GET", "/api/products/")
            taken.append(time.perf_counter() - start)
            if status != 200:
                raise SystemExit(f"The stranger's list answers {status}.")
            time.sleep(0.02)
        return taken

    def _attack(self, name: str, send: Callable[[], tuple[int, bytes]]) -> None:
        statuses: Counter[int | str] = Counter()
        stop = time.monotonic() + self.options.seconds

        def repeat() -> None:
            while time.monotonic() < stop:
                try:
                    status = send()[0]
                except OSError as error:
                    statuses[type(error).__name__] += 1
                    continue
                statuses[status] += 1
                if status == 429:
                    time.sleep(0.1)

        threads = [threading.Thread(target=repeat) for _ in range(self.options.connections)]
        for thread in threads:
            thread.start()
        self._report(name, self._read(self.options.seconds), dict(statuses))
        for thread in threads:
            thread.join()

    def _attack_slowly(self) -> None:
        head = b"POST /api/auth/token/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        opened = [socket.create_connection(("127.0.0.1", self.port), source_address=(CLIENT, 0)) for _ in range(64)]
        for connection in opened:
            connection.sendall(head + b"Content-Length: 100\r\n\r\n{")
        time.sleep(0.5)
        self._report("64 unfinished bodies", self._read(self.options.seconds), {})
        for connection in opened:
            connection.close()

    def _report(self, name: str, taken: list[float], statuses: dict[int | str, int]) -> None:
        ratios = f"median x {median(taken) / median(self.usual):.1f}, mean x {mean(taken) / mean(self.usual):.1f}"
        print(f"{name}: {ratios}, longest {max(taken) * 1000:.0f} ms; the client got {statuses}", flush=True)


def _largest_image() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGBA", (4000, 3000), (3, 4, 5, 100)).save(buffer, "PNG")
    return buffer.getvalue()


def _form(data: bytes) -> tuple[bytes, str]:
    head = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return head + data + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def _closes(env: dict[str, str], database: postgres.Server, products: list[int], token: str, port: int) -> str:
    bid = Client(port, "127.2.2.2", token).send("POST", f"/api/products/{products[-1]}/bids/", b'{"amount": 20000}')
    command = [sys.executable, "-m", "celery", "-A", "auctioncraft", "worker", "-B", "-Q", "default", "-P", "threads"]
    # A broker of its own: the queue of others on that Redis is not ours.
    env = env | {"CELERY_BROKER_URL": f"sqla+sqlite:///{env['VAR_DIR']}/broker.sqlite3"}
    worker = subprocess.Popen([*command, "-c", "10", "-l", "ERROR"], cwd=server.ROOT, env=env, stderr=subprocess.PIPE)
    try:
        time.sleep(10)
        ids = ",".join(map(str, products))
        database.query(
            DATABASE,
            "UPDATE auctions_auction SET starts_at = now() - interval '2 hours', ends_at = now() + interval '2 s' "
            f"WHERE product_id IN ({ids})",
        )
        for _ in range(120):
            time.sleep(1)
            ((last, with_bid, left),) = database.query(DATABASE, CLOSED_AT)
            if not left:
                break
        return (
            f"{len(products)} listings that end at once: the last {last:.1f} s late, the bid-on one {with_bid:.2f} s"
            + ("" if not left else f", {left} still open; the bid answered {bid}")
        )
    finally:
        worker.terminate()
        worker.wait(30)


if __name__ == "__main__":
    main()
