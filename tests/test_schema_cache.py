"""The schema is made once in each process; clients that have it get 304."""

import json

import pytest
from drf_spectacular.generators import SchemaGenerator

from auctioncraft.api import schema_views


@pytest.fixture
def generated(monkeypatch):
    """Empty the cache; return the list of generations."""
    monkeypatch.setattr(schema_views, "_schemas", {})
    calls, whole = [], SchemaGenerator.get_schema
    monkeypatch.setattr(SchemaGenerator, "get_schema", lambda self, **how: calls.append(how) or whole(self, **how))
    return calls


@pytest.mark.django_db
def test_schema_is_generated_once_and_answers_304_to_its_etag(client, generated):
    first = client.get("/api/schema/?format=json")
    assert (first.status_code, first["Cache-Control"]) == (200, "public, max-age=300")
    assert first["Content-Type"] == "application/vnd.oai.openapi+json"
    assert json.loads(first.content)["openapi"] == "3.1.0"
    again = client.get("/api/schema/?format=json")
    assert (again.content, again["ETag"]) == (first.content, first["ETag"])
    known = client.get("/api/schema/?format=json", HTTP_IF_NONE_MATCH=first["ETag"])
    assert (known.status_code, known.content) == (304, b"")
    assert len(generated) == 1
    assert client.get("/api/schema/").content.startswith(b"openapi: 3.1.0")
    assert len(generated) == 2  # YAML


@pytest.mark.django_db
def test_schema_while_it_is_generated_answers_503(client, generated):
    with schema_views._lock:
        answer = client.get("/api/schema/?format=json")
        assert (answer.status_code, answer["Retry-After"], generated) == (503, "2", [])
    assert client.get("/api/schema/?format=json").status_code == 200
    with schema_views._lock:
        assert client.get("/api/schema/?format=json").status_code == 200


@pytest.mark.django_db
def test_docs_page_answers_304_to_its_etag(client):
    page = client.get("/api/docs/")
    known = client.get("/api/docs/", HTTP_IF_NONE_MATCH=page["ETag"])
    assert (page.status_code, known.status_code, known.content) == (200, 304, b"")
