"""`manage.py simulate`: a seed repeats a run, and a broken rule is found and can be replayed."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection

from auctions.models import Auction
from auctions.services import closing, editing, sale_outcome
from simulation.runner import Plan, simulate
from simulation.scheduler import SimulationFailed
from simulation.scratch_database import scratch_database


@pytest.fixture
def unblocked(django_db_blocker):
    """Allow runs in a database of their own."""
    with django_db_blocker.unblock():
        yield
        connection.close()


def run(*arguments):
    out = StringIO()
    call_command("simulate", *arguments, stdout=out)
    return out.getvalue()


def problem(auctions=12, seed=5):
    """Return the problem that a run in the test database finds."""
    with pytest.raises(SimulationFailed) as failure:
        simulate(Plan(auctions, seed, check_every=3))
    return failure.value.problem


@pytest.mark.parametrize("auctions", [15, pytest.param(40, marks=pytest.mark.nightly)])
def test_simulate_with_a_seed_ends_with_all_invariants_true(unblocked, auctions):
    before = connection.settings_dict["NAME"]
    out = run(f"--auctions={auctions}", "--seed=3", f"--check-every={auctions // 2}")
    assert out.count("all invariants hold") >= 2
    for row in ("sold: hammer", "sold: buy now", "not sold: no bids", "orders: paid", "orders: expired", "paid, USD"):
        assert row in out
    assert "; digest " in out
    assert connection.settings_dict["NAME"] == before


def test_simulate_with_a_failure_prints_how_to_replay(unblocked, monkeypatch):
    def fail(**_):
        raise IntegrityError("two of them")

    monkeypatch.setattr(sale_outcome, "record_payment", fail)
    before = connection.settings_dict["NAME"]
    with pytest.raises(CommandError) as failure:
        run("--auctions=6", "--seed=5", "--check-every=3")
    failed, replay = str(failure.value).splitlines()
    assert failed.startswith("seed 5, step ")
    assert failed.endswith(": IntegrityError: two of them")
    assert replay == "replay: python manage.py simulate --auctions 6 --seed 5 --check-every 3"
    assert connection.settings_dict["NAME"] == before


@pytest.mark.django_db(transaction=True)
def test_simulate_with_same_seed_repeats_the_run():
    found = []
    for seed in (1, 1, 2):
        found.append(simulate(Plan(auctions=6, seed=seed, check_every=100)))
        call_command("flush", "--no-input", "--verbosity=0")
    assert found[0] == found[1]
    assert found[0].digest != found[2].digest


@pytest.mark.django_db(transaction=True)
def test_simulate_with_a_broken_rule_finds_it(monkeypatch):
    monkeypatch.setattr(closing, "reserve_met", lambda reserve, price: price is not None)
    assert "results match the state of the auction" in problem(seed=7)


@pytest.mark.django_db(transaction=True)
def test_simulate_with_a_corrupted_row_finds_it(monkeypatch):
    close_due = closing.close_due

    def and_forge(**arguments):
        if done := close_due(**arguments):
            Auction.objects.exclude(leader=None).update(bid_count=99)
        return done

    monkeypatch.setattr(closing, "close_due", and_forge)
    assert "bid_count is 99" in problem()


@pytest.mark.django_db(transaction=True)
def test_simulate_with_a_missing_refusal_finds_it(monkeypatch):
    monkeypatch.setattr(editing, "_check_only_appended", lambda *_: None)
    assert problem() == "not refused with auction_has_bids"


@pytest.mark.django_db(transaction=True)
def test_simulate_with_a_failing_job_finds_it(monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(closing, "_close", fail)
    assert "ZeroDivisionError()" in problem()


def test_scratch_database_to_keep_is_kept(unblocked):
    with scratch_database(keep=True) as name:
        Auction.objects.count()
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        assert Auction.objects.count() == 0
    finally:
        connection.creation.destroy_test_db(before, verbosity=0)
