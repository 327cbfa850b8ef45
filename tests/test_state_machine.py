"""Random steps of a whole market, compared after each step with the simple model in state_machine/."""

import __future__

import inspect
import sys
from collections import Counter

import pytest
from django.db import IntegrityError, connection

from accounts.services import bidder_status
from auctioncraft.core import idempotency
from auctions.formats import ascending, base
from auctions.services import closing, second_chance, voiding
from payments.services import expiry, orders, payment_sync
from tests.state_machine.rules_after_sale import MarketMachine
from tests.state_machine.run import MARKETS, STEPS_A_MARKET, run

pytestmark = pytest.mark.django_db

STEPS, NIGHTLY_STEPS, MAX_STEPS = 600, 5_000, 25_000

DONE = {
    *("list", "edit", "delete", "watch", "unwatch", "bid", "bid with a key", "preview", "void", "buy_now", "close"),
    *("cancel", "extend", "waive", "run_jobs", "pay", "pay again", "lift", "offer", "accept", "decline", "relist"),
}
CAME_OF_IT = {
    ("bid", "leading"),
    ("bid", "outbid"),
    ("bid", "maximum_raised"),
    ("close_due", "some"),
    ("expire_due", "some"),
    ("remind_due", "some"),
    ("lapse_due", "some"),
    ("pay", "paid"),
    ("pay", "amount_mismatch"),
    ("pay", "surplus_order_expired"),
}
REFUSALS = {
    *("invalid", "not_found", "permission_denied", "idempotency_key_reused", "seller_cannot_bid", "auction_not_open"),
    *("maximum_not_raised", "bid_too_low", "bidder_suspended", "auction_already_closed", "auction_has_bids"),
    *("buy_now_unavailable", "defaulter_cannot_bid", "reserve_not_acceptable", "bid_already_voided", "not_relistable"),
    *("second_chance_unavailable", "second_chance_not_open"),
}


def unseen(outcomes):
    """Return the acts, results and refusals that have not occurred yet."""
    refused = {code for (_, code), times in outcomes.items() if times}
    return {(what, "ok") for what in DONE} - outcomes.keys() | CAME_OF_IT - outcomes.keys() | REFUSALS - refused


@pytest.fixture
def counters(monkeypatch):
    """Reset the counters of the machine."""
    for name in ("steps", "outcomes"):
        monkeypatch.setattr(MarketMachine, name, Counter())
    return MarketMachine


def test_market_after_random_steps_equals_the_model(counters):
    run(STEPS)


@pytest.mark.nightly
def test_market_after_every_act_and_refusal_equals_the_model(counters):
    done = run(NIGHTLY_STEPS)
    # The steps are random: go on until everything has occurred.
    while (missing := unseen(counters.outcomes)) and done < MAX_STEPS:
        done += run(MARKETS * STEPS_A_MARKET, first_seed=done)
    assert not missing


# Changes that the machine must notice: (description, function, old text, new text).
MUTATIONS = [
    ("a tie goes to the later", ascending._accept, "limit <= leader_max", "limit < leader_max"),
    ("the reserve hides the maximum no more", ascending._accept, "price < terms.reserve_price", "False"),
    ("a bid at the end counts", base.check_can_bid, "now < state.ends_at", "now <= state.ends_at"),
    ("an extension passes the hard end", ascending._soft_close, ", state.hard_ends_at)", ", extended)"),
    ("a bid extends whenever it comes", ascending._soft_close, ">= timedelta", "< 0 * timedelta"),
    ("an invisible raise is counted", ascending._accept, "state.bid_count + public", "state.bid_count + 1"),
    ("a voided bid stays in", voiding._valid_bids, ".valid()", ""),
    ("a void keeps the price", ascending.recompute, "price=found.price", "price=state.price"),
    ("bought after a bid", ascending.buy_now_available, "price is None or", "True or"),
    ("a seller calls off what was bid on", closing.cancel_auction, "elif _has_valid_bids(product_id)", "elif False"),
    ("accepted at 48 hours", closing.accept_below_reserve, "now < auction", "now <= auction"),
    ("accepted by staff", closing.close_auction, "accept_below_reserve and actor.pk !=", "False and actor.pk !="),
    ("a strike counts twice", bidder_status.add_strike, "+ 1", "+ 2"),
    (
        "shipping is free",
        orders.open_order,
        "**terms.breakdown(auction.hammer_price)",
        "**terms.breakdown(auction.hammer_price) | {'shipping': 0, 'total': auction.hammer_price}",
    ),
    ("late money pays", payment_sync._find_mismatch, "order.status != Order.Status.AWAITING_PAYMENT", "False"),
    ("two reminders at once", expiry._remind, "sum(now", "min(1, order.reminders_sent + 1) or sum(now"),
    ("the defaulter's bids count", second_chance._next_buyer, "*list_defaulters(product.pk), ", ""),
    (
        "a key is reused",
        idempotency.stored_response,
        "stored.fingerprint != request.fingerprint",
        "False",
    ),
    ("listed again and again", closing.was_relisted, "return ", "return False and "),
]


def mutate(monkeypatch, function, old, new):
    """Replace a part of a function's source, wherever the function is imported."""
    name, module = function.__name__, inspect.getmodule(function)
    source = inspect.getsource(function).replace(old, new)
    made = {}
    exec(compile(source, module.__file__, "exec", __future__.annotations.compiler_flag), module.__dict__, made)
    for holder in list(sys.modules.values()):
        if vars(holder).get(name) is function:
            monkeypatch.setattr(holder, name, made[name])


changed_rules = pytest.mark.parametrize(
    ("function", "old", "new"), [row[1:] for row in MUTATIONS], ids=[row[0] for row in MUTATIONS]
)


@changed_rules
def test_rule_to_change_is_there_once(function, old, new):
    assert inspect.getsource(function).count(old) == 1, "the function has changed: choose another piece of it"


@pytest.mark.nightly
@changed_rules
def test_market_with_a_changed_rule_differs_from_the_model(monkeypatch, counters, function, old, new):
    if connection.vendor == "postgresql":
        pytest.skip("the same on both databases, and four times as fast on SQLite")
    mutate(monkeypatch, function, old, new)
    # A difference from the model, a constraint of the database, or a later check.
    with pytest.raises((AssertionError, IntegrityError, ValueError)):
        run(MAX_STEPS, shrink=False)
    print(f"{counters.steps.total()} steps")
