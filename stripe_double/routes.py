"""The API routes of the double and their handlers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stripe_double import (
    accounts,
    customers,
    disputes,
    intents,
    ledger,
    onboarding,
    payment_methods,
    reads,
    refunds,
    setup_intents,
    transfers,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from stripe_double.call import Call

JSON = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One method of one path below `/v1`. `action` gets the call and the path's `id`; `public` needs no secret key."""

    method: str
    path: str
    action: Callable[[Call, str], JSON]
    public: bool = False


def _page(collection: str, call: Call, _: str) -> JSON:
    return reads.page(call, collection)


def _one(collection: str, call: Call, object_id: str) -> JSON:
    return reads.one(call, collection, object_id)


TOP = [name for name in reads.KINDS if name not in reads.NESTED]
# The first match wins, so specific handlers come before plain reads.
OPERATIONS = (
    Operation("POST", "/payment_intents", intents.create),
    Operation("GET", "/payment_intents/{id}", intents.retrieve, public=True),
    Operation("POST", "/payment_intents/{id}", intents.update),
    Operation("POST", "/payment_intents/{id}/confirm", intents.confirmed, public=True),
    Operation("POST", "/payment_intents/{id}/cancel", intents.cancel),
    Operation("POST", "/refunds", refunds.create),
    Operation("POST", "/refunds/{id}", refunds.update),
    Operation("POST", "/setup_intents", setup_intents.create),
    Operation("GET", "/setup_intents/{id}", setup_intents.retrieve, public=True),
    Operation("POST", "/setup_intents/{id}", setup_intents.update),
    Operation("POST", "/setup_intents/{id}/confirm", setup_intents.confirm, public=True),
    Operation("POST", "/setup_intents/{id}/cancel", setup_intents.cancel),
    Operation("POST", "/customers", customers.create),
    Operation("GET", "/customers/{id}", customers.retrieve),
    Operation("POST", "/customers/{id}", customers.update),
    Operation("DELETE", "/customers/{id}", customers.delete),
    Operation("GET", "/customers/{id}/payment_methods", payment_methods.saved_by),
    Operation("GET", "/payment_methods", payment_methods.saved),
    Operation("POST", "/payment_methods/{id}/attach", payment_methods.attach),
    Operation("POST", "/payment_methods/{id}/detach", payment_methods.detach),
    Operation("POST", "/accounts", accounts.create),
    Operation("POST", "/accounts/{id}", accounts.update),
    Operation("POST", "/account_links", onboarding.create),
    Operation("POST", "/transfers", transfers.create),
    Operation("POST", "/transfers/{id}", transfers.update),
    Operation("POST", "/transfers/{id}/reversals", transfers.reverse),
    Operation("GET", "/transfers/{id}/reversals", transfers.reversals),
    Operation("POST", "/disputes/{id}", disputes.update),
    Operation("POST", "/disputes/{id}/close", disputes.close),
    Operation("GET", "/balance", ledger.balance),
    Operation("GET", "/charges/{id}/refunds", partial(reads.refunds_of, "charges", "refunds", "charge")),
    Operation(
        "GET",
        "/application_fees/{id}/refunds",
        partial(reads.refunds_of, "application_fees", "fee_refunds", "fee"),
    ),
    *(Operation("GET", f"/{name}", partial(_page, name)) for name in TOP),
    *(Operation("GET", f"/{name}/{{id}}", partial(_one, name)) for name in TOP),
)
