"""Every answer of the double held against Stripe's OpenAPI document, where that is at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from stripe_double.tests import api_walkthrough
from stripe_double.tests.api_walkthrough import Visit
from stripe_double.tests.openapi import Document

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

SPEC = Path(__file__).resolve().parents[2].parent / "shared" / "stripe" / "spec3.json"

ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "object", "required": ["message"]}},
}
CHAIR = {
    "type": "object",
    "required": ["id", "maker"],
    "properties": {
        "id": {"type": "string"},
        "legs": {"type": "integer", "nullable": True},
        "finish": {"type": "string", "enum": ["oiled", "raw"], "nullable": True},
        # As Stripe describes what can be expanded: an id, or the object in its place.
        "maker": {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/maker"}], "nullable": True},
        "parts": {"type": "array", "items": {"$ref": "#/components/schemas/part"}},
    },
}
SMALL = {
    "openapi": "3.0.0",
    "paths": {
        "/v1/chairs/{chair}": {
            "get": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/chair"}}}},
                    "default": {"content": {"application/json": {"schema": ERROR}}},
                }
            }
        }
    },
    "components": {
        "schemas": {
            "chair": CHAIR,
            "maker": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "part": {"type": "object", "properties": {"price": {"type": "integer", "nullable": False}}},
        }
    },
}


def problems(
    body: dict[str, Any], status: int = 200, *, method: str = "GET", path: str = "/v1/chairs/{id}"
) -> list[str]:
    return Document(SMALL).problems(Visit(method, path, status, body))


@pytest.mark.parametrize(
    "body",
    [
        {"id": "c1", "maker": "m1", "legs": 4, "finish": "raw", "parts": [{"price": 1}]},
        {"id": "c1", "maker": {"name": "Ann"}, "legs": None, "finish": None, "parts": []},
        {"id": "c1", "maker": None},
    ],
)
def test_openapi_validator_accepts_valid_response(body: dict[str, Any]) -> None:
    assert problems(body) == []


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"id": None}, "$.id"),
        ({"legs": "four"}, "$.legs"),
        ({"finish": "lacquered"}, "$.finish"),
        ({"maker": {"name": None}}, "$.maker"),
        ({"maker": 7}, "$.maker"),
        ({"parts": [{"price": 1}, {"price": None}]}, "$.parts[1].price"),
    ],
)
def test_openapi_validator_names_the_place_of_an_error(change: dict[str, Any], at: str) -> None:
    (found,) = problems({"id": "c1", "maker": "m1"} | change)
    assert found.startswith(f"GET /v1/chairs/{{id}} 200: {at} ")


def test_openapi_validator_reports_missing_fields() -> None:
    assert len(problems({"id": "c1"})) == 1
    assert problems({"error": {"message": "No."}}, 404) == []
    assert len(problems({"error": {}}, 404)) == 1


def test_openapi_validator_reports_unknown_fields() -> None:
    assert problems({}, method="POST") == ["POST /v1/chairs/{id} 200: not in the document"]
    assert problems({}, path="/v1/tables") == ["GET /v1/tables 200: not in the document"]


@pytest.mark.skipif(not SPEC.exists(), reason=f"Stripe's OpenAPI document is not at {SPEC}")
def test_responses_match_stripe_openapi_document(double: Running) -> None:
    document = Document(json.loads(SPEC.read_text()))
    found = {line for visit in api_walkthrough.through(double.url).visits for line in document.problems(visit)}
    assert sorted(found) == []
