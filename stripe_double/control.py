"""The double's own endpoints, under `/_double/`: what it is, 3-D Secure, bank settlement. More in `switches.py`."""

from __future__ import annotations

import html
import json
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stripe_double import confirm, objects
from stripe_double.call import Call
from stripe_double.faults import KINDS, METHODS

if TYPE_CHECKING:
    from starlette.requests import Request

    from stripe_double.state import Double

JSON = dict[str, Any]

ABOUT = {
    "what": "A stand-in for Stripe for development and tests. No money moves here; nothing here is Stripe.",
    "api_version": objects.API_VERSION,
    "pay": "curl -u sk_test_double: {base}/v1/payment_intents/<pi_...>/confirm -d payment_method=pm_card_visa",
    "switches": {
        "GET or POST /_double/payment_intents/{id}/authenticate": "finish 3-D Secure, outcome=succeed|fail",
        "POST /_double/payment_intents/{id}/settle": "finish a processing payment, outcome=succeed|fail",
        "GET or POST /_double/setup_intents/{id}/authenticate": "the same when a card is saved",
        "GET or POST /_double/onboard/{id}/{token}": "what an account link opens, outcome=complete|leave",
        "POST /_double/accounts/{id}": "charges_enabled=, payouts_enabled=, details_submitted=, disabled_reason=, "
        "empty=true (nothing can be taken back)",
        "POST /_double/refunds/{id}/settle": "finish a pending refund, or fail one of 5126: outcome=succeed|fail",
        "POST /_double/charges/{id}/dispute": "dispute a paid charge; amount= (what is not refunded), reason=",
        "POST /_double/disputes/{id}/close": "what the bank decides, outcome=won|lost",
        "POST /_double/events/{id}/resend": "deliver an event again",
        "POST /_double/reset": "delete all objects, idempotency keys, deliveries and faults",
        "GET or POST /_double/webhooks": "doubled=N copies beside each delivery, reorder=true (within window=0.25 "
        "seconds, seed=0), delay=seconds, drop=N deliveries lost for good (-1: all), pause=true; reset=true ends all; "
        "secret=whsec_… rolls the secret, also=whsec_… signs with the old one too (connect_secret=, connect_also=)",
        "POST /_double/webhooks/flush": "answers once nothing is on its way any more, or 408 after seconds=10",
        "GET or POST /_double/faults": f"next={'|'.join(KINDS)} (empty disarms all), seconds=0 of silence, times=1, "
        f"method={'|'.join(METHODS)}, path=/v1/refunds (what the path begins with)",
    },
}
PAGE = """<!doctype html><meta charset="utf-8"><title>3-D Secure, Stripe double</title>
<h1>3-D Secure</h1><p>The Stripe double stands in for the bank. Payment {intent}.</p>
<form method="post"><input type="hidden" name="page" value="1">
<button name="outcome" value="succeed">Complete</button>
<button name="outcome" value="fail">Fail</button></form>"""


def routes(double: Double) -> list[Route]:
    """Return the double's own routes."""
    intent = "/_double/payment_intents/{id}"
    return [
        Route("/_double/", _about, methods=["GET"]),
        Route(intent + "/authenticate", partial(_show_page, double), methods=["GET"]),
        Route(intent + "/authenticate", partial(_authenticate, double), methods=["POST"]),
        Route(intent + "/settle", partial(_settle, double), methods=["POST"]),
    ]


async def _about(request: Request) -> Response:
    text = ABOUT | {"pay": str(ABOUT["pay"]).format(base=str(request.base_url).rstrip("/"))}
    return JSONResponse(text)


async def _show_page(double: Double, request: Request) -> Response:
    intent = double.store.get("payment_intent", request.path_params["id"])
    if intent is None or intent["status"] != "requires_action":
        return refused("no such payment waits for authentication", 404)
    return HTMLResponse(PAGE.format(intent=html.escape(intent["id"])))


async def _authenticate(double: Double, request: Request) -> Response:
    form = await given(request)
    intent, problem = waiting(double, request, form, "payment_intent", "requires_action")
    if intent is None:
        return problem
    with double.store.transaction():
        intent = confirm.authenticate(internal_call(double, request), intent, succeed=form["outcome"] == "succeed")
    double.wake()
    return redirect_to_return_url(double, intent, form)


async def _settle(double: Double, request: Request) -> Response:
    form = await given(request)
    intent, problem = waiting(double, request, form, "payment_intent", "processing")
    if intent is None:
        return problem
    with double.store.transaction():
        intent = confirm.settle(internal_call(double, request), intent, succeed=form["outcome"] == "succeed")
    double.wake()
    return JSONResponse(intent)


def redirect_to_return_url(double: Double, intent: JSON, form: JSON) -> Response:
    """Answer with the intent, or send a browser that came by the page to the return_url, with what Stripe adds to it.

    Source: https://docs.stripe.com/payments/accept-a-payment and https://docs.stripe.com/payments/save-and-reuse
    """
    return_url = double.store.private(intent["id"]).get("return_url")
    if not form.get("page") or not return_url:
        return JSONResponse(intent)
    query = urlencode(
        {
            intent["object"]: intent["id"],
            f"{intent['object']}_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
        }
    )
    return RedirectResponse(return_url + ("&" if "?" in return_url else "?") + query, status_code=303)


def waiting(double: Double, request: Request, form: JSON, kind: str, status: str) -> tuple[JSON | None, Response]:
    """Return the intent of the path if it waits in `status` and the form says how it goes on; else what is wrong."""
    intent = double.store.get(kind, request.path_params["id"])
    if intent is None or intent["status"] != status:
        problem = f"no {kind.replace('_', ' ')} of this id is in {status}"
        return None, refused(problem, 404 if intent is None else 409)
    if form.get("outcome") not in ("succeed", "fail"):
        return None, refused("outcome must be succeed or fail", 400)
    return intent, Response()


def refused(problem: str, status: int) -> Response:
    """Return the double's own error: unlike Stripe's, so that they cannot be confused."""
    return JSONResponse({"error": {"type": "double_error", "message": problem}}, status)


def internal_call(double: Double, request: Request) -> Call:
    """Return a call made by the double itself, acting as a bank or a customer, without an API request."""
    base_url = str(request.base_url).rstrip("/")
    return Call(
        store=double.store,
        params={},
        request_id="",
        idempotency_key=None,
        base_url=base_url,
        publishable=False,
        delivers=double.deliverer is not None,
    )


async def given(request: Request) -> JSON:
    """Return the form or JSON that came with a switch; empty if it is neither."""
    raw = await request.body()
    try:
        loaded = (
            json.loads(raw) if raw.lstrip().startswith(b"{") else dict(parse_qsl(raw.decode(), keep_blank_values=True))
        )
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
