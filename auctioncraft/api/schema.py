"""The OpenAPI schema's conventions: one error shape, tags by app."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema as Base

ERROR = {
    "type": "object",
    "description": "Every refusal. `code` is for programs and never renamed; `detail` is for people.",
    "required": ["code", "detail"],
    "properties": {
        "code": {"type": "string", "example": "bid_too_low"},
        "detail": {"type": "string"},
        "errors": {
            "type": "object",
            "description": "Malformed input: each field with what is wrong about it.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "additionalProperties": True,
}


class AutoSchema(Base):
    """drf-spectacular's, tagged by the first part of the path."""

    def get_tags(self) -> list[str]:
        """Return the part after /api/."""
        return [self.path.removeprefix("/api/").split("/")[0]]


def add_error_answers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Give every operation the error answer. A drf-spectacular postprocessing hook."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    answer = {
        "description": "Refused",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    for methods in result["paths"].values():
        for operation in methods.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status in ("4XX", "5XX"):
                    operation["responses"].setdefault(status, answer)
    return result
