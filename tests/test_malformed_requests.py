"""Malformed requests that must not be mistaken for valid ones."""

import json
from io import BytesIO

import pytest
from django.test import RequestFactory

from auctioncraft.wsgi import application
from auctions.models import Auction, Product
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("key", ["", " ", "clé", "a" * 256, "a\tb"], ids=["empty", "blank", "accent", "256", "tab"])
def test_idempotency_key_malformed_answers_400(as_user, seller, key):
    body = {"name": "Lamp", "category": factories.category().pk, "starting_bid": 1}
    answer = as_user(seller).post("/api/products/", body, HTTP_IDEMPOTENCY_KEY=key)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert list(answer.json()["errors"]) == ["idempotency_key"]
    assert not Product.objects.exists()


def test_chunked_body_answers_411(as_user, seller, bidder):
    product = factories.product(seller)
    answer = as_user(seller).post(
        f"/api/products/{product.pk}/close_auction/", {}, HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH=""
    )
    assert answer.status_code == 411
    assert answer.json() == {
        "code": "length_required",
        "detail": "Send the body with a Content-Length, not in chunks.",
    }
    assert Auction.objects.get().status == "open"


def test_too_many_parameters_answer_400(client):
    answer = client.get("/api/products/?" + "a=1&" * 1_001)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")


def test_authorization_header_blanked_by_server_answers_401(client, seller):
    answer = client.get("/api/products/", HTTP_AUTHORIZATION="")
    assert (answer.status_code, answer.json()["code"]) == (401, "token_not_valid")


@pytest.mark.parametrize("seconds", [" 12", "\uff11\uff12", "1_000", "+1", "1.", True, -1, 86_401])
def test_seconds_not_in_plain_digits_answer_400(as_user, seller, seconds):
    body = {"name": "Lamp", "category": factories.category().pk, "starting_bid": 1, "soft_close_window": seconds}
    answer = as_user(seller).post("/api/products/", body)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["soft_close_window"])


def test_answer_to_a_token_is_not_cached(as_user, client, seller):
    assert as_user(seller).get("/api/users/me/")["Cache-Control"] == "no-store"
    assert as_user(seller).get("/api/payments/orders/")["Cache-Control"] == "private, no-store"
    assert "Cache-Control" not in client.get("/api/products/")


@pytest.mark.parametrize(
    "content_type", ["x; a*=nonsense'en'x", "x; a*=utf-8'en", "application/json; a=" + "b" * 10_000]
)
def test_content_type_malformed_answers_415(content_type):
    """Call the WSGI application directly: Django refuses this before there is a request."""
    answers = []
    environ = RequestFactory()._base_environ(
        PATH_INFO="/api/auth/otp/request/", REQUEST_METHOD="POST", CONTENT_TYPE=content_type, CONTENT_LENGTH="2"
    )
    body = application(environ | {"wsgi.input": BytesIO(b"{}")}, lambda status, headers: answers.append(status))
    assert answers == ["415 Unsupported Media Type"]
    assert json.loads(b"".join(body))["code"] == "unsupported_media_type"


def test_headers_over_16_kb_answer_431():
    answers = []
    environ = RequestFactory()._base_environ(PATH_INFO="/api/products/", HTTP_IF_NONE_MATCH='"a",' * 4_096)
    body = application(environ, lambda status, headers: answers.append(status))
    assert answers == ["431 Request Header Fields Too Large"]
    assert json.loads(b"".join(body))["code"] == "headers_too_large"
