"""Actions of customers, sellers, banks and Stripe's risk team under `/_double/`: saving a card, onboarding, refunds."""

from __future__ import annotations

import html
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.routing import Route

from stripe_double import accounts, onboarding, refunds, setup_intents
from stripe_double.control import given, internal_call, redirect_to_return_url, refused, waiting

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from stripe_double.state import Double

JSON = dict[str, Any]

FLAGS = ("charges_enabled", "details_submitted", "payouts_enabled", "empty")
BOOLEANS = {"true": True, "false": False, True: True, False: False}
SETUP = """<!doctype html><meta charset="utf-8"><title>3-D Secure, Stripe double</title>
<h1>3-D Secure</h1><p>The Stripe double stands in for the bank. Saving a card, {intent}.</p>
<form method="post"><input type="hidden" name="page" value="1">
<button name="outcome" value="succeed">Complete</button>
<button name="outcome" value="fail">Fail</button></form>"""
ONBOARDING = """<!doctype html><meta charset="utf-8"><title>Onboarding, Stripe double</title>
<h1>Onboarding</h1><p>The Stripe double stands in for Stripe's form. Account {account}.</p>
<form method="post">
<button name="outcome" value="complete">Complete</button>
<button name="outcome" value="leave">Leave unfinished</button></form>"""


def routes(double: Double) -> list[Route]:
    """Return the routes of the pages and their actions."""
    setup, onboard = "/_double/setup_intents/{id}/authenticate", "/_double/onboard/{id}/{token}"
    return [
        Route(setup, partial(_show_setup, double), methods=["GET"]),
        Route(setup, partial(_authenticate, double), methods=["POST"]),
        Route(onboard, partial(_show_onboarding, double), methods=["GET"]),
        Route(onboard, partial(_onboard, double), methods=["POST"]),
        Route("/_double/accounts/{id}", partial(_switch_account, double), methods=["POST"]),
        Route("/_double/refunds/{id}/settle", partial(_settle_refund, double), methods=["POST"]),
    ]


async def _show_setup(double: Double, request: Request) -> Response:
    intent = double.store.get("setup_intent", request.path_params["id"])
    if intent is None or intent["status"] != "requires_action":
        return refused("no such setup waits for authentication", 404)
    return HTMLResponse(SETUP.format(intent=html.escape(intent["id"])))


async def _authenticate(double: Double, request: Request) -> Response:
    form = await given(request)
    intent, problem = waiting(double, request, form, "setup_intent", "requires_action")
    if intent is None:
        return problem
    with double.store.transaction():
        intent = setup_intents.authenticate(
            internal_call(double, request), intent, succeed=form["outcome"] == "succeed"
        )
    double.wake()
    return redirect_to_return_url(double, intent, form)


async def _show_onboarding(double: Double, request: Request) -> Response:
    account, token = request.path_params["id"], request.path_params["token"]
    link = onboarding.find(double.store, account, token)
    if link is None:
        return refused("no such link", 404)
    with double.store.transaction():
        opened = onboarding.open_once(double.store, token, link)
    if not opened:
        return RedirectResponse(link["refresh_url"], status_code=303)
    return HTMLResponse(ONBOARDING.format(account=html.escape(account)))


async def _onboard(double: Double, request: Request) -> Response:
    form, token = await given(request), request.path_params["token"]
    link = onboarding.find(double.store, request.path_params["id"], token)
    if link is None:
        return refused("no such link", 404)
    if form.get("outcome") not in ("complete", "leave"):
        return refused("outcome must be complete or leave", 400)
    with double.store.transaction():
        left = onboarding.finish_page(
            internal_call(double, request), token, link, complete=form["outcome"] == "complete"
        )
    double.wake()
    return RedirectResponse(link["return_url"] if left else link["refresh_url"], status_code=303)


async def _switch_account(double: Double, request: Request) -> Response:
    form, account = await given(request), double.store.get("account", request.path_params["id"])
    if account is None:
        return refused("no such account", 404)
    unknown = sorted(set(form) - {*FLAGS, "disabled_reason"})
    if unknown or not form:
        return refused(f"the switches are {', '.join(FLAGS)} and disabled_reason", 400)
    changes: JSON = {}
    for name in FLAGS:
        if name in form:
            if form[name] not in BOOLEANS:
                return refused(f"{name} must be true or false", 400)
            changes[name] = BOOLEANS[form[name]]
    if "disabled_reason" in form:
        changes["disabled_reason"] = str(form["disabled_reason"] or "") or None
    with double.store.transaction():
        accounts.switch(internal_call(double, request), account, changes)
    double.wake()
    return JSONResponse(account)


async def _settle_refund(double: Double, request: Request) -> Response:
    form, refund = await given(request), double.store.get("refund", request.path_params["id"])
    if refund is None:
        return refused("no such refund", 404)
    if form.get("outcome") not in ("succeed", "fail"):
        return refused("outcome must be succeed or fail", 400)
    call, succeed = internal_call(double, request), form["outcome"] == "succeed"
    if not refunds.may_settle(call, refund, succeed=succeed):
        return refused(f"a refund that is {refund['status']} cannot {form['outcome']}", 409)
    with double.store.transaction():
        refund = refunds.settle(call, refund, succeed=succeed)
    double.wake()
    return JSONResponse(refund)
