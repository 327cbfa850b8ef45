"""The API's HTTP side: keys, one transaction per request, Stripe's envelope and headers."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.routing import Route

from stripe_double import control, forms, idempotency, objects, pages, reads, switches
from stripe_double.call import Call
from stripe_double.errors import StripeError
from stripe_double.hangup import HangUp, Late, with_transport_access
from stripe_double.routes import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from stripe_double.faults import Fault
    from stripe_double.routes import Operation
    from stripe_double.state import Double
    from stripe_double.store import Store

JSON = dict[str, Any]
logger = logging.getLogger("stripe_double")

MAX_BODY = 1_000_000
TEST_KEYS = ("sk_test_", "rk_test_")
LIVE_KEYS = ("sk_live_", "rk_live_", "pk_live_")
NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
)
PUBLISHABLE_REFUSED = "This API call cannot be made with a publishable API key. Please use a secret API key."
LIVE = "This is a test double of Stripe, not Stripe: it refuses live keys. Use a key that begins with sk_test_."


def build(double: Double) -> ASGIApp:
    """Return the ASGI application."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(double.deliverer.run()) if double.deliverer else None
        yield
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        double.store.close()

    def api(operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            return await _answer(double, request, operation.action, public=operation.public)

        return Route("/v1" + operation.path, endpoint, methods=[operation.method])

    routes = [
        *(api(operation) for operation in OPERATIONS),
        *control.routes(double),
        *switches.routes(double),
        *pages.routes(double),
    ]
    unknown = partial(_unknown, double)
    routes.append(Route("/{path:path}", unknown, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]))
    # A web page could reach 127.0.0.1 under another host name (DNS rebinding).
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    return with_transport_access(Starlette(routes=routes, middleware=[hosts], lifespan=lifespan))


def _unknown_url(request: Request) -> Callable[[Call, str], JSON]:
    def action(_: Call, __: str) -> JSON:
        message = f"Unrecognized request URL ({request.method}: {request.url.path}). The double knows less than Stripe."
        raise StripeError(message, status=404)

    return action


async def _unknown(double: Double, request: Request) -> Response:
    return await _answer(double, request, _unknown_url(request), public=True)


async def _answer(double: Double, request: Request, action: Callable[[Call, str], JSON], *, public: bool) -> Response:
    request_id = objects.new_id("req", 14)
    try:
        return await _checked(double, request, action, request_id, public=public)
    except StripeError as error:
        return _refusal(error, request_id)
    except Exception:
        logger.exception("the double itself failed")
        failure = StripeError("The double itself failed; see its log.", status=500, type_="api_error")
        return _refusal(failure, request_id)


async def _checked(
    double: Double, request: Request, action: Callable[[Call, str], JSON], request_id: str, *, public: bool
) -> Response:
    # A DELETE carries its parameters, if any, where a GET does.
    raw = request.url.query.encode() if request.method in ("GET", "DELETE") else await _body(request)
    given = forms.decode(raw)
    key = _key(request, given)
    publishable = key.startswith("pk_test_")
    if publishable and not public:
        raise StripeError(PUBLISHABLE_REFUSED, status=401, code="secret_key_required")
    idempotency_key = request.headers.get("idempotency-key") if request.method == "POST" else None
    call = Call(
        store=double.store,
        params=given,
        request_id=request_id,
        idempotency_key=idempotency_key,
        base_url=str(request.base_url).rstrip("/"),
        publishable=publishable,
        delivers=double.deliverer is not None,
    )
    work = partial(action, call, str(request.path_params.get("id", "")))
    fault = double.faults.take(request.method, request.url.path)
    if fault and fault.kind == "reset":
        return HangUp(0)
    if fault and fault.kind == "429":  # refused before any work, so no key is stored
        message = "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits."
        raise StripeError(message, status=429, code="rate_limit")
    try:
        if request.method == "GET":
            answer = _get(call, work, fault)
        else:
            answer = await _write(double, request, call, work, fault=fault, pairs=forms.pairs(raw))
    except StripeError as error:  # a stored response can be delayed or lost too
        answer = _refusal(error, request_id)
    if fault and fault.kind == "timeout_after_create":
        return HangUp(fault.seconds)
    if fault and fault.kind == "slow":
        return Late(answer, fault.seconds)
    return answer


