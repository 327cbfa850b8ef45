"""A refund of what the seller has been sent already: their share comes back first, or staff decide by name."""

from __future__ import annotations

from decimal import Decimal

import pytest

from payments.models import OrderEvent, Payment, Payout, Refund, TransferReversal
from payments.services import refunds, transfers
from payments.tests.conftest import broken_invariants, make_due, post_event, request_intent
from payments.tests.connect_helpers import onboarded
from payments.tests.connect_helpers import transfers as at_stripe
from payments.tests.refund_helpers import URL, kinds, outcome, refund, refund_totals
from tests.violations import find_violations

pytestmark = pytest.mark.django_db

EMPTY = "balance_insufficient"
INVARIANT = "24 sellers give back what they were sent before it is refunded"


@pytest.fixture(params=["transfer", "destination"])
def route(request):
    """How the seller got the money."""
    return request.param


@pytest.fixture
def account(route, double, winner, product, seller, settings):
    """The account of a seller who has got 17.99 of a payment of 19.99."""
    settings.STRIPE_CONNECT, settings.SELLER_COMMISSION_PERCENT = True, Decimal(10)
    if route == "destination":
        onboarded(seller)
    double.confirm(request_intent(winner, product).json()["payment_intent_id"])
    assert request_intent(winner, product).json()["code"] == "order_paid"
    account = onboarded(seller) if route == "transfer" else seller.seller_account
    transfers.send_due()
    assert Payout.objects.values_list("route", "status", "transferred").get() == (route, "paid", Decimal("17.99"))
    return account


@pytest.fixture
def seller_client(as_user, seller):
    """An API client of the seller."""
    return as_user(seller)


def empty(double, account, *, is_empty="true"):
    """Let the seller pay the whole balance of the account out to their bank, or fill it again."""
    assert "error" not in double.post(f"/_double/accounts/{account.stripe_account_id}", empty=is_empty)


def platform_balance(double):
    """Return the platform's balance at Stripe, in cents."""
    found = double.get("/v1/balance")
    return sum(each["amount"] for part in ("available", "pending") for each in found[part])


def payout_sums():
    """Return what the seller has, gives back and is owed."""
    payout = Payout.objects.get()
    return payout.transferred, payout.clawed_back, payout.owed


def test_refund_of_an_empty_account_is_409_and_costs_nobody_anything(account, double, seller_client, order):
    empty(double, account)
    answer = refund(seller_client, order, key="k1")
    assert outcome(answer) == (409, "paid_out")
    assert outcome(refund(seller_client, order, key="k1")) == (409, "paid_out")
    make_due()
    transfers.send_due()
    refunds.send_due()
    assert platform_balance(double) == 200  # our commission
    assert refund_totals(order) == ("0.000", "0.000", "failed")
    assert payout_sums() == (Decimal("17.99"), 0, 0)
    reversal = TransferReversal.objects.get()
    assert (reversal.completed_at, reversal.canceled_at is None, reversal.last_error) == (None, False, EMPTY)
    shown = seller_client.get(f"{URL}{order.pk}/").json()["refunds"]
    assert [(row["status"], row["failure_code"]) for row in shown] == [("failed", "paid_out")]
    assert kinds(order)[-2:] == ["refund_requested", "refund_failed"]
    assert broken_invariants() == []


def test_refund_after_the_account_is_filled_again_is_made(account, double, seller_client, order):
    empty(double, account)
    refund(seller_client, order)
    empty(double, account, is_empty="false")
    answer = refund(seller_client, order)
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "succeeded")
    assert (platform_balance(double), payout_sums()) == (0, (0, Decimal("17.99"), 0))
    assert broken_invariants() == []


def test_refund_in_part_reverses_only_its_share_first(account, double, seller_client, order):
    assert refund(seller_client, order, amount="9.99").status_code == 201
    assert [back for _, back in at_stripe(double, account)] == [899]
    reversal, made = TransferReversal.objects.get(), Refund.objects.get()
    assert (made.reversal, reversal.completed_at < made.settled_at) == (reversal, True)
    assert (platform_balance(double), payout_sums()) == (100, (Decimal("9.00"), Decimal("8.99"), 0))
    empty(double, account)
    assert outcome(refund(seller_client, order)) == (409, "paid_out")
    assert refund_totals(order) == ("9.990", "9.990", "succeeded", "failed")
    assert (platform_balance(double), broken_invariants()) == (100, [])


