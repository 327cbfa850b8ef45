"""Cards saved, removed and erased concurrently: each race with its lock and without."""

from __future__ import annotations

import threading

import pytest
from django.db import OperationalError, connection

from accounts.services import bidder_status
from payments.models import Customer, SavedCard
from payments.services import cards, customers
from payments.stripe_gateway import Card
from payments.tests.conftest import broken_invariants
from tests import factories
from tests.servers import run_concurrently

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def customer(bidder):
    made = Customer.objects.create(user=bidder, stripe_customer_id="cus_1")
    keep("pm_old")()
    return made


def keep(name):
    """Save a card like an event does."""

    def work():
        found = cards.FetchedCard(name, Card(name, "cus_1", "visa", "4242", 12, 2030))
        with cards.transaction.atomic():
            cards.apply_setup_event(found)

    return work


def drop(name):
    def work():
        with cards.transaction.atomic():
            cards._delete_row(name)

    return work


def without_the_lock(monkeypatch):
    monkeypatch.setattr(cards, "_lock_customer", lambda user_id: None)
    monkeypatch.setattr(
        customers, "lock", lambda customer_id: Customer.objects.filter(stripe_customer_id=customer_id).first()
    )


def removed_beside_a_new_one(monkeypatch):
    """Remove the only card; write has_card after another card was saved, or after a second."""
    kept, removing, write = threading.Event(), threading.Event(), bidder_status.set_has_card

    def write_late(*, user_id, has_card):
        if not has_card:
            removing.set()
            kept.wait(1)
        write(user_id=user_id, has_card=has_card)

    def keep_another():
        assert removing.wait(20)
        keep("pm_new")()
        kept.set()

    monkeypatch.setattr(bidder_status, "set_has_card", write_late)
    run_concurrently([drop("pm_old"), keep_another])


def test_saving_a_card_while_the_last_is_removed_keeps_has_card(customer, bidder, monkeypatch):
    removed_beside_a_new_one(monkeypatch)
    bidder.refresh_from_db()
    assert (bidder.has_card, SavedCard.objects.get().stripe_payment_method_id, broken_invariants()) == (
        True,
        "pm_new",
        [],
    )


def test_saving_a_card_without_the_lock_leaves_has_card_wrong(customer, bidder, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: the transaction is the lock")
    without_the_lock(monkeypatch)
    removed_beside_a_new_one(monkeypatch)
    assert broken_invariants() == [f"user {bidder.pk} has has_card False, and saved cards say otherwise"]


def kept_beside_an_erasure(monkeypatch, bidder):
    """Save a card; erase the account between the writes of the card and of has_card."""
    keeping, erased, write = threading.Event(), threading.Event(), bidder_status.set_has_card

    def write_late(*, user_id, has_card):
        keeping.set()
        erased.wait(1)
        write(user_id=user_id, has_card=has_card)

    def erase():
        assert keeping.wait(20)
        factories.erase_account(bidder)
        erased.set()

    monkeypatch.setattr(bidder_status, "set_has_card", write_late)
    run_concurrently([keep("pm_new"), erase])


def test_saving_a_card_during_erasure_leaves_no_card(customer, bidder, monkeypatch):
    kept_beside_an_erasure(monkeypatch, bidder)
    bidder.refresh_from_db()
    assert (SavedCard.objects.count(), bidder.has_card, Customer.objects.get().to_delete) == (0, False, True)
    assert broken_invariants() == []


def test_saving_a_card_without_the_erasure_lock_deadlocks(customer, bidder, monkeypatch):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer: the transaction is the lock")
    monkeypatch.setattr(customers, "lock_for_erasure", lambda user_id: None)
    with pytest.raises(OperationalError, match=r"deadlock|lock timeout"):
        kept_beside_an_erasure(monkeypatch, bidder)


def test_choosing_two_cards_concurrently_chooses_one(customer, bidder, settings):
    settings.AUTO_CHARGE = True
    keep("pm_new")()

    def choose(card):
        return lambda: cards.set_auto_charge(user_id=bidder.pk, card_id=card.pk, charge=True)

    run_concurrently([choose(card) for card in SavedCard.objects.all() for _ in range(3)])
    assert SavedCard.objects.filter(auto_charge=True).count() == 1
