"""Connected accounts: created, onboarded over the page, switched off by Stripe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double import onboarding
from stripe_double.tests.conftest import SECRET, until
from stripe_double.webhooks import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.tests.conftest import Receiver, Running

AGAIN, BACK = "http://127.0.0.1:9/again", "http://127.0.0.1:9/back"


def link(double: Running, account: str, /, **params: Any) -> stripe.AccountLink:
    given = {"account": account, "refresh_url": AGAIN, "return_url": BACK, "type": "account_onboarding"} | params
    return double.client().v1.account_links.create(given)


def visit(url: str, outcome: str | None = None) -> tuple[int, str | None]:
    """Open the page or, with an outcome, press its button; return the status and where it leads."""
    data = {"outcome": outcome}
    answer = requests.request("POST" if outcome else "GET", url, data=data, timeout=5, allow_redirects=False)
    return answer.status_code, answer.headers.get("Location")


def test_new_account_has_no_capabilities(double: Running) -> None:
    account = double.client().v1.accounts.create(
        {
            "type": "express",
            "country": "DE",
            "email": "seller@example.com",
            "business_type": "individual",
            "capabilities": {"transfers": {"requested": True}, "card_payments": {"requested": True}},
            "metadata": {"user": "7"},
        }
    )
    assert (account.type, account.country, account.default_currency, account.controller.type) == (
        "express", "DE", "eur", "application",
    )  # fmt: skip
    assert (account.charges_enabled, account.payouts_enabled, account.details_submitted) == (False, False, False)
    assert account.requirements.currently_due
    assert account.requirements.disabled_reason == "requirements.past_due"
    assert account.capabilities.to_dict() == {"card_payments": "inactive", "transfers": "inactive"}
    changed = double.client().v1.accounts.update(account.id, {"metadata": {"tier": "gold"}})
    assert changed.metadata.to_dict() == {"user": "7", "tier": "gold"}
    assert [item.id for item in double.client().v1.accounts.list().data] == [account.id]
    assert double.events() == ["account.updated"]


def test_controller_properties_replace_account_type(double: Running) -> None:
    controller = {"stripe_dashboard": {"type": "express"}, "fees": {"payer": "application"}}
    account = double.client().v1.accounts.create({"controller": controller, "country": "US"})
    assert (account.type, account.controller.stripe_dashboard.type, account.controller.fees.payer) == (
        "none", "express", "application",
    )  # fmt: skip


def test_onboarding_completed_enables_account(double: Running) -> None:
    account = double.seller(onboarded=False)
    made = link(double, account)
    assert made.expires_at == made.created + 300
    assert "Complete" in requests.get(made.url, timeout=5).text
    assert visit(made.url, "complete") == (303, BACK)
    after = double.client().v1.accounts.retrieve(account)
    assert (after.charges_enabled, after.payouts_enabled, after.details_submitted) == (True, True, True)
    assert after.capabilities.transfers == "active"
    assert (after.requirements.currently_due, after.requirements.disabled_reason) == ([], None)
    event = double.client().v1.events.list().data[0]
    assert (event.type, event.account, event.data.previous_attributes["charges_enabled"]) == (
        "account.updated", account, False,
    )  # fmt: skip


def test_onboarding_left_unfinished_can_restart(double: Running) -> None:
    account = double.seller(onboarded=False)
    assert visit(link(double, account).url, "leave") == (303, BACK)
    assert double.client().v1.accounts.retrieve(account).details_submitted is False
    assert double.events() == []
    assert visit(link(double, account).url, "complete") == (303, BACK)
    assert double.client().v1.accounts.retrieve(account).details_submitted is True


def test_account_link_opened_twice_is_refused(double: Running) -> None:
    account = double.seller(onboarded=False)
    url = link(double, account).url
    assert visit(url)[0] == 200
    assert visit(url) == (303, AGAIN)
    assert visit(url, "complete") == (303, BACK)
    assert visit(url, "complete") == (303, AGAIN)
    assert visit(url) == (303, AGAIN)
    assert visit(url.replace(account, double.seller(onboarded=False)))[0] == 404


def test_account_link_expired_redirects_to_refresh_url(double: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onboarding, "LIFETIME", -1)
    account = double.seller(onboarded=False)
    url = link(double, account).url
    assert visit(url) == (303, AGAIN)
    assert visit(url, "complete") == (303, AGAIN)
    assert double.client().v1.accounts.retrieve(account).details_submitted is False


def test_connected_account_events_use_their_own_webhook_secret(
    start: Callable[..., Running], receiver: Receiver
) -> None:
    double = start(receiver.url)
    assert double.double.deliverer
    double.double.deliverer.connect = Endpoint(receiver.url, ["whsec_connect"])
    account = double.seller()
    double.customer()
    until(lambda: len(receiver.got) == 2)
    signed = {json.loads(body)["type"]: (body, header) for header, body in receiver.got}
    event = stripe.Webhook.construct_event(*signed["account.updated"], "whsec_connect")
    assert (event.account, event.data.object.id) == (account, account)
    assert "account" not in stripe.Webhook.construct_event(*signed["customer.created"], SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(*signed["account.updated"], SECRET)


def test_account_disabled_by_switch_emits_event(double: Running) -> None:
    account = double.seller()
    disabled = double.act(
        f"accounts/{account}", charges_enabled="false", payouts_enabled="false", disabled_reason="rejected.fraud"
    ).json()
    assert (disabled["charges_enabled"], disabled["payouts_enabled"], disabled["details_submitted"]) == (
        False, False, True,
    )  # fmt: skip
    assert disabled["requirements"]["disabled_reason"] == "rejected.fraud"
    assert disabled["capabilities"] == {"transfers": "inactive"}
    assert double.events() == ["account.updated"] * 2
    assert double.act(f"accounts/{account}", charges_enabled="true", disabled_reason="").json()["capabilities"] == {
        "transfers": "active"
    }
    assert double.act(f"accounts/{account}", charges_enabled="perhaps").status_code == 400
    assert double.act(f"accounts/{account}", name="x").status_code == 400
    assert double.act("accounts/acct_none", charges_enabled="true").status_code == 404


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"type": "premium"}, None, "type"),
        ({"type": "express", "controller": {"fees": {"payer": "account"}}}, None, "type"),
        ({"country": "XX"}, "country_unsupported", "country"),
        ({"email": "nobody"}, "email_invalid", "email"),
        ({"business_type": "club"}, None, "business_type"),
        ({"capabilities": {"flying": {"requested": True}}}, "parameter_unknown", "capabilities[flying]"),
        ({"name": "x"}, "parameter_unknown", "name"),
    ],
)
def test_invalid_parameters_return_stripe_error(
    double: Running, params: dict[str, Any], code: str | None, param: str
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        double.client().v1.accounts.create(params)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert double.client().v1.accounts.list().data == []


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"account": "acct_none"}, "resource_missing", "account"),
        ({"type": "whatever"}, None, "type"),
        ({"refresh_url": ""}, "parameter_missing", "refresh_url"),
        ({"return_url": "nowhere"}, "url_invalid", "return_url"),
    ],
)
def test_account_link_with_bad_parameters_returns_stripe_error(
    double: Running, params: dict[str, Any], code: str | None, param: str
) -> None:
    account = double.seller(onboarded=False)
    with pytest.raises(stripe.InvalidRequestError) as caught:
        link(double, account, **params)
    assert (caught.value.code, caught.value.param) == (code, param)
