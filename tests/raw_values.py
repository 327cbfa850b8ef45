"""Unusual ids, path segments, texts, numbers, headers and methods for the raw fuzzer."""

from __future__ import annotations

# Values of path parameters.
IDS = (
    *("1", "2", "3", "4", "5", "6", "0", "999999999999999999", "9999999999999999999", "-1", "abc", "1e3", "%00", "%31"),
    *("\uff11", "\u0663"),
)
UUIDS = ("0190163d-8694-739b-aea5-966c26f8ad91", "0190163D-8694-739B-AEA5-966C26F8AD91", "{}", "1")
SEGMENTS = (
    *("%00", "%2e%2e", "..%2f", "%c0%ae", "%ff%fe", "%ed%a0%80", "%u0041", "%", "%zz", "\xe9", "\xc3\xa9", "~", "'"),
    *("%E2%80%AE", "%F0%9F%94%A8", "a" * 9000, ";a=b", "//", "?a", "#a", "\\", "%5c", "*", '"', "<script>"),
)
TEXTS = (
    *(
        "",
        " ",
        "a",
        "\x00",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\u3164",
        "\uff11\uff12",
        "\uff41\uff20\uff42\uff0e\uff43",
    ),
    *("\xe9" * 300, "a" * 70_000, "\U0010ffff", "' OR 1=1 --", "${7*7}", "{{7*7}}", "../../etc/passwd", "<img src=x>"),
    *("a@example.com", "%s%n", "=1+1", "\r\nX: y", "2026-13-45T99:99:99Z", "9999-12-31T23:59:59-23:59"),
    *("0001-01-01T00:00:00+23:59", "NaN", "1e400", "USD", "\u0663", "0x10"),
)
NUMBERS = (0, -1, 1, 0.1, 1e-300, 1e308, 10**15, 10**40, -(2**63), 2**63, 2**64, 99_999_999.999)
HEADERS = {
    "Authorization": (
        *("Bearer", "Bearer  ", "Bearer a b", "Bearer \xff\xfe", "Basic YTpi", "bearer " + "a." * 5000, "Bearer a.b.c"),
        *("Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.", "", "Bearer \x00"),
    ),
    "Content-Type": (
        *(
            "",
            "*/*",
            "application/*",
            "text/plain",
            "application/json; charset=utf-7",
            "application/json; charset=\xff",
        ),
        *("multipart/form-data", "multipart/form-data; boundary=" + "b" * 300, "application/json;;;;", "a/b/c"),
        *("x; a*=q'en'x", "application/json; " + "a=b; " * 2000, "application/x-www-form-urlencoded", "x\x0b"),
    ),
    "Content-Length": (
        *(
            "-1",
            "+5",
            "0x10",
            "1e3",
            "5, 5",
            "5, 6",
            " 5",
            "99999999999999999999999999",
            "18446744073709551616",
            "",
            "0",
        ),
        *("\xb2", "00000000000000000005", "2621441", "1073741824"),
    ),
    "Transfer-Encoding": (
        *("chunked", "Chunked", "chunked, chunked", "gzip, chunked", "identity", "xchunked", "chunked\x0b", " chunked"),
    ),
    "Host": (
        "",
        "evil.example",
        "127.0.0.1:99999",
        "[::1",
        "a b",
        "127.0.0.1\x00",
        "127.0.0.1, evil.example",
        "x" * 3000,
    ),
    "Accept": (
        *(
            "text/html",
            "image/*",
            "application/xml;q=a",
            "*/*;q=-1",
            ",,,,",
            "application/json; indent=999999999",
            "\xff",
        ),
    ),
    "Idempotency-Key": ("", " ", "a" * 256, "\xe9", "a\tb", "k", "\x7f"),
    "X-Forwarded-For": ("1.2.3.4", "::1", "a" * 500, "1.2.3.4, 5.6.7.8", "\xff", "127.0.0.1\x00", "999.1.1.1"),
    "X-Request-ID": ("a", "a" * 500, "\xff\xfe", "<b>", "\x00", "${jndi:ldap://x}"),
    "If-None-Match": ("*", '"a"', 'W/"a"', '"' * 500, "\xff", 'W/"' + "a" * 9000),
    "X-Forwarded-Proto": ("https", "ftp", "\xff"),
    "X-HTTP-Method-Override": ("DELETE", "TRACE"),
    "Origin": ("null", "https://evil.example", "\xff", "http://" + "a" * 5000),
    "Cookie": ("sessionid=a; csrftoken=b", "=;=;", "a" * 9000, 'a="\\400\\000"', "\xff=\xfe"),
    "Expect": ("100-continue", "200-ok"),
    "Upgrade": ("websocket", "h2c"),
    "Connection": ("close", "keep-alive, Upgrade", "Authorization", "\xff"),
    "Range": ("bytes=0-", "bytes=-1,-1,-1", "a"),
    "Stripe-Signature": (
        *("t=1,v1=a", "t=99999999999999999999,v1=" + "a" * 64, "t=,v1=", "\xff", "t=1" + ",v1=a" * 500),
    ),
    "": ("nameless",),
    "A B": ("space in the name",),
    "\xff": ("a name that is not ASCII",),
    "Folded": ("a\r\n b",),
    "Accept-Language": ("a" * 70_000,),
}
METHODS = ("GET", "HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "G\xcbT", "", "A" * 5000, "POST\t", "PRI")
PARAMETERS = (
    *("page", "page_size", "search", "ordering", "category", "status", "min_price", "ends_before", "mine", "after"),
    *("seller", "has_bids", "unread", "format", "lang", "script", "%00", "a[]", "page_size", "bidding", "everywhere"),
)
