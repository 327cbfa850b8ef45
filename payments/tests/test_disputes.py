"""Events about disputes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.db import connection

from payments import stripe_gateway
from payments.models import Dispute, OrderEvent, Payment
from payments.tests.conftest import broken_invariants, build_event, post_event, request_intent
from payments.tests.refund_helpers import URL, kinds, outcome, pay, post_event_about, refund, refund_totals

pytestmark = pytest.mark.django_db

CARD = "pm_card_createDispute"
TYPES = [
    f"charge.dispute.{change}" for change in ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
]


@pytest.fixture
def disputed(client, double, winner, product):
    """A paid order whose payment is disputed; no event about that was delivered yet."""
    return pay(client, double, winner, product, CARD)


def dispute_at_stripe(double, order):
    params = {"payment_intent": order.payments.get().stripe_intent_id}
    [found] = double.get("/v1/disputes", **params)["data"]
    return found


def post_dispute_event(client, double, order, kind="charge.dispute.created", event_id="evt_1"):
    return post_event_about(client, kind, dispute_at_stripe(double, order), event_id=event_id)


def close_dispute(double, order, result):
    answer = double.post(f"/_double/disputes/{dispute_at_stripe(double, order)['id']}/close", outcome=result)
    assert answer["status"] == result


def payout(order):
    order.payout.refresh_from_db()
    return order.payout.status, order.payout.blocked_by, order.payout.clawed_back


@pytest.mark.parametrize("kind", TYPES)
def test_dispute_event_stores_flags_and_blocks_the_payout(client, double, disputed, kind):
    event = post_dispute_event(client, double, disputed, kind)
    assert event.flag == "disputed"
    row, known = Dispute.objects.get(), dispute_at_stripe(double, disputed)
    assert (row.stripe_dispute_id, str(row.amount), row.currency) == (known["id"], "19.990", "USD")
    assert (row.status, row.reason, row.closed_at) == ("needs_response", "fraudulent", None)
    assert int(row.evidence_due_at.timestamp()) == known["evidence_details"]["due_by"]
    assert int(row.opened_at.timestamp()) == known["created"]
    assert payout(disputed) == ("blocked", "disputed", 0)
    event = OrderEvent.objects.get(kind="disputed")
    assert (event.role, event.data) == ("stripe", {"amount": "19.99", "currency": "USD", "reason": "fraudulent"})
    disputed.refresh_from_db()
    assert disputed.status == "paid"
    assert broken_invariants() == []


def test_dispute_events_in_any_number_and_order_have_one_effect(client, double, disputed):
    close_dispute(double, disputed, "won")
    flags = [
        post_dispute_event(client, double, disputed, kind, f"evt_{number}").flag
        for number, kind in enumerate([*TYPES[::-1], *TYPES])
    ]
    assert flags == [""] * 10
    assert Dispute.objects.get().closed_at is not None
    assert kinds(disputed)[-2:] == ["disputed", "dispute_closed"]
    assert OrderEvent.objects.filter(kind__startswith="dispute").count() == 2
    assert payout(disputed)[1:] == ("", 0)


def test_dispute_won_releases_the_payout(client, double, disputed):
    before = payout(disputed)
    post_dispute_event(client, double, disputed)
    close_dispute(double, disputed, "won")
    assert post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2").flag == ""
    assert payout(disputed) == before
    assert OrderEvent.objects.get(kind="dispute_closed").data["reason"] == "won"
    assert broken_invariants() == []


def test_dispute_lost_claws_back_the_sellers_share(client, double, disputed):
    post_dispute_event(client, double, disputed)
    close_dispute(double, disputed, "lost")
    assert post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2").flag == "dispute_lost"
    status, blocked_by, taken = payout(disputed)
    assert (status, blocked_by, taken) == ("void", "", disputed.payout.amount)
    assert refund_totals(disputed) == ("0.000", "0.000")
    assert broken_invariants() == []


def test_dispute_of_a_part_claws_back_a_part(client, double, winner, product):
    order = pay(client, double, winner, product)
    charge = double.intent(Payment.objects.get().stripe_intent_id)["latest_charge"]
    double.post(f"/_double/charges/{charge}/dispute", amount=500, reason="product_not_received")
    post_dispute_event(client, double, order)
    assert str(Dispute.objects.get().amount) == "5.000"
    close_dispute(double, order, "lost")
    post_dispute_event(client, double, order, "charge.dispute.closed", "evt_2")
    status, blocked_by, taken = payout(order)
    assert (status, blocked_by) == ("due", "")
    assert 0 < taken < order.payout.amount
    assert broken_invariants() == []


def test_dispute_evidence_submitted_updates_the_status(client, double, disputed):
    post_dispute_event(client, double, disputed)
    double.post(
        f"/v1/disputes/{dispute_at_stripe(double, disputed)['id']}", **{"evidence[product_description]": "A lamp"}
    )
    assert post_dispute_event(client, double, disputed, "charge.dispute.updated", "evt_2").flag == ""
    assert Dispute.objects.get().status == "under_review"


def test_dispute_read_before_it_closed_does_not_reopen_it(client, double, disputed, monkeypatch):
    post_dispute_event(client, double, disputed)
    before = stripe_gateway.retrieve_dispute(Dispute.objects.get().stripe_dispute_id)
    close_dispute(double, disputed, "won")
    post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2")
    monkeypatch.setattr(stripe_gateway, "retrieve_dispute", lambda _: before)
    post_dispute_event(client, double, disputed, "charge.dispute.updated", "evt_3")
    row = Dispute.objects.get()
    assert (row.status, row.closed_at is None) == ("won", False)


def test_dispute_reversed_by_the_bank_restores_the_share(client, double, disputed, monkeypatch):
    before = payout(disputed)
    post_dispute_event(client, double, disputed)
    close_dispute(double, disputed, "lost")
    post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2")
    late = replace(stripe_gateway.retrieve_dispute(Dispute.objects.get().stripe_dispute_id), status="won")
    monkeypatch.setattr(stripe_gateway, "retrieve_dispute", lambda _: late)
    post_dispute_event(client, double, disputed, "charge.dispute.funds_reinstated", "evt_3")
    assert payout(disputed) == before
    assert broken_invariants() == []


def test_refund_of_disputed_payment_is_409(client, double, disputed, as_user, seller):
    seller_client = as_user(seller)
    assert outcome(refund(seller_client, disputed)) == (
        409,
        "refund_refused",
    )  # Stripe refuses before the event was delivered
    post_dispute_event(client, double, disputed)
    assert outcome(refund(seller_client, disputed)) == (409, "order_disputed")
    close_dispute(double, disputed, "lost")
    post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2")
    assert outcome(refund(seller_client, disputed)) == (409, "order_disputed")


def test_refund_after_dispute_is_won_succeeds(client, double, disputed, as_user, seller):
    post_dispute_event(client, double, disputed)
    close_dispute(double, disputed, "won")
    post_dispute_event(client, double, disputed, "charge.dispute.closed", "evt_2")
    assert refund(as_user(seller), disputed).status_code == 201
    assert broken_invariants() == []


def test_dispute_event_before_the_payments_event_pays_the_order_first(client, double, winner, product, order):
    intent_id = request_intent(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id, CARD)
    assert post_dispute_event(client, double, order).flag == "disputed"
    order.refresh_from_db()
    assert (order.status, payout(order)[:2]) == ("paid", ("blocked", "disputed"))
    assert broken_invariants() == []


def test_dispute_details_are_shown_to_staff_only(client, double, disputed, as_user, staff, winner):
    post_dispute_event(client, double, disputed)
    row = Dispute.objects.get()
    [shown] = as_user(staff).get(f"{URL}{disputed.pk}/").json()["disputes"]
    assert {name: shown[name] for name in ("dispute_id", "amount", "currency", "status", "reason", "closed_at")} == {
        "dispute_id": row.stripe_dispute_id,
        "amount": "19.99",
        "currency": "USD",
        "status": "needs_response",
        "reason": "fraudulent",
        "closed_at": None,
    }
    answer = winner.get(f"{URL}{disputed.pk}/").json()
    assert answer["disputes"] is None
    assert answer["history"][-1]["kind"] == "disputed"


@pytest.mark.parametrize("subject", [{"id": "dp_other", "payment_intent": "pi_other"}, {"id": "dp_other"}, {}])
def test_dispute_event_of_unknown_payment_is_stored_and_flagged(client, stripe_unreachable, subject):
    event = post_event_about(client, "charge.dispute.created", {**subject, "object": "dispute"})
    assert (event.flag, Dispute.objects.count()) == ("unknown_dispute", 0)


def test_dispute_event_of_dispute_unknown_at_stripe_is_flagged(client, double, disputed):
    subject = {**dispute_at_stripe(double, disputed), "id": "dp_gone"}
    assert post_event_about(client, "charge.dispute.created", subject).flag == "unknown_dispute"


def test_dispute_event_of_the_other_mode_is_flagged(client, double, disputed, monkeypatch):
    live = replace(stripe_gateway.retrieve_dispute(dispute_at_stripe(double, disputed)["id"]), livemode=True)
    monkeypatch.setattr(stripe_gateway, "retrieve_dispute", lambda _: live)
    assert post_dispute_event(client, double, disputed).flag == "wrong_mode"
    assert not Dispute.objects.exists()


def test_dispute_event_with_stripe_unreachable_is_503_and_stored(client, double, disputed, settings):
    subject = dispute_at_stripe(double, disputed)
    settings.STRIPE_API_BASE = "http://127.0.0.1:9"
    assert post_event(client, build_event(subject, "charge.dispute.created")).status_code == 503
    assert not Dispute.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_dispute_event_calls_stripe_outside_a_transaction(client, double, disputed, monkeypatch):
    inside, ask = [], stripe_gateway.retrieve_dispute

    def spy(dispute_id):
        inside.append(connection.in_atomic_block)
        return ask(dispute_id)

    monkeypatch.setattr(stripe_gateway, "retrieve_dispute", spy)
    post_dispute_event(client, double, disputed)
    assert inside == [False]
