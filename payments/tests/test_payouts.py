"""What a seller is due of a paid order: parted, held back, taken back, paid by hand."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import transaction

from accounts.models import User
from auctioncraft import clock
from auctioncraft.tests import factories
from payments import errors
from payments.invariants import CHECKS
from payments.models import Dispute, Order, OrderEvent, Payment, Payout, SellerAccount, TransferReversal
from payments.services import intents, orders, payouts
from payments.tests.conftest import deliver, pay_for, sell

pytestmark = pytest.mark.django_db

ABLE = {"transfers_active": True, "payouts_enabled": True}


def pay(order, **fields):
    """Have money come in for an order."""
    with transaction.atomic():
        now = clock.now()
        payment = Payment.objects.create(
            order=order, amount=order.total, currency=order.currency, status="succeeded", received=order.total,
            received_currency=order.currency, succeeded_at=now, intent_id=f"pi_{order.pk}", **fields,
        )  # fmt: skip
        orders.mark_paid(order=Order.objects.locked(order.pk), payment=payment, at=now)
    return Payout.objects.get(order=order)


def take_back(payout, amount, **fields):
    """Have the buyer get `amount` back."""
    payment = Payment.objects.get(order=payout.order)
    with transaction.atomic():
        payouts.take_back(order=payout.order, payment=payment, amount=Decimal(amount), at=clock.now(), **fields)
    payout.refresh_from_db()
    return payout


def give_back(payout, amount):
    """Have a refund of `amount` fail after all."""
    payment = Payment.objects.get(order=payout.order)
    with transaction.atomic():
        payouts.give_back(order=payout.order, payment=payment, amount=Decimal(amount))
    payout.refresh_from_db()
    return payout


def dispute(payout):
    return Dispute.objects.create(
        payment=Payment.objects.get(order=payout.order), dispute_id="dp_1", amount=payout.gross, currency="USD",
        status="needs_response", opened_at=clock.now(),
    )  # fmt: skip


def broken():
    return {name: lines for name, check in CHECKS.items() if "payout" in name and (lines := check())}


@pytest.mark.parametrize(
    ("commission", "currency", "hammer", "fee", "amount"),
    [
        ("0", "USD", "19.99", "0", "19.99"),
        ("10", "USD", "19.99", "2.00", "17.99"),
        ("2.5", "USD", "0.20", "0.01", "0.19"),  # half a cent, up
        ("12.5", "JPY", "1001", "125", "876"),
        ("12.5", "KWD", "1.234", "0.154", "1.080"),
        ("100", "USD", "19.99", "19.99", "0"),
        ("150", "USD", "19.99", "19.99", "0"),  # at most all of it
    ],
)
def test_the_house_keeps_its_commission_of_the_hammer_price(settings, commission, currency, hammer, fee, amount):
    settings.SELLER_COMMISSION_PERCENT = Decimal(commission)
    price = Decimal(hammer)
    order = Order(hammer_price=price, buyers_premium=Decimal(0), total=price, currency=currency)
    assert payouts.share(order) == (Decimal(fee), Decimal(amount))


def test_the_house_keeps_the_premium_and_the_seller_gets_the_shipping(settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    order = Order(
        hammer_price=Decimal(100), buyers_premium=Decimal(25), shipping=Decimal(7), total=Decimal(132), currency="USD"
    )
    assert payouts.share(order) == (Decimal(35), Decimal(97))


def test_without_connect_a_paid_order_is_due_to_be_paid_by_hand(order):
    payout = pay(order)
    assert (payout.route, payout.status, payout.owed, payout.seller_id) == (
        "manual",
        "due",
        order.total,
        order.seller_id,
    )
    assert broken() == {}


def test_with_connect_a_seller_without_an_account_has_it_held_back(order, settings):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    assert (payout.route, payout.status, payout.blocked_by) == ("transfer", "blocked", "not_onboarded")
    assert broken() == {}


def test_with_connect_an_able_seller_is_due_a_transfer(order, settings):
    settings.STRIPE_CONNECT = True
    SellerAccount.objects.create(user=order.seller, account_id="acct_1", **ABLE)
    payout = pay(order)
    assert (payout.route, payout.status, payout.blocked_by) == ("transfer", "due", "")


def test_what_stripe_passed_on_is_paid_at_once_less_the_fee_it_was_asked_with(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(50)  # changed since the intent was made
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    assert (payout.route, payout.status, payout.fee, payout.sent) == ("destination", "paid", 2, Decimal("17.99"))
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.data) == ("stripe", {"amount": "17.99", "currency": "USD", "route": "destination"})
    assert broken() == {}


def test_nothing_is_due_where_the_house_keeps_all(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(100)
    assert pay(order).status == "void"
    assert broken() == {}


def test_a_partial_refund_takes_its_share_and_the_last_one_the_rest(order, settings):
    settings.SELLER_COMMISSION_PERCENT = Decimal(10)
    payout = pay(order)
    assert take_back(payout, "3.33").reversed == Decimal("3.00")  # 17.99 x 3.33 / 19.99 = 2.9968...
    assert take_back(payout, "3.33").reversed == Decimal("5.99")
    assert (payout.status, payout.owed) == ("due", Decimal("12.00"))
    assert broken() == {}
    assert take_back(payout, "13.33").reversed == Decimal("17.99")
    assert (payout.status, payout.owed) == ("void", 0)
    assert broken() == {}


def test_never_more_is_taken_back_than_there_was(order):
    assert take_back(pay(order), "25").reversed == order.total


def test_a_refund_that_failed_after_all_is_due_again(order):
    payout = take_back(pay(order), "19.99")
    assert payout.status == "void"
    assert (give_back(payout, "19.99").status, payout.owed) == ("due", order.total)
    assert broken() == {}


def test_a_refund_of_surplus_is_not_the_sellers(order):
    payout = pay(order)
    surplus = Payment.objects.create(
        order=order,
        amount=order.total,
        currency="USD",
        status="surplus",
        received=order.total,
        succeeded_at=clock.now(),
    )
    with transaction.atomic():
        payouts.take_back(order=order, payment=surplus, amount=Decimal(5), at=clock.now())
    payout.refresh_from_db()
    assert payout.reversed == 0


def test_a_refund_of_what_stripe_passed_on_comes_back_with_it(order):
    payout = take_back(pay(order, destination="acct_1", fee=Decimal("2.00")), "10.00")
    assert (payout.reversed, payout.sent, payout.owed) == (Decimal("9.00"), Decimal("8.99"), 0)
    assert not TransferReversal.objects.exists()
    assert broken() == {}


def test_a_lost_dispute_of_what_stripe_passed_on_is_asked_back(order):
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    take_back(payout, "10.00", reversed_at_stripe=False)
    assert payout.owed == Decimal("-9.00")
    assert TransferReversal.objects.get().amount == Decimal("9.00")
    assert broken() == {}


def test_a_reversal_that_was_not_sent_is_dropped_when_its_refund_fails(order):
    payout = pay(order, destination="acct_1", fee=Decimal("2.00"))
    take_back(payout, "10.00", reversed_at_stripe=False)
    assert give_back(payout, "10.00").owed == 0
    assert not TransferReversal.objects.exists()


def test_what_was_paid_by_hand_is_reported_as_owed_back(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert take_back(payout, "5.00").owed == Decimal("-5.00")
    assert not TransferReversal.objects.exists()
    row = report()[0]
    assert (row["due_now"], row["owed_back"], row["status"]) == ("0.00", "5.00", "paid")
    assert broken() == {}


def test_a_dispute_holds_back_what_is_not_paid_and_lets_it_go(order):
    payout = pay(order)
    opened = dispute(payout)
    payouts.block(order=order, why=payouts.DISPUTED)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("blocked", "disputed")
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert payout.status == "blocked"  # it is open still
    opened.closed_at = clock.now()
    opened.save()
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("due", "")


def test_a_dispute_that_is_over_leaves_a_seller_without_account_blocked(order, settings):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    payouts.block(order=order, why=payouts.DISPUTED)
    payouts.unblock(order=order)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("blocked", "not_onboarded")


def test_paid_is_not_blocked(order):
    payout = pay(order, destination="acct_1")
    payouts.block(order=order, why=payouts.DISPUTED)
    payout.refresh_from_db()
    assert (payout.status, payout.blocked_by) == ("paid", "")


def test_staff_mark_what_they_paid_and_who_did_is_kept(order, staff):
    payout = pay(order)
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.status, payout.sent, payout.paid_by, payout.owed) == ("paid", order.total, staff, 0)
    said = OrderEvent.objects.get(order=order, kind="paid_out")
    assert (said.role, said.actor, said.data["route"]) == ("staff", staff, "manual")
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    assert OrderEvent.objects.filter(kind="paid_out").count() == 1
    assert broken() == {}


def test_what_is_disputed_is_not_marked_as_paid(order, staff):
    payout = pay(order)
    dispute(payout)
    with pytest.raises(errors.PayoutNotDue):
        payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)


def test_what_stripe_is_to_send_is_not_paid_by_hand_unless_stripe_refused(order, settings, staff):
    settings.STRIPE_CONNECT = True
    SellerAccount.objects.create(user=order.seller, account_id="acct_1", **ABLE)
    payout = pay(order)
    for fields in ({}, {"error": "stripe_unavailable", "sending": payout.amount}):
        Payout.objects.update(**fields)
        with pytest.raises(errors.PayoutNotDue):
            payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    Payout.objects.update(error="balance_insufficient", sending=None)
    assert payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff).route == "manual"
    assert broken() == {}


@pytest.mark.parametrize("connect", [True, False])
def test_a_seller_who_sets_up_no_account_can_be_paid_by_hand(order, settings, staff, connect):
    settings.STRIPE_CONNECT = True
    payout = pay(order)
    settings.STRIPE_CONNECT = connect  # the house may give it up, too
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.status, payout.route, payout.blocked_by, payout.owed) == ("paid", "manual", "", 0)
    assert broken() == {}


def test_what_is_owed_again_after_a_refund_failed_is_paid_by_hand(order, staff):
    payout = take_back(pay(order, destination="acct_1", fee=Decimal("2.00")), "10.00")
    assert give_back(payout, "10.00").owed == Decimal("9.00")  # Stripe took it, and does not bring it back
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    payout.refresh_from_db()
    assert (payout.owed, payout.sent, payout.route) == (0, Decimal("17.99"), "destination")
    assert broken() == {}


# The calls


def test_sellers_see_their_own_payouts_and_staff_all(order, seller, bidder, staff, as_user):
    payout = pay(order)
    another = sell(factories.user("other@example.com"), bidder)
    pay(Order.objects.get(product=another))
    answer = as_user(seller).get("/api/payments/payouts/").json()
    assert answer["count"] == 1
    assert answer["results"][0] == {
        "id": payout.pk,
        "order": order.pk,
        "product": {"id": order.product_id, "name": order.product.name},
        "seller": {"id": seller.pk, "display_name": seller.display_name},
        "currency": "USD",
        "gross": "19.99",
        "fee": "0.00",
        "amount": "19.99",
        "reversed": "0.00",
        "sent": "0.00",
        "due": "19.99",
        "route": "manual",
        "status": "due",
        "blocked_by": "",
        "created_at": answer["results"][0]["created_at"],
        "paid_at": None,
    }
    assert as_user(bidder).get("/api/payments/payouts/").json()["results"] == []
    assert as_user(staff).get("/api/payments/payouts/").json()["count"] == 2


def test_payouts_are_narrowed_by_status(order, seller, as_user):
    pay(order)
    caller = as_user(seller)
    assert caller.get("/api/payments/payouts/?status=due").json()["count"] == 1
    assert caller.get("/api/payments/payouts/?status=paid").json()["count"] == 0
    refused = caller.get("/api/payments/payouts/?status=gone")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid")


def test_payouts_are_for_those_who_are_signed_in(client):
    assert client.get("/api/payments/payouts/").status_code == 401


def test_a_list_costs_the_same_with_more_rows(order, seller, bidder, as_user, django_assert_max_num_queries):
    pay(order)
    caller = as_user(seller)
    with django_assert_max_num_queries(10) as few:
        caller.get("/api/payments/payouts/")
    for _ in range(3):
        pay(Order.objects.get(product=sell(seller, bidder)))
    with django_assert_max_num_queries(len(few)):
        assert len(caller.get("/api/payments/payouts/").json()["results"]) == 4


def test_money_that_came_in_by_webhook_opens_the_payout(double, winner, product, order, client):
    intent_id = pay_for(winner, product).json()["payment_intent_id"]
    double.confirm(intent_id)
    event = {"id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "livemode": False}
    for _ in range(2):
        assert deliver(client, {**event, "data": {"object": double.intent(intent_id)}}).status_code == 200
    assert Payout.objects.get().order_id == order.pk


# The report


def report(**options):
    out = io.StringIO()
    call_command("payout_report", stdout=out, **options)
    return list(csv.DictReader(io.StringIO(out.getvalue())))


def test_the_report_names_whom_to_pay_what(order, seller):
    payout = take_back(pay(order), "9.99")
    row = report()[0]
    assert {name: row[name] for name in row if not name.endswith("_at")} == {
        "order": str(order.pk),
        "product": str(order.product_id),
        "name": order.product.name,
        "seller": str(seller.pk),
        "seller_email": seller.email,
        "currency": "USD",
        "gross": "19.99",
        "fee": "0.00",
        "amount": "19.99",
        "reversed": "9.99",
        "paid": "0.00",
        "due_now": "10.00",
        "owed_back": "0.00",
        "route": "manual",
        "status": "due",
        "blocked_by": "",
        "transfer": "",
    }
    assert row["opened_at"] == f"{payout.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert row["paid_at"] == ""


@pytest.mark.parametrize("start", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_of_the_report_is_run_by_a_spreadsheet(order, start):
    pay(order)
    type(order.product).objects.update(name=start)
    User.objects.filter(pk=order.seller_id).update(email=f"{start.strip()}@example.com")
    row = report()[0]
    assert row["name"].startswith("'")
    assert row["seller_email"][0] in ("'", *"1")
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row.values())


def test_the_report_is_of_the_time_that_was_asked_for(order, staff):
    payout = pay(order)
    opened = payout.created_at
    assert len(report(since=opened, until=opened + timedelta(seconds=1))) == 1
    assert report(until=opened) == []
    assert report(since=opened + timedelta(seconds=1)) == []
    assert len(report(due=True)) == 1
    payouts.mark_paid_by_hand(payout_id=payout.pk, actor=staff)
    assert report(due=True) == []
    assert len(report()) == 1


def test_the_dates_of_the_report_are_days_in_utc(order, capsys):
    pay(order)
    call_command("payout_report", "--since", "2000-01-01", "--until", "2000-01-02")
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_success_that_is_applied_twice_opens_one_payout(double, intent_id, order):
    double.confirm(intent_id)
    found = Payment.objects.get()
    for _ in range(2):
        with transaction.atomic():
            intent = intents.stripe_gateway.retrieve_intent(intent_id)
            intents.apply(order=Order.objects.locked(order.pk), payment=Payment.objects.locked(found.pk), intent=intent)
    assert Payout.objects.count() == 1
