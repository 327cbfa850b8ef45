from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from stripe_double.tests.conftest import plain

if TYPE_CHECKING:
    from stripe_double.tests.conftest import Running

ABOUT_DISPUTES = "charge.dispute."


def event_kinds(double: Running) -> list[str]:
    return [name.removeprefix(ABOUT_DISPUTES) for name in double.events() if name.startswith(ABOUT_DISPUTES)]


def disputed(double: Running, **params: Any) -> stripe.Dispute:
    double.intent(confirm=True, payment_method="pm_card_createDispute", **params)
    return double.client().v1.disputes.list().data[0]


def moved(double: Running) -> list[tuple[int, str]]:
    rows = double.client().v1.balance_transactions.list({"type": "adjustment"}).data
    return [(row.amount, row.reporting_category) for row in reversed(rows)]


def test_dispute_card_pays_then_disputes_at_once(double: Running) -> None:
    dispute = disputed(double)
    intent = double.client().v1.payment_intents.retrieve(dispute.payment_intent, {"expand": ["latest_charge"]})
    assert (intent.status, intent.latest_charge.disputed) == ("succeeded", True)
    assert (dispute.amount, dispute.reason, dispute.status) == (1999, "fraudulent", "needs_response")
    assert dispute.charge == intent.latest_charge.id
    assert dispute.evidence_details.due_by > time.time()
    assert [item.amount for item in dispute.balance_transactions] == [-1999]
    assert moved(double) == [(-1999, "dispute")]
    assert double.events()[-4:] == [
        "charge.succeeded", "payment_intent.succeeded", "charge.dispute.created", "charge.dispute.funds_withdrawn",
    ]  # fmt: skip


def test_paid_charge_is_disputed_once_up_to_the_unrefunded_amount(double: Running) -> None:
    intent = double.paid()
    path = f"charges/{intent.latest_charge}/dispute"
    double.client().v1.refunds.create({"payment_intent": intent.id, "amount": 999})
    for form, status in (
        ({"amount": "1001"}, 409),
        ({"amount": "0.5"}, 400),
        ({"reason": "boredom"}, 409),
        ({"amount": "600", "reason": "product_not_received"}, 200),
        ({}, 409),
    ):
        answer = double.act(path, **form)
        assert answer.status_code == status, answer.text
    dispute = double.client().v1.disputes.list({"charge": intent.latest_charge}).data[0]
    assert (dispute.amount, dispute.reason) == (600, "product_not_received")
    assert double.act("charges/ch_none/dispute").status_code == 404
    assert double.act(f"charges/{double.paid().latest_charge}/dispute").json()["amount"] == 1999


def test_unpaid_charge_cannot_be_disputed(double: Running) -> None:
    intent = double.intent(confirm=True, payment_method="pm_usBankAccount_processing")
    assert double.act(f"charges/{intent.latest_charge}/dispute").status_code == 409
    assert double.client().v1.disputes.list().data == []


def test_dispute_won_returns_the_money(double: Running) -> None:
    dispute = disputed(double)
    won = double.act(f"disputes/{dispute.id}/close", outcome="won").json()
    assert won == plain(double.client().v1.disputes.retrieve(dispute.id))
    assert (won["status"], [item["amount"] for item in won["balance_transactions"]]) == ("won", [-1999, 1999])
    assert moved(double) == [(-1999, "dispute"), (1999, "dispute_reversal")]
    assert event_kinds(double) == ["created", "funds_withdrawn", "funds_reinstated", "closed"]
    assert double.act(f"disputes/{dispute.id}/close", outcome="lost").status_code == 409


def test_dispute_lost_keeps_the_money(double: Running) -> None:
    dispute = disputed(double)
    assert double.act(f"disputes/{dispute.id}/close", outcome="perhaps").status_code == 400
    assert double.act(f"disputes/{dispute.id}/close", outcome="lost").json()["status"] == "lost"
    assert moved(double) == [(-1999, "dispute")]
    assert event_kinds(double) == ["created", "funds_withdrawn", "closed"]
    assert double.act("disputes/dp_none/close", outcome="lost").status_code == 404


def test_evidence_is_staged_then_submitted_once(double: Running) -> None:
    dispute, api = disputed(double), double.client().v1.disputes
    staged = api.update(dispute.id, {"evidence": {"customer_name": "Ann"}, "submit": False, "metadata": {"order": "7"}})
    assert (staged.status, staged.evidence.customer_name, staged.metadata["order"]) == ("needs_response", "Ann", "7")
    assert (staged.evidence_details.has_evidence, staged.evidence_details.submission_count) == (True, 0)
    handed = api.update(dispute.id, {"submit": True})
    assert (handed.status, handed.evidence.customer_name) == ("under_review", "Ann")
    assert (handed.evidence_details.submission_count, handed.evidence_details.submission_method) == (1, "manual")
    with pytest.raises(stripe.InvalidRequestError, match="already been submitted"):
        api.update(dispute.id, {"evidence": {"customer_name": "Bea"}})
    assert event_kinds(double) == ["created", "funds_withdrawn", "updated", "updated"]
    event = double.client().v1.events.list({"type": "charge.dispute.updated"}).data[0]
    assert event.data.previous_attributes.status == "needs_response"


@pytest.mark.parametrize(("text", "status"), [("winning_evidence", "won"), ("losing_evidence", "lost")])
def test_stripe_test_evidence_decides_at_once(double: Running, text: str, status: str) -> None:
    dispute = disputed(double)
    assert double.client().v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}}).status == status


def test_dispute_accepted_is_lost(double: Running) -> None:
    dispute, api = disputed(double), double.client().v1.disputes
    assert api.close(dispute.id).status == "lost"
    for late in (lambda: api.close(dispute.id), lambda: api.update(dispute.id, {"submit": True})):
        with pytest.raises(stripe.InvalidRequestError, match="already closed"):
            late()
    assert event_kinds(double) == ["created", "funds_withdrawn", "closed"]


@pytest.mark.parametrize(
    ("evidence", "code"),
    [
        ({"alibi": "x"}, "parameter_unknown"),
        ({"receipt": "file_none"}, "resource_missing"),
        ({"customer_name": "x" * 20_001}, "parameter_invalid_string"),
    ],
)
def test_evidence_invalid_is_refused_without_changes(double: Running, evidence: dict[str, str], code: str) -> None:
    dispute, api = disputed(double), double.client().v1.disputes
    with pytest.raises(stripe.InvalidRequestError) as caught:
        api.update(dispute.id, {"evidence": evidence})
    assert caught.value.code == code
    assert plain(api.retrieve(dispute.id)) == plain(dispute)


def test_disputes_filter_by_charge_and_intent_and_expand(double: Running) -> None:
    first, second, api = disputed(double), disputed(double), double.client().v1.disputes
    assert [item.id for item in api.list({"payment_intent": first.payment_intent}).data] == [first.id]
    assert [item.id for item in api.list({"charge": second.charge}).data] == [second.id]
    whole = api.retrieve(first.id, {"expand": ["charge", "payment_intent"]})
    assert (whole.charge.id, whole.payment_intent.id) == (first.charge, first.payment_intent)
