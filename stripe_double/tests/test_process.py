"""The process itself: what it refuses, what it survives, how it stops, what it prints."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
import requests
import stripe

from stripe_double.tests.conftest import SECRET, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stripe_double.tests.conftest import Receiver

COMMAND = [sys.executable, "-m", "stripe_double"]
CLEAN = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
NUMBER = "4242424242424242"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    def __init__(self, db: Path, **env: str) -> None:
        self.port = free_port()
        settings = {"STRIPE_DOUBLE_PORT": str(self.port), "STRIPE_DOUBLE_DB": str(db)}
        self.popen = subprocess.Popen(
            COMMAND, env=CLEAN | settings | env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = stripe.StripeClient("sk_test_x", base_addresses={"api": self.url}, max_network_retries=0)
        until(self.answers)

    def answers(self) -> bool:
        assert self.popen.poll() is None, "the double did not start"
        try:
            return requests.get(f"{self.url}/_double/", timeout=5).ok
        except requests.ConnectionError:
            return False

    def stop(self, signum: int = signal.SIGTERM) -> tuple[int, str]:
        self.popen.send_signal(signum)
        printed, _ = self.popen.communicate(timeout=5)
        return self.popen.returncode, printed


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    kept: list[Process] = []
    yield kept
    for process in kept:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.communicate(timeout=5)


@pytest.mark.parametrize(
    "env",
    [
        {"DEBUG": "off"},
        {"DEBUG": "False"},
        {"DEBUG": "0"},
        {"DEBUG": ""},
        {"STRIPE_DOUBLE_DB": "/nowhere/at/all.sqlite3"},
        {"STRIPE_SECRET_KEY": "sk_live_51Habc"},
        {"STRIPE_SECRET_KEY": "rk_live_51Habc"},
        {"STRIPE_DOUBLE_WEBHOOK_URL": "http://127.0.0.1:1/"},
        {"STRIPE_DOUBLE_WEBHOOK_URL": "127.0.0.1:1", "STRIPE_WEBHOOK_SECRET": "whsec_x"},
        {"STRIPE_DOUBLE_CONNECT_WEBHOOK_URL": "http://127.0.0.1:1/"},
        {
            "STRIPE_DOUBLE_WEBHOOK_URL": "http://127.0.0.1:1/",
            "STRIPE_DOUBLE_CONNECT_WEBHOOK_URL": "127.0.0.1:1",
            "STRIPE_WEBHOOK_SECRET": "whsec_x",
        },
        {"STRIPE_DOUBLE_PORT": "http"},
    ],
)
def test_start_in_production_is_refused(env: dict[str, str]) -> None:
    done = subprocess.run(COMMAND, env=CLEAN | env, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "stripe_double" in done.stderr
    assert "51Habc" not in done.stderr


def test_restart_keeps_intents_keys_and_pending_events(
    tmp_path: Path, processes: list[Process], receiver: Receiver
) -> None:
    dead = f"http://127.0.0.1:{free_port()}/"
    first = Process(tmp_path / "db", STRIPE_DOUBLE_WEBHOOK_URL=dead, STRIPE_WEBHOOK_SECRET=SECRET, DEBUG="on")
    processes.append(first)
    options = {"idempotency_key": "k1"}
    intent = first.client.v1.payment_intents.create({"amount": 500, "currency": "eur"}, options)
    first.popen.kill()
    first.popen.communicate(timeout=5)
    second = Process(tmp_path / "db", STRIPE_DOUBLE_WEBHOOK_URL=receiver.url, STRIPE_WEBHOOK_SECRET=SECRET)
    processes.append(second)
    assert second.client.v1.payment_intents.create({"amount": 500, "currency": "eur"}, options).id == intent.id
    until(lambda: receiver.got)
    assert receiver.events()[0].data.object.id == intent.id


def test_connected_account_events_go_to_their_own_webhook(
    tmp_path: Path, processes: list[Process], receiver: Receiver
) -> None:
    process = Process(
        tmp_path / "db",
        STRIPE_DOUBLE_WEBHOOK_URL=f"http://127.0.0.1:{free_port()}/",
        STRIPE_WEBHOOK_SECRET="whsec_of_the_platform",
        STRIPE_DOUBLE_CONNECT_WEBHOOK_URL=receiver.url,
        STRIPE_CONNECT_WEBHOOK_SECRET=SECRET,
    )
    processes.append(process)
    process.client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    account = process.client.v1.accounts.create({"type": "express", "country": "DE"})
    switch = f"{process.url}/_double/accounts/{account.id}"
    requests.post(switch, data={"payouts_enabled": "true"}, timeout=5).raise_for_status()
    until(lambda: receiver.got)
    assert [(event.type, event.account) for event in receiver.events()] == [("account.updated", account.id)]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_stop_during_delivery_is_immediate_and_prints_no_secret(
    tmp_path: Path, processes: list[Process], receiver: Receiver, signum: int
) -> None:
    receiver.held = threading.Event()
    process = Process(tmp_path / "db", STRIPE_DOUBLE_WEBHOOK_URL=receiver.url, STRIPE_WEBHOOK_SECRET=SECRET)
    processes.append(process)
    data = {"type": "card", "card": {"number": NUMBER, "exp_month": 1, "exp_year": 2040}}
    intent = process.client.v1.payment_intents.create(
        {"amount": 500, "currency": "eur", "confirm": True, "payment_method_data": data}
    )
    requests.get(
        f"{process.url}/v1/payment_intents/{intent.id}",
        params={"client_secret": intent.client_secret, "key": "pk_test_x"},
        timeout=5,
    ).raise_for_status()
    until(lambda: receiver.got)
    status, printed = process.stop(signum)
    assert status == 0
    assert "a test double of Stripe" in printed
    for secret in (SECRET, NUMBER, intent.client_secret, "sk_test_x", "Traceback"):
        assert secret not in printed
    assert NUMBER.encode() not in b"".join(path.read_bytes() for path in tmp_path.glob("db*"))


def test_server_listens_on_loopback_only(tmp_path: Path, processes: list[Process]) -> None:
    process = Process(tmp_path / "db")
    processes.append(process)
    # 127.0.0.2 is this machine too: a server on 0.0.0.0 would answer there.
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", process.port), timeout=2).close()


def test_kill_during_request_leaves_nothing_and_releases_the_key(tmp_path: Path, processes: list[Process]) -> None:
    params, options = {"amount": 500, "currency": "eur"}, {"idempotency_key": "k1"}
    slow = Process(tmp_path / "db", STRIPE_DOUBLE_LATENCY="60")
    processes.append(slow)

    def attempt() -> None:
        with pytest.raises(stripe.APIConnectionError):
            slow.client.v1.payment_intents.create(params, options)

    thread = threading.Thread(target=attempt)
    thread.start()
    with sqlite3.connect(tmp_path / "db") as db:
        until(lambda: db.execute("SELECT count(*) FROM answers").fetchone()[0] == 1)
    db.close()
    slow.popen.kill()
    thread.join(10)
    again = Process(tmp_path / "db")
    processes.append(again)
    made = again.client.v1.payment_intents.create(params, options)
    assert [item.id for item in again.client.v1.payment_intents.list().data] == [made.id]
