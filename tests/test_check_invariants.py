"""`manage.py check_invariants`: batches, what it prints, and that it only reads."""

import json
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.utils import timezone

from auctioncraft.core import invariants
from auctioncraft.core.invariants import Batch, Invariant, all_invariants, changed_since, invariant, read_only, run
from auctions.models import Auction, Category, Product
from auctions.services.bidding import place_bid
from tests import factories

ALL = len(all_invariants())


def check_invariants(*arguments):
    out = StringIO()
    try:
        call_command("check_invariants", *arguments, stdout=out)
    except CommandError as error:
        return 1, out.getvalue(), str(error)
    return 0, out.getvalue(), ""


@pytest.fixture
def product(seller, bidder):
    product = factories.product(seller)
    place_bid(product_id=product.pk, bidder_id=bidder.pk, amount=Auction.objects.get().product.starting_bid)
    return product


@pytest.fixture
def registered(monkeypatch):
    """A registry of the test's own."""
    registry = {}
    monkeypatch.setattr(invariants, "_registry", registry)
    monkeypatch.setattr(invariants, "_changes", {})
    return registry


def list_batches(model, **kwargs):
    """Run a check over a model, and return the batches that it was given."""
    batches = []
    run([Invariant("tests", (), "is called", model, lambda batch: batches.append(batch) or ())], **kwargs)
    return batches


@pytest.mark.django_db
def test_output_has_a_line_per_check(product):
    code, out, _ = check_invariants()
    lines = out.splitlines()
    assert (code, len(lines)) == (0, ALL)
    assert all(line.endswith(": ok") for line in lines)
    assert {line.split()[0] for line in lines} == {"accounts", "auctions", "payments", "notifications"}


@pytest.mark.django_db
def test_violation_exits_1_and_names_the_rows(product):
    Auction.objects.update(bid_count=7)
    code, out, error = check_invariants()
    assert (code, error) == (1, f"2 violations of 2 of {ALL} invariants.")
    assert f"    product {product.pk}: bid_count is 7, its bids give 1" in out.splitlines()


@pytest.mark.django_db
def test_output_shows_at_most_20_rows_of_a_check(seller):
    for _ in range(22):
        factories.product(seller)
    Auction.objects.update(seq=3)
    code, out, _ = check_invariants()
    assert (code, out.count("seq is 3")) == (1, 20)
    assert "    and 2 more" in out.splitlines()


@pytest.mark.django_db
def test_json_has_every_check_and_row(product):
    code, out, _ = check_invariants("--json")
    whole = json.loads(out)
    assert (code, whole["ok"], len(whole["checks"])) == (0, True, ALL)
    Auction.objects.update(seq=3)
    code, out, _ = check_invariants("--json")
    whole = json.loads(out)
    assert (code, whole["ok"]) == (1, False)
    assert [(check["app"], check["findings"]) for check in whole["checks"] if not check["ok"]] == [
        ("auctions", [f"product {product.pk}: seq is 3, its 1 events are 1..1"])
    ]
    assert whole.keys() == {"ok", "seconds", "checks"}
    assert all(check.keys() == {"name", "app", "ok", "seconds", "findings"} for check in whole["checks"])


@pytest.mark.django_db
def test_only_selects_by_number_and_app(product):
    def names(*only):
        checks = json.loads(check_invariants("--json", "--only", *only)[1])["checks"]
        return {(check["app"], check["name"].split()[0]) for check in checks}

    assert names("1") == {("auctions", "1"), ("auctions", "1,")}
    assert {name for _, name in names("4", "9")} == {"1,", "2,", "4", "9"}
    assert {app for app, _ in names("payments", "16")} == {"payments", "notifications"}
    assert check_invariants("--only", "77") == (1, "", "There is no invariant 77.")


@pytest.mark.django_db
def test_unreadable_data_is_a_finding_and_other_checks_go_on(product):
    type(product).objects.update(increments=[["much", "more"]])
    code, out, _ = check_invariants()
    assert (code, len([line for line in out.splitlines() if line.endswith(": ok")])) == (1, ALL - 1)
    assert "    cannot be checked: " in out


@pytest.mark.django_db(transaction=True)
def test_read_only_refuses_writes_and_blocks_no_writer(product):
    with read_only(), pytest.raises(DatabaseError):
        Category.objects.create(name="New", slug="new")
    connection.close()
    Category.objects.create(name="New", slug="new")
    assert check_invariants()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_batch_sees_one_snapshot_while_bids_come_in(product, bidder, rival, registered):
    def place():
        try:
            place_bid(product_id=product.pk, bidder_id=rival.pk, amount=product.starting_bid + 5)
        finally:
            connection.close()

    def check(products):
        before = Auction.objects.get().bid_count
        other = Thread(target=place)
        other.start()
        other.join()
        yield f"{before} and {Auction.objects.get().bid_count}"

    (result,) = run([Invariant("tests", (), "sees one snapshot", Product, check)])
    assert (result.findings, Auction.objects.get().bid_count) == (["1 and 1"], 2)


@pytest.mark.django_db
def test_batches_cover_every_row_once(seller, monkeypatch):
    ids = [factories.product(seller).pk for _ in range(7)]
    monkeypatch.setattr(invariants, "FIRST_BATCH", 3)
    monkeypatch.setattr(invariants, "MIN_SECONDS", 0)
    batches = list_batches(Product)
    assert [[row.pk for row in batch.rows] for batch in batches] == [ids[:3], ids[3:6], ids[6:]]
    assert batches[0] == Batch(Product, ids[0], ids[2])


@pytest.mark.django_db
def test_batch_size_follows_the_time_a_batch_takes(seller, monkeypatch):
    for _ in range(12):
        factories.product(seller)
    monkeypatch.setattr(invariants, "FIRST_BATCH", 2)
    assert [batch.rows.count() for batch in list_batches(Product)] == [2, 4, 6]
    monkeypatch.setattr(invariants, "MAX_SECONDS", 0)
    monkeypatch.setattr(invariants, "MIN_BATCH", 1)
    assert [batch.rows.count() for batch in list_batches(Product)][:3] == [2, 1, 1]


@pytest.mark.django_db
def test_since_checks_only_changed_rows(seller, registered, monkeypatch):
    ids = [factories.product(seller).pk for _ in range(4)]
    now = timezone.now()
    assert [batch.rows.count() for batch in list_batches(Product, since=now)] == [4]
    monkeypatch.setattr(invariants, "FIRST_BATCH", 2)
    monkeypatch.setattr(invariants, "MIN_SECONDS", 0)
    changed_since(Product)(lambda since: [ids[3], ids[0], ids[1], ids[0]])
    batches = list_batches(Product, since=now)
    assert [[row.pk for row in batch.rows] for batch in batches] == [[ids[0], ids[1]], [ids[3]]]
    assert Auction.objects.filter(batches[0].within("product")).count() == 2


@pytest.mark.parametrize("text", ["24h", "7d", "2026-11-23T10:00:00Z", "2026-11-23"])
@pytest.mark.django_db
def test_since_takes_hours_days_and_iso_8601(product, text):
    assert check_invariants("--since", text)[0] == 0


def test_since_refuses_other_texts():
    with pytest.raises(CommandError, match="use 24h, 7d or ISO 8601"):
        call_command("check_invariants", "--since", "yesterday")


@pytest.mark.django_db
def test_two_invariants_of_one_name_are_refused(registered):
    invariant(1, "twice", over=Product)(lambda batch: ())
    with pytest.raises(ValueError, match="named '1 twice'"):
        invariant(1, "twice", over=Product)(lambda batch: ())
