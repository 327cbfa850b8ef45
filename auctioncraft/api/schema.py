"""The OpenAPI schema: summaries from docstrings, a tag per area, one error response."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema as Base

ERROR: Final = {
    "type": "object",
    "description": "An error.",
    "required": ["code", "detail"],
    "properties": {
        "code": {"type": "string", "description": "The error code. Codes never change.", "example": "bid_too_low"},
        "detail": {"type": "string", "description": "A message for people."},
        "errors": {
            "type": "object",
            "description": "Invalid input: the messages of each field.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
    "additionalProperties": True,
}
_ERROR_RESPONSES: Final = {"4XX": "The request was refused.", "5XX": "Something went wrong, or is unavailable."}


class AutoSchema(Base):
    """drf-spectacular's schema of a view."""

    def get_auth(self) -> list[dict[str, Any]]:
        """Return the ways to authenticate; "without a token" first, so that tools show that none is needed."""
        auth: list[dict[str, Any]] = super().get_auth()
        return sorted(auth, key=bool)

    def get_summary(self) -> str | None:
        """Return the summary of the view, else the first sentence of its description."""
        summary: str | None = super().get_summary()
        return summary or self.get_description().split("\n")[0].split(". ")[0].removesuffix(".")


def add_error_responses(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Add the error responses to every operation. A postprocessing hook of drf-spectacular."""
    result["components"].setdefault("schemas", {})["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for methods in result["paths"].values():
        for operation in methods.values():
            if isinstance(operation, dict) and "responses" in operation:
                for status, description in _ERROR_RESPONSES.items():
                    operation["responses"].setdefault(status, {"description": description, "content": content})
    return result
