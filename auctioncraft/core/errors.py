"""Domain errors: what a use case raises when it refuses. Pure Python; one exception handler makes responses of them.

Codes are public: they are in the schema and are never renamed.
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """A refusal with a public `code`, a message for people, an HTTP status, and further fields of the response."""

    code: ClassVar[str] = "invalid"
    detail: ClassVar[str] = "The request is not valid."
    status: ClassVar[int] = 400
    retry_after: int | None = None

    def __init__(self, detail: str | None = None, *, retry_after: int | None = None, **extra: Any) -> None:
        """`extra`: further fields of the response; `retry_after`: seconds."""
        self.message = detail or self.detail
        self.retry_after = retry_after if retry_after is not None else self.retry_after
        self.extra = extra
        super().__init__(self.message)

    def body(self) -> dict[str, Any]:
        """Return the JSON body of the response."""
        return {"code": self.code, "detail": self.message, **self.extra}


class Invalid(DomainError):
    """Invalid input: `errors` says for each field what is wrong with it."""

    code = "invalid"
    detail = "The input is not valid."

    def __init__(self, **errors: str) -> None:
        """`errors`: field name to message."""
        super().__init__(errors={field: [text] for field, text in errors.items()})


class NotFound(DomainError):
    """The object does not exist, or the caller may not see it."""

    code = "not_found"
    detail = "Not found."
    status = 404


class PermissionDenied(DomainError):
    """The caller is known and may not do this."""

    code = "permission_denied"
    detail = "You do not have permission to do this."
    status = 403


class NotAuthenticated(DomainError):
    """The token belongs to an account or a session that has ended."""

    code = "token_not_valid"
    detail = "The token is no longer valid. Sign in again."
    status = 401


class Conflict(DomainError):
    """A base: the request is valid, and not possible in the present state."""

    status = 409


class TooManyRequests(DomainError):
    """A limit was reached; `retry_after` says when to try again."""

    code = "throttled"
    detail = "Too many requests. Try again later."
    status = 429
    retry_after = 60


class IdempotencyKeyReused(DomainError):
    """The Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"
    detail = "This Idempotency-Key was used for another request."
    status = 422


class Unavailable(DomainError):
    """A database or a service does not respond. Nothing was done, or a retry with the same key finds out."""

    code = "unavailable"
    detail = "A service is unavailable. Try again in a moment."
    status = 503
    retry_after = 2
