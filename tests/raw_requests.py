"""Random raw requests to this API, as a hostile or broken client might send them.

Everything comes from the given random generator, so a seed repeats it.
"""

from __future__ import annotations

import json
import random  # noqa: TC003 (in signatures, to show that it is the standard one)
from typing import Any

from tests.raw_values import HEADERS, IDS, METHODS, NUMBERS, PARAMETERS, SEGMENTS, TEXTS, UUIDS


class Requests:
    """Random requests. `operations` are method, path and field names from the schema."""

    def __init__(self, rng: random.Random, operations: list[tuple[str, str, list[str]]]) -> None:
        self.rng, self.operations = rng, operations
        self.operation = operations[0]  # of the last request
        self.kinds = (
            self.plain, self.plain, self.wrong_types, self.wrong_types, self.deep, self.odd_header, self.odd_header,
            self.odd_path, self.odd_query, self.chunked, self.huge_length, self.broken, self.noise, self.odd_method,
            self.many_headers, self.pipelined, self.form,
        )  # fmt: skip

    def next(self, token: str | None) -> tuple[str, bytes, int]:
        """Return the kind, the bytes, and the exact number of requests in them (0: any number)."""
        made = self.rng.choice(self.kinds)
        raw = made(token)
        return (
            made.__name__,
            raw,
            1 if made in {self.plain, self.wrong_types, self.deep, self.form, self.odd_query} else 0,
        )

    def plain(self, token: str | None) -> bytes:
        method, path, fields = self._operation()
        return self._written(method, path, token, self._body(fields) if method in {"POST", "PATCH", "DELETE"} else None)

    def wrong_types(self, token: str | None) -> bytes:
        method, path, fields = self._operation({"POST", "PATCH", "DELETE"})
        body = {name: self._anything() for name in fields if self.rng.random() < 0.8}
        return self._written(method, path, token, json.dumps(body).encode())

    def deep(self, token: str | None) -> bytes:
        method, path, fields = self._operation({"POST", "PATCH"})
        depth = self.rng.choice((60, 63, 64, 65, 900, 1100, 50_000))
        opening, closing = self.rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
        name = json.dumps(self.rng.choice([*fields, "a"])).encode()
        return self._written(method, path, token, b"{" + name + b":" + opening * depth + b"1" + closing * depth + b"}")

    def odd_header(self, token: str | None) -> bytes:
        method, path, fields = self._operation()
        odd = [self.rng.choice(list(HEADERS)) for _ in range(self.rng.choice((1, 1, 2, 4)))]
        headers = [(name, self.rng.choice(HEADERS[name])) for name in odd]
        return self._written(method, path, token, self._body(fields), headers)

    def odd_method(self, token: str | None) -> bytes:
        _, path, fields = self._operation()
        return self._written(self.rng.choice(METHODS), path, token, self._body(fields))

    def many_headers(self, token: str | None) -> bytes:
        method, path, _ = self._operation()
        count = self.rng.choice((50, 90, 99, 101, 500, 5000))
        return self._written(method, path, token, None, [(f"X-{number}", "a") for number in range(count)])

    def odd_path(self, token: str | None) -> bytes:
        method, path, fields = self._operation()
        parts = path.split("/")
        parts[self.rng.randrange(1, len(parts))] = self.rng.choice(SEGMENTS)
        target = self.rng.choice(
            ("/".join(parts), "/".join(parts), "http://evil.example" + path, "*", "", path.rstrip("/"))
        )
        return self._written(method, target, token, self._body(fields))

    def odd_query(self, token: str | None) -> bytes:
        texts = [_quoted(text) for text in TEXTS if len(text) < 5000]
        values = [*texts, *map(str, NUMBERS), *SEGMENTS[:7]]
        query = "&".join(
            f"{self.rng.choice(PARAMETERS)}={self.rng.choice(values)}" for _ in range(self.rng.choice((1, 2, 3, 30)))
        ).replace("\xe9", "")
        _, path, _ = self._operation({"GET"})
        return self._written("GET", f"{path}?{query}", token, None)

    def chunked(self, token: str | None) -> bytes:
        method, path, fields = self._operation({"POST", "PATCH", "DELETE"})
        body = self._body(fields)
        sizes = (
            f"{len(body):x}",
            f"{len(body):X};a=b",
            "-1",
            "ffffffffffffffff",
            "0x5",
            "5 ",
            "",
            "zz",
            f"{len(body) + 9:x}",
            "0",
        )
        chunk = self.rng.choice(sizes).encode() + self.rng.choice((b"\r\n", b"\r\n", b"\n", b"\r"))
        end = self.rng.choice(
            (b"\r\n0\r\n\r\n", b"\r\n0\r\nX-Trailer: a\r\n\r\n", b"\r\n", b"", b"\r\n0\r\n\r\nGET /api/ HTTP/1.1\r\n")
        )
        headers = [("Transfer-Encoding", self.rng.choice(HEADERS["Transfer-Encoding"]))]
        if self.rng.random() < 0.4:
            headers.append(("Content-Length", self.rng.choice((str(len(body)), "0", "4"))))
        return _head(method, path, [*self._usual(token), *headers]) + chunk + body + end

    def huge_length(self, token: str | None) -> bytes:
        method, path, fields = self._operation({"POST", "PATCH"})
        length = self.rng.choice(HEADERS["Content-Length"])
        return _head(method, path, [*self._usual(token), ("Content-Length", length)]) + self._body(fields)

    def broken(self, token: str | None) -> bytes:
        raw = bytearray(self.plain(token))
        for _ in range(self.rng.choice((1, 2, 5, 20))):
            at = self.rng.randrange(len(raw) + 1)
            change = self.rng.randrange(4)
            if change == 0:
                raw[at : at + 1] = bytes([self.rng.randrange(256)])
            elif change == 1:
                del raw[at : at + self.rng.randrange(20)]
            elif change == 2:
                raw[at:at] = raw[at : at + self.rng.randrange(40)]
            else:
                raw[at:at] = self.rng.choice((b"\r\n", b"\n", b"\x00", b"\xff", b" ", b":", b"HTTP/1.1", b"\r\n\r\n"))
        return bytes(raw)

    def noise(self, token: str | None) -> bytes:
        starts = (
            b"",
            b"GET ",
            b"\x16\x03\x01\x02\x00\x01\x00",
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"GET / HTTP/9.9\r\n",
            b"\r\n\r\n",
        )
        return self.rng.choice(starts) + self.rng.randbytes(self.rng.choice((1, 10, 1000, 20_000)))

    def pipelined(self, token: str | None) -> bytes:
        return b"".join(self.plain(token) for _ in range(self.rng.choice((2, 5, 20))))

    def form(self, token: str | None) -> bytes:
        self.operation = ("POST", "/api/products/{product_id}/images/", [])
        edge, path = b"edge", f"/api/products/{self.rng.choice(IDS[:6])}/images/"
        name = self.rng.choice((b"image", b"image\x00", b"other", b""))
        file = self.rng.choice((b"a.png", b"../../a", b"\xff\xfe", b"", b"a" * 5000, b"a\x00.png")).replace(b'"', b"")
        data = self.rng.choice(
            (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\xff\xd8\xff", b"<svg/>", self.rng.randbytes(3000))
        )
        part = (
            b'--edge\r\nContent-Disposition: form-data; name="' + name + b'"; filename="' + file + b'"\r\n\r\n' + data
        )
        body = part * self.rng.choice((1, 1, 2, 50)) + self.rng.choice((b"\r\n--edge--\r\n", b"", b"\r\n--edge", b"--"))
        return self._written(
            "POST", path, token, body, [("Content-Type", f"multipart/form-data; boundary={edge.decode()}")]
        )

    def _operation(self, methods: set[str] | None = None) -> tuple[str, str, list[str]]:
        self.operation = self.rng.choice([one for one in self.operations if not methods or one[0] in methods])
        method, path, fields = self.operation
        parts = [self._filled(part, path) if part.startswith("{") else part for part in path.split("/")]
        return method, "/".join(parts), fields

    def _filled(self, part: str, path: str) -> str:
        of_uuid = part == "{id}" and ("/bids/" in path or "/sessions/" in path)
        likely, odd = (UUIDS[:1], UUIDS) if of_uuid else (IDS[:6], IDS)
        return _quoted(self.rng.choice(likely if self.rng.random() < 0.8 else odd))

    def _body(self, fields: list[str]) -> bytes:
        return json.dumps({name: self._likely(name) for name in fields if self.rng.random() < 0.9}).encode()

    def _likely(self, name: str) -> Any:
        if self.rng.random() < 0.15:
            return self._anything()
        if name.endswith("_at"):
            return f"2099-01-{self.rng.randrange(10, 29)}T00:00:00Z"
        if name in {"category", "product_id"}:
            return self.rng.randrange(1, 7)
        if name == "email":
            return f"fuzz{self.rng.randrange(50)}@example.com"
        if any(part in name for part in ("amount", "price", "bid", "shipping")):
            return str(self.rng.randrange(1, 2000))
        return {"currency": "USD", "accept_below_reserve": True, "soft_close_window": 60}.get(
            name, "Words of some sort"
        )

    def _anything(self, depth: int = 0) -> Any:
        if depth < 3 and self.rng.random() < 0.2:
            made = [self._anything(depth + 1) for _ in range(self.rng.randrange(4))]
            return made if self.rng.random() < 0.5 else {self.rng.choice(TEXTS[:12]): one for one in made}
        return self.rng.choice((*TEXTS, *NUMBERS, None, True, False, float("nan")))

    def _usual(self, token: str | None) -> list[tuple[str, str]]:
        usual = [("Host", "127.0.0.1"), ("Content-Type", "application/json")]
        return [*usual, ("Authorization", f"Bearer {token}")] if token else usual

    def _written(
        self, method: str, path: str, token: str | None, body: bytes | None, odd: list[tuple[str, str]] | None = None
    ) -> bytes:
        odd = odd or []
        # An odd header replaces the usual one, or sometimes is added to it.
        beside = self.rng.random() < 0.2
        usual = [pair for pair in self._usual(token) if beside or pair[0] not in {name for name, _ in odd}]
        length = (
            [("Content-Length", str(len(body)))] if body and "Content-Length" not in {name for name, _ in odd} else []
        )
        return _head(method, path, [*usual, *odd, *length]) + (body or b"")


def _head(method: str, path: str, headers: list[tuple[str, str]]) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1", "replace")


def _quoted(text: str) -> str:
    """Percent-encode as a browser does, and lone surrogates as a broken client does."""
    plain = text.encode("utf-8", "surrogatepass")
    return "".join(
        chr(byte) if (chr(byte).isalnum() and byte < 128) or byte in b"-%" else f"%{byte:02X}" for byte in plain
    )
