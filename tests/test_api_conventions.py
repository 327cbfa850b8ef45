"""The error shape, the API root, the schema and the docs page."""

import json
import re

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.db import InterfaceError, OperationalError
from django.test import Client
from rest_framework.test import APIClient

from auctions import queries
from auctions.services import bidding
from tests import factories

NOT_FOUND = {"code": "not_found", "detail": "Not found."}


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete"])
@pytest.mark.parametrize(
    "path",
    ["/api/nothing/", "/api/products", "/api/products/abc/bids/", "/api/products/1e30/", "/nothing", "/api/x\x00/"],
)
def test_unknown_route_answers_404_json(method, path):
    # With the CSRF check of a real server.
    answer = getattr(APIClient(enforce_csrf_checks=True), method)(path, {})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json")
    assert answer.json() == NOT_FOUND


@pytest.mark.parametrize("host", ["evil.example", "testserver.evil.example", "a b", "[", ""])
def test_unknown_host_answers_400_json(client, host):
    answer = client.get("/api/", HTTP_HOST=host)
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json() == {"code": "invalid", "detail": "The request is not valid."}


@pytest.mark.django_db
@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("gone")])
def test_database_down_answers_503(client, monkeypatch, error):
    def away(**_):
        raise error

    monkeypatch.setattr(queries, "get_product_detail", away)
    answer = client.get("/api/products/1/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "2")
    assert answer.json() == {
        "code": "unavailable",
        "detail": "A service is unavailable. Try again in a moment.",
    }


@pytest.mark.django_db
def test_server_error_answers_500_without_details(client, monkeypatch, caplog):
    def fail(**_):
        raise RuntimeError("a secret")

    monkeypatch.setattr(queries, "get_product_detail", fail)
    client.raise_request_exception = False
    answer = client.get("/api/products/1/")
    assert answer.status_code == 500
    assert answer.json() == {"code": "server_error", "detail": "Something went wrong on our side. It was logged."}
    assert "a secret" in caplog.text


@pytest.mark.django_db
def test_ended_token_with_used_key_answers_401(as_user, seller, bidder):
    product, caller = factories.product(seller), as_user(bidder)
    url, key = f"/api/products/{product.pk}/bids/", {"Idempotency-Key": "one"}
    assert caller.post(url, {"amount": "9"}, headers=key).status_code == 201
    type(bidder).objects.filter(pk=bidder.pk).update(is_active=False)
    answer = caller.post(url, {"amount": "9"}, headers=key)
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.django_db
def test_bid_that_always_conflicts_answers_503(as_user, seller, bidder, monkeypatch):
    from auctions.services.bid_store import store

    monkeypatch.setattr(store(), "write_bid", lambda write: False)
    answer = as_user(bidder).post(f"/api/products/{factories.product(seller).pk}/bids/", {"amount": "9"})
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "unavailable", "2")
    assert bidding.TRIES == 3


@pytest.mark.django_db
@pytest.mark.parametrize(
    "path",
    [
        "",
        "products/",
        "products/1/",
        "products/1/bids/",
        "products/1/events/",
        "products/1/close_auction/",
        "bids/",
        "categories/",
        "categories/1/",
    ],
)
def test_options_request_answers_below_500(as_user, staff, path):
    answer = as_user(staff).options(f"/api/{path}")
    assert answer.status_code in {200, 404}
    assert answer["Content-Type"] == "application/json"


def test_foreign_origin_gets_no_cors_header(client, settings):
    assert "Access-Control-Allow-Origin" not in client.get("/api/", headers={"Origin": "https://evil.example"})
    known = client.get("/api/", headers={"Origin": settings.CORS_ALLOWED_ORIGINS[0]})
    assert known["Access-Control-Allow-Origin"] == settings.CORS_ALLOWED_ORIGINS[0]


def test_api_root_lists_the_endpoints(client):
    body = client.get("/api/").json()
    assert body["products"] == "http://testserver/api/products/"
    assert {
        *("auth/otp/request", "auth/otp/verify", "auth/token", "auth/token/refresh", "users/register", "users/me"),
        *("categories", "products", "bids", "auth/notifications", "payments/create-payment-intent", "schema", "docs"),
    } <= set(body)
    for name, address in body.items():
        assert address == f"http://testserver/api/{name}/"


@pytest.mark.django_db
def test_api_root_links_all_work(client):
    for address in client.get("/api/").json().values():
        assert client.get(address).status_code in {200, 401, 405}, address


def test_schema_describes_the_documented_calls(client):
    answer = client.get("/api/schema/?format=json")
    assert answer.status_code == 200
    schema = json.loads(answer.content)
    assert schema["openapi"].startswith("3.1")
    assert {
        *("/api/auth/otp/request/", "/api/auth/token/", "/api/products/", "/api/products/{id}/"),
        *("/api/products/{product_id}/bids/", "/api/products/{id}/close_auction/", "/api/stripe/webhook/"),
    } <= set(schema["paths"])
    parameters = {part["name"]: part["schema"] for part in schema["paths"]["/api/products/"]["get"]["parameters"]}
    assert parameters.keys() >= {
        *("search", "category", "status", "seller", "min_price", "max_price", "ends_before", "has_bids", "mine"),
        *("watched", "bidding", "ordering", "page", "page_size"),
    }
    assert parameters["has_bids"]["type"] == "boolean"
    assert "4XX" in schema["paths"]["/api/products/"]["post"]["responses"]


def test_schema_validates_without_warnings(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", tmp_path / "schema.yaml")


def test_schema_describes_every_operation_and_query_parameter(client):
    paths = json.loads(client.get("/api/schema/?format=json").content)["paths"]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["description"], (method, path)
            for parameter in operation.get("parameters", ()):
                assert parameter["in"] == "path" or parameter.get("description"), (path, parameter["name"])


def test_docs_page_loads_only_local_files():
    page = Client().get("/api/docs/")
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    text = page.content.decode()
    links = re.findall(r"""(?:src|href)=["']([^"']+)""", text)
    # The page has no inline script; its start is a file too.
    script = links.pop(links.index("/api/docs/?script="))
    assert Client().get(script)["Content-Type"] == "application/javascript"
    assert not re.findall(r"<script>", text)
    assert links
    for link in links:
        assert re.match(r"/(?!/)", link), link
        assert finders.find(link.removeprefix("/static/")), link
    assert not re.findall(r"https?://(?!testserver)[\w.-]+", text)
