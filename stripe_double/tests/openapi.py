"""Answers held against a document in OpenAPI 3.0, such as Stripe's own spec3.json.

Draft 4 is the JSON schema nearest to OpenAPI 3.0: as there, `$ref` stands alone. The one word it lacks is `nullable`.
Source: https://spec.openapis.org/oas/v3.0.3#schema-object
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft4Validator

if TYPE_CHECKING:
    from stripe_double.tests.api_walkthrough import Visit

JSON = dict[str, Any]


def without_nullable(schema: Any) -> Any:
    """Return the schema with each `nullable: true` said as JSON schema says it: the same, or null."""
    if isinstance(schema, list):
        return [without_nullable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    rest = {name: without_nullable(value) for name, value in schema.items() if name != "nullable" or value is not True}
    return {"anyOf": [rest, {"type": "null"}]} if schema.get("nullable") is True else rest


class Document:
    """An OpenAPI document, ready to judge answers."""

    def __init__(self, document: JSON) -> None:
        self.components = without_nullable(document.get("components", {}))
        self.paths = {_anonymous(path): item for path, item in document["paths"].items()}

    def problems(self, visit: Visit) -> list[str]:
        """Return what in an answer is not as the document says."""
        where = f"{visit.method} {visit.path} {visit.status}"
        operation = self.paths.get(_anonymous(visit.path), {}).get(visit.method.lower())
        if operation is None:
            return [f"{where}: not in the document"]
        answers = operation["responses"]
        answer = answers.get(str(visit.status)) or answers.get("default")
        if answer is None:
            return [f"{where}: no such answer in the document"]
        schema = without_nullable(answer["content"]["application/json"]["schema"])
        judge = Draft4Validator(schema | {"components": self.components})
        return [f"{where}: {error.json_path} {error.message[:300]}" for error in judge.iter_errors(visit.body)]


def _anonymous(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)
