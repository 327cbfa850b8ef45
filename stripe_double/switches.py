"""The double's switches under `/_double/`: faults of the API, faults of webhooks, events sent again, disputes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse
from starlette.routing import Route

from stripe_double import disputes
from stripe_double.control import given, internal_call, refused
from stripe_double.webhook_faults import READERS

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from stripe_double.state import Double
    from stripe_double.webhooks import Deliverer

JSON = dict[str, Any]

NO_WEBHOOKS = "the double was started without a webhook address"
SECRETS = ("secret", "also", "connect_secret", "connect_also")


def routes(double: Double) -> list[Route]:
    """Return the routes of the switches."""
    return [
        Route("/_double/reset", partial(_reset, double), methods=["POST"]),
        Route("/_double/events/{id}/resend", partial(_resend, double), methods=["POST"]),
        Route("/_double/faults", partial(_show_faults, double), methods=["GET"]),
        Route("/_double/faults", partial(_set_faults, double), methods=["POST"]),
        Route("/_double/charges/{id}/dispute", partial(_dispute, double), methods=["POST"]),
        Route("/_double/disputes/{id}/close", partial(_decide, double), methods=["POST"]),
        Route("/_double/webhooks", partial(_show_webhooks, double), methods=["GET"]),
        Route("/_double/webhooks", partial(_set_webhooks, double), methods=["POST"]),
        Route("/_double/webhooks/flush", partial(_flush, double), methods=["POST"]),
    ]


async def _reset(double: Double, _: Request) -> Response:
    double.store.clear()
    double.faults.waiting.clear()
    return JSONResponse({"reset": True})


async def _resend(double: Double, request: Request) -> Response:
    event_id = request.path_params["id"]
    if double.store.get("event", event_id) is None:
        return refused("no such event", 404)
    if double.deliverer is None:
        return refused(NO_WEBHOOKS, 409)
    double.store.queue(event_id)
    double.wake()
    return JSONResponse({"event": event_id, "queued": True})


async def _show_faults(double: Double, _: Request) -> Response:
    return JSONResponse(double.faults.as_dict())


async def _set_faults(double: Double, request: Request) -> Response:
    problem = double.faults.set(await given(request))
    return refused(problem, 400) if problem else await _show_faults(double, request)


async def _dispute(double: Double, request: Request) -> Response:
    form, charge = await given(request), double.store.get("charge", request.path_params["id"])
    if charge is None:
        return refused("no such charge", 404)
    reason = str(form.get("reason") or "fraudulent")
    try:
        amount = int(form["amount"]) if form.get("amount") else None
    except (TypeError, ValueError):
        return refused("amount must be a whole number of minor units", 400)
    if problem := disputes.dispute_error(charge, amount, reason):
        return refused(problem, 409)
    with double.store.transaction():
        dispute = disputes.open_dispute(internal_call(double, request), charge, amount=amount, reason=reason)
    double.wake()
    return JSONResponse(dispute)


async def _decide(double: Double, request: Request) -> Response:
    form, dispute = await given(request), double.store.get("dispute", request.path_params["id"])
    if dispute is None or dispute["status"] not in disputes.OPEN:
        return refused("no dispute of this id is open", 404 if dispute is None else 409)
    if form.get("outcome") not in ("won", "lost"):
        return refused("outcome must be won or lost", 400)
    with double.store.transaction():
        dispute = disputes.decide(internal_call(double, request), dispute, form["outcome"])
    double.wake()
    return JSONResponse(dispute)


async def _show_webhooks(double: Double, _: Request) -> Response:
    deliverer = double.deliverer
    if deliverer is None:
        return refused(NO_WEBHOOKS, 409)
    endpoints = {"platform": deliverer.platform, "connect": deliverer.connect or deliverer.platform}
    shown = {name: {"url": at.url, "secrets": len(at.secrets)} for name, at in endpoints.items()}
    return JSONResponse(deliverer.faults.as_dict() | {"deliveries": double.store.deliveries()} | shown)


async def _set_webhooks(double: Double, request: Request) -> Response:
    form, deliverer = await given(request), double.deliverer
    if deliverer is None:
        return refused(NO_WEBHOOKS, 409)
    problem = _validation_error(deliverer, form) or deliverer.faults.set(form)
    if problem:
        return refused(problem, 400)
    for endpoint, secret, also in ((deliverer.platform, *SECRETS[:2]), (deliverer.connect, *SECRETS[2:])):
        if endpoint and form.get(secret):
            endpoint.secrets = [str(form[name]) for name in (secret, also) if form.get(name)]
    double.wake()
    return await _show_webhooks(double, request)


def _validation_error(deliverer: Deliverer, form: JSON) -> str | None:
    unknown = sorted(set(form) - {*READERS, *SECRETS, "reset"})
    if unknown:
        return f"no such switch: {', '.join(unknown)}"
    if any(form.get(also) and not form.get(secret) for secret, also in (SECRETS[:2], SECRETS[2:])):
        return "also= goes with secret=, connect_also= with connect_secret="
    if form.get("connect_secret") and deliverer.connect is None:
        return "the double was started without a webhook of its own for connected accounts"
    return None


async def _flush(double: Double, request: Request) -> Response:
    form = await given(request)
    try:
        seconds = float(form.get("seconds", 10))
    except (TypeError, ValueError):
        return refused("seconds must be a number", 400)
    done = double.deliverer is None or await double.deliverer.flush(seconds)
    return JSONResponse({"flushed": done, "deliveries": double.store.deliveries()}, 200 if done else 408)
