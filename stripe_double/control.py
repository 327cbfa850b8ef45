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
from stripe_double.faults import KINDS, METHODS
from stripe_double.webhook_faults import READERS

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
        "GET or POST /_double/webhooks": "doubled=N copies beside each delivery, reorder=true (within window=0.25 "
        "seconds, seed=0), delay=seconds, drop=N deliveries lost for good (-1: all), pause=true; reset=true ends it all; "
        "secret=whsec_… rolls the secret, also=whsec_… signs with the old one too (connect_secret=, connect_also=)",
        "POST /_double/webhooks/flush": "answers once nothing is on its way any more, or 408 after seconds=10",
        "GET or POST /_double/faults": f"next={'|'.join(KINDS)} (empty disarms all), seconds=0 of silence, times=1, "
        f"method={'|'.join(METHODS)}, path=/v1/refunds (what the path begins with)",
    },
}
NO_WEBHOOKS = "the double was started without a webhook address"
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
        Route("/_double/webhooks", partial(_show_webhooks, double), methods=["GET"]),
        Route("/_double/webhooks", partial(_set_webhooks, double), methods=["POST"]),
        Route("/_double/webhooks/flush", partial(_flush, double), methods=["POST"]),
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
        return _refused(NO_WEBHOOKS, 409)
    double.store.queue(event_id)
    double.wake()
    return JSONResponse({"event": event_id, "queued": True})


async def _show_faults(double: Double, _: Request) -> Response:
    return JSONResponse(double.faults.shown())


async def _set_faults(double: Double, request: Request) -> Response:
    problem = double.faults.set(await _given(request))
    return _refused(problem, 400) if problem else await _show_faults(double, request)


async def _show_webhooks(double: Double, _: Request) -> Response:
    deliverer = double.deliverer
    if deliverer is None:
        return _refused(NO_WEBHOOKS, 409)
    endpoints = {"platform": deliverer.platform, "connect": deliverer.connect or deliverer.platform}
    shown = {name: {"url": at.url, "secrets": len(at.secrets)} for name, at in endpoints.items()}
    return JSONResponse(deliverer.faults.shown() | {"deliveries": double.store.deliveries()} | shown)


async def _set_webhooks(double: Double, request: Request) -> Response:
    given, deliverer = await _given(request), double.deliverer
    if deliverer is None:
        return _refused(NO_WEBHOOKS, 409)
    unknown = sorted(set(given) - {*READERS, "reset", "secret", "also", "connect_secret", "connect_also"})
    problem = f"no such switch: {', '.join(unknown)}" if unknown else deliverer.faults.set(given)
    for endpoint, secret, also in (
        (deliverer.platform, "secret", "also"),
        (deliverer.connect, "connect_secret", "connect_also"),
    ):
        rolled = [str(given[name]) for name in (secret, also) if given.get(name)]
        if rolled and (endpoint is None or not given.get(secret)):
            problem = f"{also} goes with {secret}, and that with an endpoint of its own"
        elif rolled and endpoint and problem is None:
            endpoint.secrets = rolled
    if problem:
        return _refused(problem, 400)
    double.wake()
    return await _show_webhooks(double, request)


async def _flush(double: Double, request: Request) -> Response:
    given = await _given(request)
    try:
        seconds = float(given.get("seconds", 10))
    except (TypeError, ValueError):
        return _refused("seconds must be a number", 400)
    done = double.deliverer is None or await double.deliverer.flush(seconds)
    return JSONResponse({"flushed": done, "deliveries": double.store.deliveries()}, 200 if done else 408)


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
