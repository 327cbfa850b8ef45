"""What the count of limits costs in a product detail; run as its own process, with the settings of the server.

The same request with limits and without, in turn, from addresses that stay below them. Prints the means of the
processor time: a median would leave out the requests that ask the cache.
"""

from __future__ import annotations

import io
import sys
import time
from statistics import mean

from django.conf import settings

from auctioncraft.wsgi import application

PAIRS = 4000
PER_ADDRESS = 60


def main() -> None:
    """Measure, and print one line."""
    product = int(sys.argv[1])
    limits = settings.LIMITS
    without = dict.fromkeys(limits, 0)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(PAIRS):
        for limited in (True, False) if number % 2 else (False, True):
            settings.LIMITS = limits if limited else without
            taken[limited].append(_ask(product, number // PER_ADDRESS))
    on, off = (mean(sorted(taken[limited][200:])[:-40]) * 1e6 for limited in (True, False))  # without what disturbed
    print(f"{on - off:.0f} of {on:.0f} microseconds ({(on - off) / off:.1%})")


def _ask(product: int, network: int) -> float:
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/api/products/{product}/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "127.0.0.1",
        "REMOTE_ADDR": f"10.{network // 250}.{network % 250}.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
    }
    statuses: list[str] = []
    start = time.process_time()
    application(environ, lambda status, _headers, *_: statuses.append(status))
    taken = time.process_time() - start
    if statuses != ["200 OK"]:
        raise SystemExit(f"The product detail answers {statuses}.")
    return taken


main()
