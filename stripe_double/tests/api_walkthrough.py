"""Calls every operation of the double; test_shapes compares the answers with Stripe's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

from stripe_double.routes import OPERATIONS

if TYPE_CHECKING:
    from stripe_double.routes import Operation

JSON = dict[str, Any]

KEY = ("sk_test_double", "")
SITE = {"return_url": "https://shop.test/back", "refresh_url": "https://shop.test/again"}


@dataclass(frozen=True)
class Visit:
    """One request and its answer; `path` is the template, such as `/v1/refunds/{id}`."""

    method: str
    path: str
    status: int
    body: JSON


@dataclass
class Tour:
    """Who goes where, and what was seen."""

    url: str
    visits: list[Visit] = field(default_factory=list)

    def post(self, path: str, **form: Any) -> JSON:
        return self._go("POST", path, data=_flat(form))

    def get(self, path: str, **query: Any) -> JSON:
        return self._go("GET", path, params=_flat(query))

    def delete(self, path: str) -> JSON:
        return self._go("DELETE", path)

    def act(self, path: str, **form: str) -> JSON:
        answer = requests.post(f"{self.url}/_double{path}", data=form, timeout=10, allow_redirects=False)
        assert answer.ok, answer.text
        return answer.json() if answer.text else {}

    def _go(self, method: str, path: str, **more: Any) -> JSON:
        answer = requests.request(method, f"{self.url}/v1{path}", auth=KEY, timeout=10, **more)
        assert answer.status_code < 500, answer.text
        operation = operation_of(method, path)
        body = answer.json()
        self.visits.append(Visit(method, "/v1" + operation.path, answer.status_code, body))
        return body

    def objects(self) -> list[JSON]:
        """Return every object answered, those in lists and in events among them."""
        found = []
        for visit in self.visits:
            whole = visit.body.get("data", []) if visit.body.get("object") == "list" else [visit.body]
            found += [item for item in whole if "error" not in item]
        found += [item["data"]["object"] for item in found if item.get("object") == "event"]
        return found


def operation_of(method: str, path: str) -> Operation:
    """Return the operation that answers a request."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\{id\}", "[^/]+", operation.path)
        if operation.method == method and re.fullmatch(pattern, path):
            return operation
    raise AssertionError(f"no operation for {method} {path}")


def through(url: str) -> Tour:
    """Walk through every operation, most of them in several states, errors among them."""
    tour = Tour(url)
    _payments(tour)
    customer = _saved_cards(tour)
    _sellers(tour)
    _refunds(tour)
    _disputes(tour)
    tour.delete(f"/customers/{customer}")
    tour.get(f"/customers/{customer}")
    _lists(tour)
    return tour


def _pay(tour: Tour, card: str = "pm_card_visa", **more: Any) -> JSON:
    form = {"amount": 1999, "currency": "usd", "confirm": "true", "payment_method": card}
    return tour.post("/payment_intents", **(form | more))


def _payments(tour: Tour) -> None:
    intent = tour.post("/payment_intents", amount=1999, currency="usd", metadata={"order": "7"})
    path = f"/payment_intents/{intent['id']}"
    tour.get(path)
    tour.post(path, description="A chair")
    tour.post(f"{path}/confirm", payment_method="pm_card_visa_chargeDeclined")
    tour.post(f"{path}/confirm", payment_method="pm_card_threeDSecure2Required", return_url=SITE["return_url"])
    tour.act(f"{path}/authenticate", outcome="fail")
    tour.post(f"{path}/confirm", payment_method="pm_card_threeDSecure2Required")
    tour.act(f"{path}/authenticate", outcome="succeed")
    whole = tour.get(path, **{"expand[]": ["latest_charge", "payment_method"]})
    tour.get(f"/charges/{whole['latest_charge']['id']}", **{"expand[]": "balance_transaction"})
    tour.get(f"/payment_methods/{whole['payment_method']['id']}")
    tour.post(f"{path}/cancel")  # an error: it is paid
    bank = _pay(tour, "pm_usBankAccount_processing")
    tour.act(f"/payment_intents/{bank['id']}/settle", outcome="succeed")
    tour.get(f"/charges/{bank['latest_charge']}")
    canceled = tour.post("/payment_intents", amount=1999, currency="usd")
    tour.post(f"/payment_intents/{canceled['id']}/cancel", cancellation_reason="abandoned")
    tour.post("/payment_intents", amount=1)  # an error
    tour.get("/payment_intents/pi_none")  # another


