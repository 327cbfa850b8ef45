"""A Stripe that accepts connections and never answers: what does not need it goes on as if nothing had happened."""

import socket
import threading
import time
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from itertools import count

import pytest

from auctioncraft import processes
from auctioncraft.core import clock
from auctions.models import Auction, Product
from payments.models import Customer, Order, Payment, Payout, Refund, SavedCard, SellerAccount, StripeEvent
from tests import factories, servers
from tests.payment_stack import quietly

pytestmark = [pytest.mark.nightly, pytest.mark.servers]

ROWS = 50  # waiting in every job that calls Stripe
SECONDS = 300  # of trading while Stripe hangs
CODES = 18  # a network gets 20 an hour
# Where each job begins: what it asks Stripe first.
FIRST_CALLS = {
    "charge_winners": "POST /v1/payment_intents",
    "delete_customers": "DELETE /v1/customers/",
    "expire_orders": "GET /v1/payment_intents/pi_overdue",
    "cancel_stale_intents": "POST /v1/payment_intents/pi_stale",
    "process_events": "GET /v1/payment_intents/pi_refund",
    "send_payouts": "GET /v1/payment_intents/pi_payout",
    "send_refunds": "POST /v1/refunds",
}


class HangingStripe:
    """Accepts every connection, reads the first line of the request, and says nothing."""

    def __init__(self):
        self.requests, self._open = [], []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        with suppress(OSError), connection:
            while read := connection.recv(4096):  # ends when the client gives up
                self.requests.append(read.split(b"\r\n")[0].decode(errors="replace"))

    def jobs(self):
        """The jobs that have asked."""
        return {job for job, call in FIRST_CALLS.items() if any(line.startswith(call) for line in self.requests)}

    def close(self):
        for one in (self._listener, *self._open):
            one.close()


@pytest.fixture
def stripe(stack):
    made = HangingStripe()
    stack.environment |= {
        "STRIPE_API_BASE": made.address,
        "STRIPE_SECRET_KEY": "sk_test_hangs",
        "STRIPE_WEBHOOK_SECRET": "whsec_hangs",
        "STRIPE_CONNECT": "on",
        "AUTO_CHARGE": "on",
    }
    yield made
    made.close()


numbers = count(1)


def copy_of_product(seller):
    """A product without an auction, faster than one of factories.py."""
    made = Product.objects.filter(seller=seller).first() or factories.product(seller)
    made.pk, made._state.adding = None, True
    made.save()
    return made


def order(status, seller, buyer=None, **fields):
    buyer = buyer or factories.user(f"buyer{next(numbers)}@example.com")
    paid = {"paid_at": clock.now()} if status == "paid" else {}
    expired = {"expired_at": clock.now()} if status == "expired" else {}
    return Order.objects.create(
        product=copy_of_product(seller),
        buyer=buyer,
        seller=seller,
        currency="USD",
        hammer_price=10,
        total=10,
        status=status,
        **{"due_at": clock.now() + timedelta(days=4), **paid, **expired, **fields},
    )


def payment(of, kind, status="open"):
    received = {"received": 10, "received_currency": "USD"} if status == "succeeded" else {}
    return Payment.objects.create(
        order=of,
        stripe_intent_id=f"pi_{kind}_{of.pk}",
        amount=Decimal(10),
        currency="USD",
        status=status,
        **received,
    )


def fill_the_jobs(seller):
    """Make 50 rows wait in each job that calls Stripe."""
    SellerAccount.objects.create(
        user=seller, stripe_account_id="acct_1", transfers_active=True, payouts_enabled=True, details_submitted=True
    )
    for number in range(ROWS):
        refunded = payment(order("paid", seller), "refund", "succeeded")
        Payment.objects.filter(pk=refunded.pk).update(refunds_reserved=5)
        Refund.objects.create(payment=refunded, amount=5, currency="USD", created_at=clock.now() - timedelta(minutes=5))
        StripeEvent.objects.create(
            id=f"evt_{number}",
            type="payment_intent.processing",
            payload={"data": {"object": {"object": "payment_intent", "id": refunded.stripe_intent_id}}},
            received_at=clock.now() - timedelta(minutes=5),
        )
        paid = payment(order("paid", seller), "payout", "succeeded").order
        money = {"gross": 10, "fee": 0, "amount": 10, "currency": "USD"}
        Payout.objects.create(order=paid, seller=seller, route="transfer", status="due", **money)
        payment(order("awaiting_payment", seller, due_at=clock.now() - timedelta(minutes=5)), "overdue")
        payment(order("expired", seller, due_at=clock.now() - timedelta(days=1)), "stale")
        winner = order("awaiting_payment", seller, auto_charge="due").buyer
        Customer.objects.create(user=winner, stripe_customer_id=f"cus_{winner.pk}")
        card = {"brand": "visa", "last4": "4242", "exp_month": 1, "exp_year": 2040, "auto_charge": True}
        SavedCard.objects.create(user=winner, stripe_payment_method_id=f"pm_{winner.pk}", **card)
        gone = factories.user(f"gone{number}@example.com")
        Customer.objects.create(user=gone, stripe_customer_id=f"cus_gone{number}", to_delete=True)


