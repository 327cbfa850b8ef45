"""Stripe's error envelope.

Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""

from __future__ import annotations

from typing import Any

JSON = dict[str, Any]

DOCS = "https://docs.stripe.com/error-codes/"


class StripeError(Exception):
    """An answer in Stripe's error shape.

    `saved` says whether an idempotency key stores it (validation errors are not stored, outcomes are);
    `keeps_changes` whether changes made before the error are committed (a decline is recorded on the intent).
    Source: https://docs.stripe.com/api/idempotent_requests
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type_: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        saved: bool = False,
        keeps_changes: bool = False,
        **more: Any,  # decline_code, charge, payment_intent, payment_method: what Stripe adds
    ) -> None:
        """Describe the error; it must not contain a key, a card number or a whole client secret of another."""
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.keeps_changes = keeps_changes
        self.fields: JSON = {"message": message, "type": type_}
        if code:
            self.fields |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
        if param:
            self.fields["param"] = param
        self.fields |= more

    def body(self, request_id: str) -> JSON:
        """Return the envelope with the link to the request log, as Stripe sends it in test mode."""
        url = f"https://dashboard.stripe.com/test/logs/{request_id}"
        return {"error": dict(sorted((self.fields | {"request_log_url": url}).items()))}


def missing_resource(kind: str, object_id: str, param: str) -> StripeError:
    """Return the 404 for an unknown id."""
    message = f"No such {kind}: '{object_id}'"
    return StripeError(message, status=404, code="resource_missing", param=param)


def missing_param(name: str) -> StripeError:
    """Return the 400 for a parameter that Stripe requires."""
    return StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def unexpected_state(message: str, intent: JSON) -> StripeError:
    """Return the 400 for an intent whose status does not allow the call; it carries the intent, as Stripe's does."""
    return StripeError(message, code="payment_intent_unexpected_state", payment_intent=intent, saved=True)
