"""Domain errors: what a use case raises when it refuses. Pure Python; one exception handler makes them HTTP answers.

Codes are public: documented in the schema, never renamed.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal with a public `code`, a sentence for people, an HTTP status, and more fields of the answer if any."""

    code: ClassVar[str] = "invalid"
    detail: ClassVar[str] = "That won't do."
    status: ClassVar[int] = 400
    retry_after: int | None = None

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None, **extra: Any) -> None:
        """`extra` becomes fields of the answer beside code and detail; `retry_after` is in seconds."""
        self.message = detail or self.detail
        self.retry_after = retry_after if retry_after is not None else self.retry_after
        self.extra = extra
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """Return the error's JSON body."""
        return {"code": self.code, "detail": self.message, **self.extra}


class Invalid(DomainError):
    """Malformed input: `errors` names each field with what is wrong about it."""

    code = "invalid"
    detail = "The input is not valid."

    def __init__(self, **errors: str) -> None:
        """`errors`: field name to one sentence."""
        super().__init__(errors={field: [text] for field, text in errors.items()})


class NotFound(DomainError):
    """Not there, or not the caller's to see."""

    code = "not_found"
    detail = "There is nothing here."
    status = 404


class PermissionDenied(DomainError):
    """The caller is known, and it is not theirs to do."""

    code = "permission_denied"
    detail = "This is not yours to do."
    status = 403


class NotAuthenticated(DomainError):
    """The token is of an account or a sign-in that has ended."""

    code = "token_not_valid"
    detail = "The token is not valid any more. Sign in again."
    status = 401


class TooManyRequests(DomainError):
    """A limit was reached; `retry_after` says when to come back."""

    code = "throttled"
    detail = "Too many requests. Try again later."
    status = 429
    retry_after = 60


class IdempotencyKeyReused(DomainError):
    """The Idempotency-Key was used before with another request."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used with another request."
    status = 422


class Unavailable(DomainError):
    """A database or a service that we need is away; nothing was done, or a retry with the same key will tell."""

    code = "unavailable"
    detail = "Something we depend on is away. Try again in a moment."
    status = 503
    retry_after = 2
