"""`manage.py check_invariants`."""

import json
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection

from auctioncraft.management.commands import check_invariants
from auctioncraft.management.commands.check_invariants import one_moment
from auctions.invariants import CHECKS
from auctions.models import Auction, Category
from auctions.services.bidding import place_bid
from tests import factories

ALL = sum(
    len(__import__(f"{app}.invariants", fromlist=["CHECKS"]).CHECKS)
    for app in ("accounts", "auctions", "payments", "notifications")
)


def run(*arguments):
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


@pytest.mark.django_db
def test_a_line_for_each_check(product):
    code, out, _ = run()
    lines = out.splitlines()
    assert (code, len(lines)) == (0, ALL)
    assert all(line.endswith(": ok") for line in lines)
    assert {line.split()[0] for line in lines} == {"accounts", "auctions", "payments", "notifications"}


@pytest.mark.django_db
def test_it_exits_1_and_names_the_rows(product):
    Auction.objects.update(bid_count=7)
    code, out, error = run()
    assert (code, error) == (1, f"2 violations, of 2 of {ALL} invariants.")
    assert f"    product {product.pk}: bid_count is 7, its bids give 1" in out.splitlines()


@pytest.mark.django_db
def test_it_shows_twenty_rows_of_a_check(seller):
    for _ in range(22):
        factories.product(seller)
    Auction.objects.update(seq=3)
    code, out, _ = run()
    assert (code, out.count("seq is 3")) == (1, 20)
    assert "    and 2 more" in out.splitlines()


@pytest.mark.django_db
def test_json_has_all_of_them(product):
    code, out, _ = run("--json")
    told = json.loads(out)
    assert (code, told["ok"], len(told["checks"])) == (0, True, ALL)
    Auction.objects.update(seq=3)
    code, out, _ = run("--json")
    told = json.loads(out)
    assert (code, told["ok"]) == (1, False)
    assert [(check["app"], check["name"], check["findings"]) for check in told["checks"] if not check["ok"]] == [
        (
            "auctions",
            "2 the log of each product is gap-free",
            [f"product {product.pk}: seq is 3, its 1 events are 1..1"],
        )
    ]
    assert told.keys() == {"ok", "seconds", "checks"}
    assert all(check.keys() == {"name", "app", "ok", "seconds", "findings"} for check in told["checks"])


@pytest.mark.django_db
def test_only_some_are_asked_for(product):
    def names(*only):
        told = json.loads(run("--json", "--only", *only)[1])["checks"]
        return {(check["app"], check["name"].split()[0]) for check in told}

    assert names("1") == {("auctions", "1")}
    assert names("4", "9") == {("auctions", "4"), ("auctions", "4,"), ("auctions", "2,"), ("auctions", "9")}
    assert {app for app, _ in names("payments", "16")} == {"payments", "notifications"}
    assert run("--only", "77") == (1, "", "There is no check of 77.")


@pytest.mark.django_db
def test_what_cannot_be_read_is_a_finding_and_the_others_go_on(product):
    type(product).objects.update(increments=[["much", "more"]])
    code, out, _ = run()
    assert (code, len([line for line in out.splitlines() if line.endswith(": ok")])) == (1, ALL - 1)
    assert "    cannot be checked: " in out


@pytest.mark.django_db(transaction=True)
def test_it_cannot_write_and_keeps_no_writer_waiting(product):
    with one_moment(), pytest.raises(DatabaseError):
        Category.objects.create(name="New", slug="new")
    connection.close()
    Category.objects.create(name="New", slug="new")
    assert run()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_it_sees_one_moment(product, bidder, rival, monkeypatch):
    from threading import Thread

    def place():
        try:
            place_bid(product_id=product.pk, bidder_id=rival.pk, amount=product.starting_bid + 5)
        finally:
            connection.close()

    def and_meanwhile(app, name, check):
        if name == next(iter(CHECKS)):
            Auction.objects.count()
            other = Thread(target=place)
            other.start()
            other.join()
            seen.append(Auction.objects.get().bid_count)
        return run_one(app, name, check)

    seen, run_one = [], check_invariants._run
    monkeypatch.setattr(check_invariants, "_run", and_meanwhile)
    assert run()[0] == 0
    assert (seen, Auction.objects.get().bid_count) == ([1], 2)


def test_every_app_with_a_file_of_invariants_is_asked():
    asked = {app for app, _, _ in check_invariants._checks()}
    assert asked == {"accounts", "auctions", "payments", "notifications"}
    assert all(apps.is_installed(app) for app in asked)
