"""Security headers of every answer, and that the pages comply with them."""

import re

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from auctioncraft import middleware
from auctions.models import Product
from tests import admin_pages, factories
from tests.admin_pages import page

pytestmark = pytest.mark.django_db
NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def policy(answer):
    """Return the parts of the policy."""
    parts = (part.split() for part in answer["Content-Security-Policy"].split(";"))
    return {part[0]: part[1:] for part in parts}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/", 200),
        ("/api/products/", 200),
        ("/api/products/9/", 404),
        ("/api/users/me/", 401),
        ("/api/nothing/", 404),
        ("/api/schema/", 200),
        ("/api/docs/../x", 404),
        ("/nothing", 404),
        ("/metrics", 404),
        ("/admin", 404),
    ],
)
def test_api_answer_may_load_nothing(client, path, status):
    answer = client.get(path)
    assert answer.status_code == status
    assert answer["Content-Security-Policy"] == NOTHING
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("path", "scripts"),
    [
        ("/admin/login/", ["'self'", "'unsafe-eval'"]),
        ("/admin/", ["'self'", "'unsafe-eval'"]),
        ("/api/docs/", ["'self'"]),
    ],
)
def test_page_may_load_from_its_own_host_only(path, scripts):
    answer = Client().get(path)
    allowed = policy(answer)
    assert allowed["script-src"] == scripts
    assert allowed["connect-src"] == allowed["form-action"] == allowed["font-src"] == ["'self'"]
    assert allowed["default-src"] == allowed["frame-ancestors"] == allowed["base-uri"] == ["'none'"]
    assert "camera=()" in answer["Permissions-Policy"]
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"


def test_early_refusal_has_the_headers(client):
    answer = client.get("/api/", HTTP_HOST="evil.example")
    assert (answer.status_code, answer["Content-Security-Policy"]) == (400, NOTHING)
    answer = client.post("/api/products/", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert (answer.status_code, answer["Content-Security-Policy"]) == (411, NOTHING)


@pytest.mark.parametrize("where", ["/admin/", page(Product), "change", "add", "/admin/login/", "/api/docs/"])
def test_pages_have_no_inline_script(seller, where):
    product = factories.product(seller)
    where = {"change": page(Product, "change", product.pk), "add": "/admin/auth/group/add/"}.get(where, where)
    text = (Client() if "login" in where else admin_pages.operator()).get(where).content.decode()
    assert "<script" in text
    for script in re.findall(r"<script\b[^>]*>", text):
        assert re.search(r'\bsrc="/[^/]', script) or 'type="application/json"' in script, script
    assert not re.findall(r"<[^>]+\son[a-z]+\s*=\s*[\"']", text)
    assert "javascript:" not in text


@pytest.mark.parametrize(
    ("storage", "domain", "sources"),
    [
        ("files", None, ["'self'", "data:"]),
        ("s3", "cdn.example.com", ["'self'", "data:", "https://cdn.example.com"]),
        ("s3", None, ["'self'", "data:", "https:"]),
    ],
)
def test_images_may_load_from_the_media_host(settings, storage, domain, sources):
    settings.MEDIA_STORAGE = storage
    settings.STORAGES = {**settings.STORAGES, "default": {"BACKEND": "x", "OPTIONS": {"custom_domain": domain}}}
    answer = middleware.security_headers(lambda _: HttpResponse())(RequestFactory().get("/admin/"))
    assert policy(answer)["img-src"] == sources


@pytest.mark.parametrize("path", ["/api/", "/api/products/", "/api/nothing/", "/api/docs/"])
def test_foreign_host_in_development_answers_json(settings, path):
    settings.DEBUG = True
    answer = Client().get(path, HTTP_HOST="evil.example")
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/json")
    assert answer.json() == {"code": "invalid", "detail": "The request is not valid."}
    assert Client().get("/api/").status_code == 200


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/schema/", {"Accept": "image/png"}, 406, "not_acceptable"),
        ("/api/docs/", {"Accept": "application/xml"}, 406, "not_acceptable"),
        ("/api/docs/", {"Accept": "a;;;,/,"}, 406, "not_acceptable"),
        ("/api/schema/?format=exe", {}, 404, "not_found"),
        ("/api/docs/?format=exe", {}, 404, "not_found"),
    ],
)
def test_document_in_unknown_format_answers_404_or_406(client, path, headers, status, code):
    answer = client.get(path, headers=headers)
    assert (answer.status_code, answer["Content-Type"]) == (status, "application/json")
    assert answer.json()["code"] == code
    answer = client.post(path.partition("?")[0], {})
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/json")
    assert answer.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("sent", ["*/*", "application/*", "*/json", "*", "*/*; charset=utf-8"])
def test_content_type_without_type_answers_415(as_user, seller, sent):
    category = factories.category()
    body = f'{{"name": "Lamp", "category": {category.pk}, "starting_bid": 1}}'
    answer = as_user(seller).generic("POST", "/api/products/", body, content_type=sent)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert not Product.objects.exists()
    answer = as_user(seller).generic("POST", "/api/products/", body, content_type='application/json; a="*"')
    assert answer.status_code == 201
    # Stripe's body is verified as bytes, whatever its content type.
    assert as_user(seller).generic("POST", "/api/stripe/webhook/", "{}", content_type=sent).status_code == 400