@pytest.mark.parametrize("fault", ["500", "429", "reset", "timeout_after_create"])
def test_refund_waits_for_a_reversal_that_stripe_did_not_answer(account, double, seller_client, order, fault):
    double.fail_next(fault, path="/v1/transfers")
    answer = refund(seller_client, order, amount="9.99")
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "pending")
    assert refund_totals(order) == ("0.000", "9.990", "creating")
    make_due()
    assert refunds.send_due() == 0  # its reversal is not made
    for _ in range(2):  # after a 500 the first answer is the stored failure of the old key
        make_due()
        transfers.send_due()
    assert refunds.send_due() == 1
    assert refund_totals(order) == ("9.990", "9.990", "succeeded")
    assert [back for _, back in at_stripe(double, account)] == [899]
    assert (platform_balance(double), broken_invariants()) == (100, [])


def test_refund_fails_visibly_when_the_job_finds_the_account_empty(account, double, seller_client, order):
    double.fail_next("500", path="/v1/transfers")
    assert refund(seller_client, order).json()["refund"]["status"] == "pending"
    empty(double, account)
    for _ in range(2):  # the first answer is the stored failure of the old key
        make_due()
        transfers.send_due()
    assert refund_totals(order) == ("0.000", "0.000", "failed")
    assert Refund.objects.get().failure_code == "paid_out"
    make_due()
    assert (transfers.send_due(), refunds.send_due()) == (0, 0)
    assert (platform_balance(double), payout_sums()) == (200, (Decimal("17.99"), 0, 0))
    assert broken_invariants() == []


def test_refund_forced_by_staff_is_made_and_says_who_and_why(
    account, double, seller_client, as_user, staff, winner, order
):
    empty(double, account)
    assert outcome(refund(as_user(staff), order)) == (409, "paid_out")
    why = "The seller has gone, and the buyer has nothing."
    assert outcome(refund(seller_client, order, force_reason=why)) == (403, "permission_denied")
    answer = refund(as_user(staff), order, force_reason=why)
    assert (answer.status_code, answer.json()["refund"]["status"]) == (201, "succeeded")
    made = Refund.objects.latest("pk")
    assert (made.requested_by, made.forced_reason) == (staff, why)
    said = OrderEvent.objects.filter(kind="refund_requested").latest("pk")
    assert (said.role, said.actor, said.data["note"]) == ("staff", staff, f"{why} A test.")
    assert why not in winner.get(f"{URL}{order.pk}/").content.decode()
    assert why in as_user(staff).get(f"{URL}{order.pk}/").content.decode()
    make_due()
    transfers.send_due()
    assert platform_balance(double) == -1799  # by a decision
    assert payout_sums()[2] == Decimal("-17.99")
    empty(double, account, is_empty="false")
    make_due()
    transfers.send_due()
    assert (platform_balance(double), payout_sums()[2]) == (0, 0)
    assert broken_invariants() == []


def test_refund_that_fails_after_its_reversal_leaves_the_seller_owed(account, double, seller_client, order):
    double.post("/v1/refunds", payment_intent=Payment.objects.get().stripe_intent_id, amount=1500)  # no event came
    assert outcome(refund(seller_client, order, amount="9.99")) == (409, "refund_refused")
    assert payout_sums() == (Decimal("9.00"), 0, Decimal("8.99"))
    assert [back for _, back in at_stripe(double, account)] == [899]


@pytest.mark.parametrize(
    "corrupt",
    [
        lambda: TransferReversal.objects.update(completed_at=None, stripe_reversal_id=None),
        lambda: Refund.objects.update(reversal=None),
        lambda: Payout.objects.update(route="manual"),
    ],
)
def test_invariant_finds_a_refund_before_its_reversal(account, seller_client, order, corrupt):
    refund(seller_client, order)
    assert INVARIANT not in find_violations("payments")
    corrupt()
    assert len(find_violations("payments")[INVARIANT]) == 1
    Refund.objects.update(forced_reason="Staff decided otherwise.")
    assert INVARIANT not in find_violations("payments")


def test_lost_dispute_with_an_empty_account_is_tried_until_it_is_filled(account, double, client, order, seller_client):
    charge = double.intent(Payment.objects.get().stripe_intent_id)["latest_charge"]
    dispute = double.post(f"/_double/charges/{charge}/dispute")
    dispute = double.post(f"/_double/disputes/{dispute['id']}/close", outcome="lost")
    event = {"id": "evt_lost", "object": "event", "type": "charge.dispute.closed", "livemode": False}
    assert post_event(client, {**event, "data": {"object": dispute}}).status_code == 200
    empty(double, account)
    for _ in range(3):
        make_due()
        transfers.send_due()
    reversal = TransferReversal.objects.get()
    assert (reversal.canceled_at, reversal.last_error, payout_sums()[2]) == (None, EMPTY, Decimal("-17.99"))
    empty(double, account, is_empty="false")
    make_due()
    transfers.send_due()
    assert payout_sums() == (0, Decimal("17.99"), 0)
    assert broken_invariants() == []
