"""What only the double has, under `/_double/`: what it is, 3-D Secure, bank settlement, faults, resending events."""

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
from stripe_double.faults import KINDS

if TYPE_CHECKING:
    from starlette.requests import Request

    from stripe_double.app import Double

JSON = dict[str, Any]

ABOUT = {
    "what": "A stand-in for Stripe for development and tests. No money moves here; nothing here is Stripe.",
    "api_version": objects.API_VERSION,
    "pay": "curl -u sk_test_double: {base}/v1/payment_intents/<pi_...>/confirm -d payment_method=pm_card_visa",
    "switches": {
        "GET or POST /_double/payment_intents/{id}/authenticate": "finish 3-D Secure, outcome=succeed|fail",
        "POST /_double/payment_intents/{id}/settle": "finish a processing payment, outcome=succeed|fail",
        "POST /_double/events/{id}/resend": "deliver an event again",
        "GET or POST /_double/faults": f"next={'|'.join(KINDS)} (empty disarms), seconds=0 of silence before it closes",
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
        Route("/_double/events/{id}/resend", partial(_resend, double), methods=["POST"]),
        Route("/_double/faults", partial(_show_faults, double), methods=["GET"]),
        Route("/_double/faults", partial(_set_faults, double), methods=["POST"]),
    ]


async def _about(request: Request) -> Response:
    text = ABOUT | {"pay": str(ABOUT["pay"]).format(base=str(request.base_url).rstrip("/"))}
    return JSONResponse(text)


async def _show_page(double: Double, request: Request) -> Response:
    intent = double.store.get("payment_intent", request.path_params["id"])
    if intent is None or intent["status"] != "requires_action":
        return _refused("no such payment waits for authentication", 404)
    return HTMLResponse(PAGE.format(intent=html.escape(intent["id"])))


async def _authenticate(double: Double, request: Request) -> Response:
    given = await _given(request)
    intent, problem = _waiting(double, request, given, "requires_action")
    if intent is None:
        return problem
    with double.store.transaction():
        intent = confirm.authenticate(_call(double, request), intent, succeed=given["outcome"] == "succeed")
    double.wake()
    return_url = double.store.private(intent["id"]).get("return_url")
    if not given.get("page") or not return_url:
        return JSONResponse(intent)
    # https://docs.stripe.com/payments/accept-a-payment: what Stripe adds to the return_url
    query = urlencode(
        {
            "payment_intent": intent["id"],
            "payment_intent_client_secret": intent["client_secret"],
            "redirect_status": "succeeded" if intent["status"] == "succeeded" else "failed",
        }
    )
    return RedirectResponse(return_url + ("&" if "?" in return_url else "?") + query, status_code=303)


async def _settle(double: Double, request: Request) -> Response:
    given = await _given(request)
    intent, problem = _waiting(double, request, given, "processing")
    if intent is None:
        return problem
    with double.store.transaction():
        intent = confirm.settle(_call(double, request), intent, succeed=given["outcome"] == "succeed")
    double.wake()
    return JSONResponse(intent)


async def _resend(double: Double, request: Request) -> Response:
    event_id = request.path_params["id"]
    if double.store.get("event", event_id) is None:
        return _refused("no such event", 404)
    if double.deliverer is None:
        return _refused("the double was started without a webhook address", 409)
    double.store.queue(event_id)
    double.wake()
    return JSONResponse({"event": event_id, "queued": True})


async def _show_faults(double: Double, _: Request) -> Response:
    fault = double.faults.next
    return JSONResponse(
        {"next": fault.kind if fault else None, "seconds": fault.seconds if fault else 0, "kinds": KINDS}
    )


async def _set_faults(double: Double, request: Request) -> Response:
    problem = double.faults.set(await _given(request))
    return _refused(problem, 400) if problem else await _show_faults(double, request)


def _waiting(double: Double, request: Request, given: JSON, status: str) -> tuple[JSON | None, Response]:
    intent = double.store.get("payment_intent", request.path_params["id"])
    if intent is None or intent["status"] != status:
        return None, _refused(f"no payment intent of this id is in {status}", 404 if intent is None else 409)
    if given.get("outcome") not in ("succeed", "fail"):
        return None, _refused("outcome must be succeed or fail", 400)
    return intent, Response()


def _refused(problem: str, status: int) -> Response:
    return JSONResponse({"error": {"type": "double_error", "message": problem}}, status)


def _call(double: Double, request: Request) -> Call:
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


async def _given(request: Request) -> JSON:
    raw = await request.body()
    try:
        loaded = (
            json.loads(raw) if raw.lstrip().startswith(b"{") else dict(parse_qsl(raw.decode(), keep_blank_values=True))
        )
    except ValueError:
        return {}
    return loaded if isinstance(loaded, dict) else {}