def _get(call: Call, work: Callable[[], JSON], fault: Fault | None) -> Response:
    if fault and fault.kind == "500":
        raise _fault_500()
    paths = call.params.pop("expand", [])
    body = work()
    reads.expand(call.store, body, paths)
    return _response(200, _text(body), call.request_id)


async def _write(
    double: Double,
    request: Request,
    call: Call,
    work: Callable[[], JSON],
    *,
    fault: Fault | None,
    pairs: list[tuple[str, str]],
) -> Response:
    key, store = call.idempotency_key, double.store
    if key is not None:
        saved = idempotency.claim(store, key, request.url.path, idempotency.fingerprint(pairs), call.request_id)
        if saved is not None:
            replayed = {"Idempotent-Replayed": "true", "Original-Request": saved.request_id}
            return _response(saved.status, saved.body, call.request_id, {"Idempotency-Key": key} | replayed)
    try:
        await asyncio.sleep(double.latency)  # the time Stripe takes, in which a second request finds the key in use
        status, body = _run(store, call, work, fault)
    except BaseException:
        if key is not None:
            idempotency.forget(store, key)
        raise
    double.wake()
    return _response(status, body, call.request_id, {"Idempotency-Key": key} if key else {})


def _run(store: Store, call: Call, work: Callable[[], JSON], fault: Fault | None) -> tuple[int, str]:
    """Do the work and save its answer in one transaction: after a kill there are both or neither."""
    paths = call.params.pop("expand", [])
    with store.transaction():
        store.savepoint()
        status, saved = 200, True
        try:
            if fault and fault.kind == "500":
                raise _fault_500()
            body = work()
            reads.expand(store, body, paths)
        except StripeError as error:
            if not error.keeps_changes:
                store.undo()
            status, saved, body = error.status, error.saved, error.body(call.request_id)
        text = _text(body)
        if call.idempotency_key is not None:
            if saved:
                idempotency.keep(store, call.idempotency_key, status, text)
            else:
                idempotency.forget(store, call.idempotency_key)
    return status, text


def _fault_500() -> StripeError:
    message = "An unknown error occurred (a fault was asked for at /_double/faults)."
    return StripeError(message, status=500, type_="api_error", saved=True)


async def _body(request: Request) -> bytes:
    raw = bytearray()
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_BODY:
            message = "Request body is too large."
            raise StripeError(message, status=413)
    return bytes(raw)


def _key(request: Request, given: forms.Params) -> str:
    """Return the key of Basic, Bearer or (as Stripe.js sends it) the form.

    Source: https://docs.stripe.com/api/authentication
    """
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    key = str(given.pop("key", ""))
    if scheme.lower() == "bearer":
        key = value.strip()
    elif scheme.lower() == "basic":
        try:
            key = base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            key = ""
    if not key:
        raise StripeError(NO_KEY, status=401)
    if key.startswith(LIVE_KEYS):
        raise StripeError(LIVE, status=401)
    if not key.startswith((*TEST_KEYS, "pk_test_")):
        message = "Invalid API Key provided. The double takes any key that begins with sk_test_, rk_test_ or pk_test_."
        raise StripeError(message, status=401)
    return key


def _text(body: JSON) -> str:
    return json.dumps(body, indent=2) + "\n"  # like Stripe: readable with curl


def _refusal(error: StripeError, request_id: str) -> Response:
    return _response(error.status, _text(error.body(request_id)), request_id)


def _response(status: int, body: str, request_id: str, headers: dict[str, str] | None = None) -> Response:
    sent = {
        "Request-Id": request_id,
        "Stripe-Version": objects.API_VERSION,
        "Stripe-Double": "true",
        "Cache-Control": "no-cache, no-store",
    }
    # The client's key is returned in a header; characters that a header cannot contain are removed.
    echoed = {name: value for name, value in (headers or {}).items() if value.isascii() and value.isprintable()}
    return Response(body, status, sent | echoed, media_type="application/json")