def start_servers(stack):
    """Start both web servers of the Procfile; return their ports: the one of bids, the one of payments."""
    ports = servers.free_port(), servers.free_port()
    for port in ports:
        stack.serve(port)
    return ports


def start_workers(stack):
    """Start the workers of the Procfile."""
    for process in processes.workers():
        stack.start(process.name, *process.command[2:])


def mail_of(stack, address):
    return any(f"To: {address}" in path.read_text() for path in (stack.folder / "mail").glob("*.log"))


def open_checkouts(stack, port, seller):
    """Have four buyers wait for Stripe in requests of their own."""
    for one in [order("awaiting_payment", seller) for _ in range(4)]:
        caller = stack.caller(port, one.buyer)
        path, body = "/api/payments/create-payment-intent/", {"product_id": one.product_id}
        threading.Thread(target=lambda c=caller, p=path, b=body: quietly(lambda: c.post(p, b)), daemon=True).start()


def wait_until_every_job_hangs(stripe):
    with suppress(AssertionError):
        # Two of them begin after a minute.
        servers.wait_until(lambda: len(stripe.jobs()) == len(FIRST_CALLS), every=0.1, seconds=100)
    assert stripe.jobs() == set(FIRST_CALLS)


def end_auctions(seller, seconds):
    """Let an auction end each second from now on; return them."""
    ending = [factories.product(seller, soft_close_window=0) for _ in range(seconds)]
    start = clock.now()
    for number, one in enumerate(ending):
        Auction.objects.filter(product=one).update(ends_at=start + timedelta(seconds=number))
    return Auction.objects.filter(product__in=ending)


def delays_of_closes(ending):
    """Wait until the auctions are closed; return how late each one was, in seconds."""
    servers.wait_until(lambda: not ending.filter(status="open").exists(), every=0.1)
    return [(auction.closed_at - auction.ends_at).total_seconds() for auction in ending]


def test_stripe_that_hangs_delays_neither_closes_nor_codes_nor_bids(stack, stripe):
    seller, bidder = factories.user("seller@example.com"), factories.user("bidder@example.com")
    fill_the_jobs(seller)
    product = factories.product(seller)
    web, web_payments = start_servers(stack)
    start_workers(stack)
    wait_until_every_job_hangs(stripe)
    open_checkouts(stack, web_payments, seller)

    ending = end_auctions(seller, SECONDS)
    caller, answers, codes = stack.caller(web, bidder), [], []
    for number in range(CODES):
        began = time.monotonic()
        assert caller.post("/api/auth/otp/request/", {"email": f"person{number}@example.com"})[0] == 200
        servers.wait_until(lambda n=number: mail_of(stack, f"person{n}@example.com"), seconds=30)
        codes.append(time.monotonic() - began)
        while time.monotonic() < began + SECONDS / CODES:
            began_bid = time.monotonic()
            status, _ = caller.bid(product, amount=str(len(answers) + 2))
            answers.append((status, time.monotonic() - began_bid))
            time.sleep(0.3)

    closes = delays_of_closes(ending)
    assert max(closes) < 2, closes
    assert max(codes) < 5, codes
    assert {status for status, _ in answers} == {201}
    assert max(seconds for _, seconds in answers) < 2, answers
    assert not Refund.objects.exclude(status="creating").exists(), "Stripe answered"


def test_stripe_that_hangs_delays_closes_if_one_worker_of_four_threads_does_all_jobs(stack, stripe):
    """The negative control: as it was before each queue had a worker."""
    seller = factories.user("seller@example.com")
    fill_the_jobs(seller)
    stack.work()
    servers.wait_until(lambda: len(stripe.jobs()) >= 4, every=0.1)
    assert max(delays_of_closes(end_auctions(seller, 20))) > 2