def _saved_cards(tour: Tour) -> str:
    customer = tour.post("/customers", email="ann@shop.test", name="Ann", metadata={"user": "1"})["id"]
    tour.get(f"/customers/{customer}")
    tour.post(f"/customers/{customer}", name="Ann B")
    card = tour.post("/payment_methods/pm_card_visa/attach", customer=customer)["id"]
    tour.get(f"/customers/{customer}/payment_methods", type="card")
    tour.get("/payment_methods", customer=customer)
    _pay(tour, card, customer=customer, off_session="true")
    tour.post(f"/payment_methods/{card}/detach")
    form = {"customer": customer, "usage": "off_session"}
    saved = tour.post("/setup_intents", **form)["id"]
    tour.get(f"/setup_intents/{saved}")
    tour.post(f"/setup_intents/{saved}", metadata={"order": "7"})
    tour.post(f"/setup_intents/{saved}/confirm", payment_method="pm_card_visa_chargeDeclined")
    tour.post(f"/setup_intents/{saved}/confirm", payment_method="pm_card_authenticationRequiredOnSetup")
    tour.act(f"/setup_intents/{saved}/authenticate", outcome="succeed")
    tour.get(f"/setup_intents/{saved}", **{"expand[]": "payment_method"})
    unused = tour.post("/setup_intents", **form)["id"]
    tour.post(f"/setup_intents/{unused}/cancel")
    return customer


def _seller(tour: Tour) -> str:
    account = tour.post("/accounts", type="express", country="US", capabilities={"transfers": {"requested": "true"}})
    link = tour.post("/account_links", account=account["id"], type="account_onboarding", **SITE)
    requests.get(link["url"], timeout=10, allow_redirects=False).raise_for_status()
    tour.act(link["url"].partition("/_double")[2], outcome="complete")
    return account["id"]


def _sellers(tour: Tour) -> None:
    seller = _seller(tour)
    tour.get(f"/accounts/{seller}")
    tour.post(f"/accounts/{seller}", metadata={"user": "2"})
    paid = _pay(tour, transfer_data={"destination": seller}, application_fee_amount=200)
    charge = tour.get(f"/charges/{paid['latest_charge']}", **{"expand[]": ["transfer", "application_fee", "refunds"]})
    fee = charge["application_fee"]["id"]
    tour.post("/refunds", charge=charge["id"], amount=999, reverse_transfer="true", refund_application_fee="true")
    tour.get(f"/transfers/{charge['transfer']['id']}/reversals")
    tour.get(f"/application_fees/{fee}")
    tour.get(f"/application_fees/{fee}/refunds")
    plain = _pay(tour)["latest_charge"]
    transfer = tour.post("/transfers", amount=500, currency="usd", destination=seller, source_transaction=plain)["id"]
    tour.get(f"/transfers/{transfer}")
    tour.post(f"/transfers/{transfer}", metadata={"order": "7"})
    tour.post(f"/transfers/{transfer}/reversals", amount=100)
    tour.get(f"/transfers/{transfer}/reversals")
    tour.get(f"/transfers/{transfer}", **{"expand[]": "balance_transaction"})


def _refunds(tour: Tour) -> None:
    paid = _pay(tour)
    part = tour.post("/refunds", payment_intent=paid["id"], amount=500, reason="requested_by_customer")["id"]
    tour.get(f"/refunds/{part}", **{"expand[]": "charge"})
    tour.post(f"/refunds/{part}", metadata={"order": "7"})
    tour.post("/refunds", charge=paid["latest_charge"])
    tour.post("/refunds", charge=paid["latest_charge"])  # an error: nothing is left
    tour.get(f"/charges/{paid['latest_charge']}/refunds")
    for card, outcome in (("pm_card_refundFail", "fail"), ("pm_card_pendingRefund", "succeed")):
        refund = tour.post("/refunds", payment_intent=_pay(tour, card)["id"])["id"]
        tour.act(f"/refunds/{refund}/settle", outcome=outcome)
        tour.get(f"/refunds/{refund}")


def _disputes(tour: Tour) -> None:
    _pay(tour, "pm_card_createDispute")
    won = tour.get("/disputes")["data"][0]["id"]
    tour.post(f"/disputes/{won}", evidence={"customer_name": "Ann", "uncategorized_text": "winning_evidence"})
    tour.get(f"/disputes/{won}", **{"expand[]": "charge"})
    lost = tour.act(f"/charges/{_pay(tour)['latest_charge']}/dispute", reason="product_not_received")["id"]
    tour.post(f"/disputes/{lost}/close")
    tour.post(f"/disputes/{lost}/close")  # an error: it is closed


def _lists(tour: Tour) -> None:
    tour.get("/balance")
    moved = tour.get("/balance_transactions", limit=100)["data"]
    tour.get(f"/balance_transactions/{moved[0]['id']}", **{"expand[]": "source"})
    for operation in OPERATIONS:
        if operation.method == "GET" and "{id}" not in operation.path and operation.path != "/payment_methods":
            tour.get(operation.path, **({"limit": 100} if operation.path != "/balance" else {}))
    tour.get(f"/events/{tour.get('/events')['data'][0]['id']}")


def _flat(form: JSON, prefix: str = "") -> JSON:
    flat: JSON = {}
    for name, value in form.items():
        key = f"{prefix}[{name}]" if prefix else name
        flat |= _flat(value, key) if isinstance(value, dict) else {key: value}
    return flat
