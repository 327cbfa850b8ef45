"""Runs the state machine for a number of steps and counts the outcomes."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.state_machine.rules_after_sale import MarketMachine

STEPS_A_MARKET = 60
MARKETS = 50  # at once: Hypothesis chooses better with some behind it, and forgets them at the end of a batch


def run(steps, first_seed=0, *, shrink=True, details=None):
    """Run markets of consecutive seeds until so many steps are done; return how many were.

    A step that goes otherwise than the model says raises AssertionError with the shortest market that shows it and a
    blob for @reproduce_failure. `details` is called after each batch with the steps so far and the seed.
    """
    before = MarketMachine.steps.total()
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    for number in range(first_seed, first_seed + steps):
        left = steps - (MarketMachine.steps.total() - before)
        run_state_machine_as_test(
            seed(number)(MarketMachine),
            settings=settings(
                max_examples=min(MARKETS, -(-left // STEPS_A_MARKET)),
                stateful_step_count=STEPS_A_MARKET,
                phases=phases,
                deadline=None,
                database=None,
                print_blob=True,
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
        done = MarketMachine.steps.total() - before
        if details:
            details(done, number)
        if done >= steps:
            return done
    return 0
