from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
import stripe

from stripe_double.tests.conftest import SUCCESS, plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running


def setup(double: Running, **params: Any) -> stripe.SetupIntent:
    given = {"customer": double.customer(), "automatic_payment_methods": {"enabled": True}} | params
    return double.client().v1.setup_intents.create(given)


def confirm(double: Running, intent_id: str, **params: Any) -> stripe.SetupIntent:
    return double.client().v1.setup_intents.confirm(intent_id, params)


def test_setup_with_good_card_saves_it(double: Running) -> None:
    intent = setup(double, metadata={"user": "7"})
    assert (intent.status, intent.usage, intent.metadata.to_dict()) == (
        "requires_payment_method", "off_session", {"user": "7"},
    )  # fmt: skip
    assert intent.client_secret.startswith(intent.id + "_secret_")
    done = confirm(double, intent.id, **SUCCESS)
    assert (done.status, done.payment_method) == ("succeeded", double.card_of(intent.customer))
    assert plain(double.client().v1.setup_intents.retrieve(intent.id)) == plain(done)
    assert double.events() == [
        "customer.created", "setup_intent.created", "payment_method.attached", "setup_intent.succeeded",
    ]  # fmt: skip
    with pytest.raises(stripe.InvalidRequestError, match="already succeeded") as caught:
        confirm(double, intent.id, **SUCCESS)
    assert caught.value.code == "setup_intent_unexpected_state"


def test_setup_without_customer_attaches_nothing(double: Running) -> None:
    done = double.client().v1.setup_intents.create({"payment_method": "pm_card_visa", "confirm": True})
    assert double.client().v1.payment_methods.retrieve(done.payment_method).customer is None
    assert "payment_method.attached" not in double.events()


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_setup_with_3d_secure_saves_after_authentication(double: Running, outcome: str) -> None:
    back = "http://127.0.0.1:9/cards"
    intent = setup(double, payment_method="pm_card_authenticationRequired", confirm=True, return_url=back)
    assert (intent.status, intent.next_action.redirect_to_url.return_url) == ("requires_action", back)
    url = intent.next_action.redirect_to_url.url
    assert "Complete" in requests.get(url, timeout=5).text
    answer = requests.post(url, data={"outcome": outcome, "page": 1}, timeout=5, allow_redirects=False)
    status = "succeeded" if outcome == "succeed" else "failed"
    assert answer.headers["Location"] == (
        f"{back}?setup_intent={intent.id}&setup_intent_client_secret={intent.client_secret}&redirect_status={status}"
    )
    after = double.client().v1.setup_intents.retrieve(intent.id)
    saved = double.client().v1.customers.payment_methods.list(intent.customer).data
    if outcome == "succeed":
        assert (after.status, after.next_action, [card.id for card in saved]) == (
            "succeeded", None, [intent.payment_method],
        )  # fmt: skip
        assert double.events()[-1] == "setup_intent.succeeded"
    else:
        assert (after.status, after.last_setup_error.code, saved) == (
            "requires_payment_method", "setup_intent_authentication_failure", [],
        )  # fmt: skip
        assert double.events()[-1] == "setup_intent.setup_failed"
    assert "setup_intent.requires_action" in double.events()
    assert double.act(f"setup_intents/{intent.id}/authenticate", outcome=outcome).status_code == 409


@pytest.mark.parametrize("card", ["pm_card_chargeDeclined", "pm_card_threeDSecureRequiredChargeDeclined"])
def test_setup_with_declined_card_accepts_another(double: Running, card: str) -> None:
    intent = setup(double)
    if card == "pm_card_chargeDeclined":
        with pytest.raises(stripe.CardError) as caught:
            confirm(double, intent.id, payment_method=card)
        error = caught.value.json_body["error"]
        assert (caught.value.http_status, error["code"], error["decline_code"], error["setup_intent"]["id"]) == (
            402, "card_declined", "generic_decline", intent.id,
        )  # fmt: skip
    else:
        confirm(double, intent.id, payment_method=card)
        double.act(f"setup_intents/{intent.id}/authenticate", outcome="succeed").raise_for_status()
    after = double.client().v1.setup_intents.retrieve(intent.id)
    assert (after.status, after.payment_method, after.last_setup_error.code) == (
        "requires_payment_method", None, "card_declined",
    )  # fmt: skip
    assert double.events()[-1] == "setup_intent.setup_failed"
    assert confirm(double, intent.id, **SUCCESS).status == "succeeded"


def test_setup_confirmed_by_browser_shows_public_fields_only(double: Running) -> None:
    intent = setup(double, metadata={"user": "7"})
    browser = double.client("pk_test_double").v1.setup_intents
    with pytest.raises(stripe.InvalidRequestError, match="client_secret"):
        browser.retrieve(intent.id)
    with pytest.raises(stripe.InvalidRequestError, match="does not match") as caught:
        browser.confirm(intent.id, {"client_secret": intent.id + "_secret_x", **SUCCESS})
    assert caught.value.code == "setup_intent_invalid_parameter"
    secret = {"client_secret": intent.client_secret}
    assert browser.confirm(intent.id, secret | SUCCESS).status == "succeeded"
    assert not {"metadata", "customer"} & set(plain(browser.retrieve(intent.id, secret)))


def test_cancel_ends_only_an_unfinished_setup(double: Running) -> None:
    setups = double.client().v1.setup_intents
    canceled = setups.cancel(setup(double).id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    assert double.events()[-1] == "setup_intent.canceled"
    done = setup(double, confirm=True, **SUCCESS)
    for intent_id in (canceled.id, done.id):
        with pytest.raises(stripe.InvalidRequestError, match="You cannot cancel"):
            setups.cancel(intent_id)
    with pytest.raises(stripe.InvalidRequestError, match="status of canceled"):
        confirm(double, canceled.id, **SUCCESS)
    assert [item.id for item in setups.list({"customer": done.customer}).data] == [done.id]


def test_setup_unfinished_can_be_updated(double: Running) -> None:
    setups, customer = double.client().v1.setup_intents, double.customer()
    changed = setups.update(setup(double).id, {"customer": customer, "metadata": {"a": "1"}, **SUCCESS})
    assert (changed.customer, changed.status, changed.metadata.to_dict()) == (
        customer, "requires_confirmation", {"a": "1"},
    )  # fmt: skip
    setups.confirm(changed.id)
    with pytest.raises(stripe.InvalidRequestError, match="could not be updated"):
        setups.update(changed.id, {"customer": double.customer()})


@pytest.mark.parametrize(
    ("params", "code", "param"),
    [
        ({"usage": "never"}, None, "usage"),
        ({"customer": "cus_none"}, "resource_missing", "customer"),
        ({"payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"confirm": True}, "setup_intent_unexpected_state", None),
        ({"amount": 100}, "parameter_unknown", "amount"),
    ],
)
def test_invalid_parameters_return_stripe_error_without_changes(
    double: Running, params: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        setup(double, **params)
    assert (caught.value.code, caught.value.param) == (code, param)
    assert double.client().v1.setup_intents.list().data == []
