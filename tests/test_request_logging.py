"""Request ids, and the one log line per request."""

import json
import logging
import re

import pytest
from django.test import Client

from auctioncraft.core import logs
from auctioncraft.request_logging import route_of
from tests import factories

pytestmark = pytest.mark.django_db
MADE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def lines(caplog):
    """Return the fields of the request lines since the last call."""

    def taken():
        found = [item for item in caplog.records if item.name == "auctioncraft.request_logging"]
        caplog.clear()
        assert all((item.levelno, item.getMessage()) == (logging.INFO, "request") for item in found)
        return [(item.method, item.route, item.status) for item in found]

    caplog.set_level(logging.INFO)
    return taken


def test_request_is_logged_in_one_line(client, seller, lines):
    product = factories.product(seller)
    lines()
    client.get(f"/api/products/{product.pk}/", {"search": "user@example.com"})
    assert lines() == [("GET", "/api/products/{pk}/", 200)]


@pytest.mark.parametrize(
    ("method", "path", "line"),
    [
        ("get", "/api/nothing/user@example.com/", ("GET", "/api/", 404)),
        ("get", "/nothing/", ("GET", "?", 404)),
        ("post", "/api/auth/token/", ("POST", "/api/auth/token/", 400)),
        ("delete", "/api/users/me/", ("DELETE", "/api/users/me/", 401)),
        ("get", "/admin/", ("GET", "/admin/", 302)),
    ],
)
def test_refused_request_is_logged_in_one_line(client, lines, method, path, line):
    getattr(client, method)(path)
    assert lines() == [line]


def test_static_file_request_is_not_logged(client, lines):
    assert client.get("/static/unfold/css/styles.css").status_code == 200
    assert lines() == []


def test_unknown_method_is_not_repeated_in_the_log(client, lines):
    client.generic("PASSWORD", "/api/categories/")
    assert lines() == [("?", "/api/categories/", 401)]


def test_request_without_id_gets_one(client):
    first, second = (client.get("/api/categories/").headers["X-Request-ID"] for _ in range(2))
    assert MADE.fullmatch(first)
    assert MADE.fullmatch(second)
    assert first != second


@pytest.mark.parametrize("path", ["/api/categories/", "/api/nothing/", "/nothing/", "/admin/"])
def test_request_with_valid_id_keeps_it(client, path):
    assert client.get(path, headers={"X-Request-ID": "edge-7f.3A_1"}).headers["X-Request-ID"] == "edge-7f.3A_1"


@pytest.mark.parametrize("given", ["", "short", "x" * 65, "two words", "a\nlevel=info", "ünïcode-id", "-dash-first"])
def test_request_with_invalid_id_gets_another(client, given):
    # As the web server passes it on; the test client would refuse some of these.
    assert MADE.fullmatch(client.get("/api/categories/", HTTP_X_REQUEST_ID=given).headers["X-Request-ID"])


def test_request_with_foreign_host_gets_an_id(client, lines):
    answer = client.get("/api/categories/", HTTP_HOST="evil.example")
    assert answer.status_code == 400
    assert MADE.fullmatch(answer.headers["X-Request-ID"])
    assert len(lines()) == 1


def test_request_id_header_is_allowed_by_cors(client):
    origin = {"HTTP_ORIGIN": "http://localhost:3000"}
    answer = client.get("/api/categories/", **origin)
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET", "HTTP_ACCESS_CONTROL_REQUEST_HEADERS": "x-request-id"}
    assert (
        "x-request-id" in client.options("/api/categories/", **origin, **asked).headers["Access-Control-Allow-Headers"]
    )


@pytest.fixture
def formatted():
    """Return the fields of the request line as a process writes it."""
    written = []
    form = logs.formatter(log_format="json")

    class Keep(logging.Handler):
        def emit(self, record):
            written.append(json.loads(form.format(record)))

    keep, logger = Keep(), logging.getLogger("auctioncraft")
    logger.addHandler(keep)
    yield written
    logger.removeHandler(keep)


def test_log_line_names_user_and_request_id(as_user, bidder, formatted):
    answer = as_user(bidder).get("/api/users/me/")
    (line,) = formatted
    assert line.pop("ms") >= 0
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "auctioncraft.request_logging",
        "event": "request",
        "method": "GET",
        "route": "/api/users/me/",
        "status": 200,
        "user": bidder.pk,
        "request_id": answer.headers["X-Request-ID"],
    }


def test_log_line_without_session_names_no_user(client, formatted):
    client.get("/api/categories/")
    assert "user" not in formatted[0]


def test_log_line_of_a_bid_names_the_bidder_without_a_query(as_user, seller, bidder, formatted):
    """The token names the bidder, without a query."""
    product = factories.product(seller)
    answer = as_user(bidder).post(f"/api/products/{product.pk}/bids/", {"amount": "100.00"})
    assert answer.status_code == 201, answer.data
    assert (formatted[-1]["route"], formatted[-1]["user"]) == ("/api/products/{product_pk}/bids/", bidder.pk)


def test_log_line_of_the_admin_names_staff_without_a_query(staff, formatted, django_assert_num_queries):
    caller = Client()
    caller.force_login(staff)
    caller.get("/admin/")
    assert formatted[-1]["user"] == staff.pk
    with django_assert_num_queries(0):  # an endpoint that needs no user does not look one up
        caller.get("/api/nothing/")
    assert "user" not in formatted[-1]


def test_log_line_of_a_failure_names_its_request(client, monkeypatch, formatted):
    def fail(*_, **__):
        raise ValueError("odd")

    monkeypatch.setattr("auctions.views.categories.CategoryViewSet.list", fail)
    monkeypatch.setattr("auctions.views.categories.CategoryViewSet.get_queryset", fail)
    client.raise_request_exception = False
    answer = client.get("/api/categories/")
    assert answer.status_code == 500
    error = next(line for line in formatted if line["level"] == "error")
    assert error["request_id"] == answer.headers["X-Request-ID"]
    assert error["exception"].endswith("ValueError: odd")


def test_log_line_after_a_request_names_no_request(client):
    client.get("/api/categories/")
    assert logs.current_request.get() is None


@pytest.mark.parametrize(
    ("pattern", "route"),
    [
        (r"api/^products/(?P<pk>[0-9a-f]{8}(?:-[0-9a-f]{4}){3})/void/$", "/api/products/{pk}/void/"),
        ("admin/auctions/<path:object_id>/change/", "/admin/auctions/{object_id}/change/"),
        (r"^media/(?P<path>.*)$", "/media/{path}"),
    ],
)
def test_log_route_is_written_as_in_the_documentation(pattern, route):
    assert route_of(pattern) == route
