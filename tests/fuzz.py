"""A fuzzer that sends raw bytes over sockets, as no client library would. `make fuzz` is the long run.

It applies the checks of schemathesis_run.py: no 5xx, no answer outside the schema. In addition one request gets one
answer, no answer reveals internals, the server logs no failure, and the invariants hold.
"""

from __future__ import annotations

import json
import random
import re
import socket
import sys
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import django
import jsonschema_rs
from django.apps import apps

if not apps.ready:
    django.setup()

from tests import schemathesis_run, servers
from tests.fuzz_target import CALLERS, start_fuzz_target
from tests.raw_requests import Requests

if TYPE_CHECKING:
    from tests.fuzz_target import FuzzTarget

ANSWER_TIMEOUT = 30  # seconds to wait for an answer that must come
IDLE = 0.3  # seconds of silence after bytes that may not be a complete request
# Statuses that the server itself answers, without a body, to what is not HTTP.
NOT_HTTP = {400, 408, 413, 414, 417, 431, 501, 505}
INTERNALS = re.compile(
    rb"Traceback|site-packages|django\.|Exception|SELECT |" + re.escape(bytes(Path(__file__).parents[1]) + b"/")
)


class Answer(NamedTuple):
    """An HTTP answer."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


def parse_answers(data: bytes, *, head: bool) -> tuple[list[Answer], bytes]:
    """Return the complete answers at the beginning of the data, and the rest."""
    whole: list[Answer] = []
    while found := re.match(rb"HTTP/1\.[01] (\d{3})[^\r\n]*\r\n((?:[^\r\n]+\r\n)*)\r\n", data):
        status, headers = int(found[1]), dict(re.findall(rb"(?m)^([^:\r\n]+): *([^\r\n]*)", found[2].lower()))
        rest = data[found.end() :]
        body: bytes | None = b""
        if head or status < 200 or status in {204, 304}:
            pass
        elif b"chunked" in headers.get(b"transfer-encoding", b""):
            body, rest = _unchunked(rest)
        else:
            size = int(headers.get(b"content-length", len(rest)))
            body, rest = (rest[:size], rest[size:]) if len(rest) >= size else (None, rest)
        if body is None:
            break
        if status >= 200:
            whole.append(Answer(status, headers, body))
        data = rest
    return whole, data


def _unchunked(data: bytes) -> tuple[bytes | None, bytes]:
    body = b""
    while found := re.match(rb"([0-9a-fA-F]+)\r\n", data):
        size, start = int(found[1], 16), found.end()
        if len(data) < start + size + 2:
            break
        body, data = body + data[start : start + size], data[start + size + 2 :]
        if not size:
            return body, data
    return None, data


class Verdict:
    """The answers that the schema allows."""

    def __init__(self, schema: dict[str, Any]) -> None:
        components = schemathesis_run.forbid_extra_fields(schema)["components"]
        self.operations: list[tuple[str, str, list[str]]] = []
        self.shapes: dict[tuple[str, str, str], Any] = {}
        # Answers that are not JSON (receipts), and their content types.
        self.documents: dict[tuple[str, str, str], set[str]] = {}
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                body = next(iter(operation.get("requestBody", {}).get("content", {}).values()), {}).get("schema", {})
                shape = components["schemas"].get(body.get("$ref", "").rpartition("/")[2], body)
                self.operations.append((method.upper(), path, list(shape.get("properties", {}))))
                for status, response in operation["responses"].items():
                    self.documents[method.upper(), path, status] = {*response.get("content", {})} - {"application/json"}
                    content = response.get("content", {}).get("application/json")
                    self.shapes[method.upper(), path, status] = content and jsonschema_rs.validator_for(
                        {**content["schema"], "components": components}
                    )

    def on(self, answer: Answer, operation: tuple[str, str, list[str]] | None) -> str:
        """Return what is wrong with an answer to `operation`, or an empty string."""
        if answer.status >= 500 and answer.status not in NOT_HTTP:
            return f"{answer.status}: {answer.body[:300]!r}"
        if b"content-security-policy" not in answer.headers:  # it never reached Django
            is_refusal = not answer.body or answer.body.startswith(b'{"code": ')  # the second by request_body.py
            return "" if answer.status in NOT_HTTP and is_refusal else f"not ours: {answer}"
        if answer.status >= 400 and INTERNALS.search(answer.body):
            return f"reveals internals: {answer.body[:300]!r}"
        of_head = not answer.body and answer.headers.get(b"content-length", b"0") != b"0"
        return "" if operation is None and (answer.status < 400 or of_head) else self._described(answer, operation)

    def _described(self, answer: Answer, operation: tuple[str, str, list[str]] | None) -> str:
        if answer.status in {204, 304}:
            return "" if not answer.body else "a body where there is none"
        kind = answer.headers.get(b"content-type", b"").partition(b";")[0].decode("latin-1")
        if operation and kind in self.documents.get((*operation[:2], str(answer.status)), ()):
            return ""
        if answer.headers.get(b"content-type") != b"application/json":
            return f"content type {answer.headers.get(b'content-type')!r} of {answer.status}"
        try:
            body = json.loads(answer.body)
        except ValueError:
            return f"no JSON in {answer}"
        if answer.status >= 400:
            fits = isinstance(body, dict) and isinstance(body.get("code"), str) and isinstance(body.get("detail"), str)
            return "" if fits else f"not the one shape: {answer.body[:300]!r}"
        return self._shaped(body, answer.status, operation or ("", "", []))

    def _shaped(self, body: Any, status: int, operation: tuple[str, str, list[str]]) -> str:
        method, path, _ = operation
        shape = self.shapes.get((method, path, str(status)))
        if shape is None:
            return f"{status} of {method} {path} is not in the schema"
        error = next(iter(shape.iter_errors(body)), None)
        return f"{method} {path}: {error.message} at {error.instance_path}" if error else ""


@dataclass
class Findings:
    """What was sent and found."""

    sent: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def exchange(port: int, raw: bytes, *, expected: int) -> tuple[list[Answer], bytes]:
    """Send the bytes; return the answers."""
    data, head, deadline = b"", raw.startswith(b"HEAD "), time.monotonic() + (ANSWER_TIMEOUT if expected else 3)
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_TIMEOUT) as connection:
        with suppress(OSError):
            connection.sendall(raw)
        connection.settimeout(ANSWER_TIMEOUT if expected else IDLE)
        with suppress(OSError):
            while time.monotonic() < deadline and (more := connection.recv(65_536)):
                data += more
                whole, rest = parse_answers(data, head=head)
                if expected and len(whole) >= expected and not rest:
                    connection.settimeout(0.005)  # wait briefly for an answer too many
    return parse_answers(data, head=head)


def attack(at: FuzzTarget, *, requests: int, seed: int, threads: int = 16) -> Findings:
    """Send random requests from several connections; the seed repeats them."""
    connection = HTTPConnection("127.0.0.1", at.port, timeout=ANSWER_TIMEOUT)
    connection.request("GET", "/api/schema/?format=json")
    verdict, found, lock = Verdict(json.loads(connection.getresponse().read())), Findings(), threading.Lock()
    connection.close()
    tokens = {role: at.token(role) for role in CALLERS}

    def work(number: int) -> None:
        rng = random.Random(f"{seed}:{number}")
        made = Requests(rng, verdict.operations)
        for turn in range(requests // threads):
            role = rng.choice(CALLERS)
            kind, raw, expected = made.next(tokens[role])
            said = f"{kind} of seed {seed}, thread {number}, turn {turn}, as {role}: {raw[:400]!r}: "
            got, rest = exchange(at.port, raw, expected=expected)
            faults = [fault for one in got if (fault := verdict.on(one, made.operation if expected else None))]
            if expected and len(got) != expected:
                faults.append(f"{len(got)} parse_answers instead of {expected}, then {rest[:100]!r}")
            with lock:
                found.sent += 1
                found.kinds[kind] += 1
                found.statuses.update(one.status for one in got)
                found.faults += [said + fault for fault in faults]

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        while worker.is_alive():
            worker.join(5)
            tokens.update({role: at.token(role) for role in CALLERS})
    found.faults += at.damage()
    return found


def main() -> int:
    """Run all fuzzers; print what was sent and found."""
    parser = ArgumentParser(description="At least 20,000 requests on a server of our own; ends by itself.")
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=int(time.time()) % 10**6)
    parser.add_argument("--examples", type=int, default=15, help="of each operation, for each role")
    given = parser.parse_args()
    with ExitStack() as contexts:
        folder = Path(contexts.enter_context(TemporaryDirectory()))
        (folder / "template").mkdir()
        template = contexts.enter_context(servers.migrated_database(folder / "template"))
        at = contexts.enter_context(start_fuzz_target(contexts.enter_context(servers.server_stack(folder, template))))
        sent, bad = 0, []
        for role in CALLERS:
            here, report = schemathesis_run.run(
                at, role, examples=given.examples, seed=given.seed, phases="examples,coverage,fuzzing,stateful"
            )
            sent, bad = sent + here, bad + [report] * bool(report)
            print(f"schema as {role}: {here} requests, {'FAILED' if report else 'fine'}", flush=True)
        # At least half of the requests are raw bytes.
        raw = attack(at, requests=max(given.requests // 2, given.requests + 16 - sent), seed=given.seed)
    print(f"raw: {raw.sent} requests of {dict(raw.kinds)}, answered {dict(raw.statuses)}, {len(raw.faults)} faults")
    print("\n".join([*bad, *raw.faults[:50]]))
    print(f"{sent + raw.sent} requests in all, seed {given.seed}: {'FAILED' if bad or raw.faults else 'nothing found'}")
    return bool(bad or raw.faults)


if __name__ == "__main__":
    sys.exit(main())
