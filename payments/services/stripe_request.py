"""The one way to ask Stripe for something once: claim a row, ask under its stored key, record the answer."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from auctioncraft.core.retry import RetryPolicy
from payments import errors
from payments.models.stripe import StripeKeyModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Row = TypeVar("Row", bound=StripeKeyModel)
Answer = TypeVar("Answer")
Result = TypeVar("Result")

# Each round ends in an answer unless the key was refused or the row was changed meanwhile.
MAX_ROUNDS: Final = 6
# Of jobs whose rows are never given up: what is owed, and what was promised to an erased account.
ENDLESS: Final = RetryPolicy(first_delay=timedelta(minutes=1), max_attempts=10**9, stop_on=(errors.StripeDown,))


def send(
    *,
    claim: Callable[[], Row],
    ask: Callable[[Row], Answer],
    record: Callable[[Row, Answer], Result | None],
    change: Callable[[Row, errors.PaymentRefused], Mapping[str, Any]] | None = None,
    rounds: int = MAX_ROUNDS,
) -> Result:
    """Ask Stripe for what a row wants and return what `record` made of the answer. Never called in a transaction.

    claim    commits and returns the row with its key
    ask      calls the gateway with the row's key; a lost answer is found again under the same key
    record   stores the answer in a transaction, if the claim is still ours; None: claim again
    change   returns the fields to change after a refusal, so that the next round asks for something else

    A key under which Stripe stored a failure or a refusal is replaced. A key in use is an error at once.
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeDown, StripeUnavailable and what the callables raise.
    """
    for left in reversed(range(rounds)):
        row = claim()
        try:
            answer = ask(row)
        except errors.StoredFailure:
            replace_key(row)
            if not left:
                raise
        except errors.PaymentRefused as refusal:
            changes = change(row, refusal) if change else {}
            replace_key(row, **changes)
            if not (changes and left):
                raise
        else:
            if (result := record(row, answer)) is not None:
                return result
    raise errors.StripeUnavailable


def replace_key(row: StripeKeyModel, **changes: Any) -> None:
    """Make the next attempt a new request, unless the key was changed since the row was read.

    For 24 hours Stripe answers a key with what it stored: https://docs.stripe.com/error-low-level#idempotency
    """
    rows = type(row)._default_manager  # noqa: SLF001 (public by documentation)
    rows.filter(pk=row.pk, idempotency_key=row.idempotency_key).update(idempotency_key=uuid.uuid4(), **changes)
