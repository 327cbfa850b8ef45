"""Reading objects: by id, as lists with Stripe's cursors, and expanded.

Source: https://docs.stripe.com/api/pagination and https://docs.stripe.com/api/expanding_objects
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stripe_double import ledger, params
from stripe_double.errors import StripeError, missing_resource
from stripe_double.store import Query

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.forms import Params
    from stripe_double.store import Store

JSON = dict[str, Any]

KINDS = {
    "accounts": "account",
    "application_fees": "application_fee",
    "balance_transactions": "balance_transaction",
    "charges": "charge",
    "customers": "customer",
    "disputes": "dispute",
    "events": "event",
    "fee_refunds": "fee_refund",
    "payment_intents": "payment_intent",
    "payment_methods": "payment_method",
    "refunds": "refund",
    "setup_intents": "setup_intent",
    "transfer_reversals": "transfer_reversal",
    "transfers": "transfer",
}
# The fields that filter a list; MORE for filters that are not fields.
FILTERS = {
    "accounts": (),
    "application_fees": ("charge",),
    "balance_transactions": ("currency", "source", "type"),
    "charges": ("customer", "payment_intent", "transfer_group"),
    "customers": ("email",),
    "disputes": ("charge", "payment_intent"),
    "events": ("type",),
    "fee_refunds": ("fee",),
    "payment_intents": ("customer",),
    "payment_methods": ("customer", "type"),
    "refunds": ("charge", "payment_intent"),
    "setup_intents": ("customer", "payment_method"),
    "transfer_reversals": ("transfer",),
    "transfers": ("destination", "transfer_group"),
}
MORE = {"balance_transactions": ("payout",), "events": ("delivery_success", "types")}
NESTED = ("fee_refunds", "transfer_reversals")  # listed below their parent object, not at the top level
UNDATED = (*NESTED, "payment_methods")  # Stripe does not filter these by `created`
ANY = "any"
EXPANDABLE = {
    ("application_fee", "account"): "account",
    ("application_fee", "balance_transaction"): "balance_transaction",
    ("application_fee", "charge"): "charge",
    ("balance_transaction", "source"): ANY,
    ("charge", "application_fee"): "application_fee",
    ("charge", "balance_transaction"): "balance_transaction",
    ("charge", "customer"): "customer",
    ("charge", "on_behalf_of"): "account",
    ("charge", "payment_intent"): "payment_intent",
    ("charge", "transfer"): "transfer",
    ("dispute", "charge"): "charge",
    ("dispute", "payment_intent"): "payment_intent",
    ("fee_refund", "balance_transaction"): "balance_transaction",
    ("fee_refund", "fee"): "application_fee",
    ("payment_intent", "customer"): "customer",
    ("payment_intent", "latest_charge"): "charge",
    ("payment_intent", "on_behalf_of"): "account",
    ("payment_intent", "payment_method"): "payment_method",
    ("payment_method", "customer"): "customer",
    ("refund", "balance_transaction"): "balance_transaction",
    ("refund", "charge"): "charge",
    ("refund", "failure_balance_transaction"): "balance_transaction",
    ("refund", "payment_intent"): "payment_intent",
    ("refund", "payment_method"): "payment_method",
    ("refund", "transfer_reversal"): "transfer_reversal",
    ("setup_intent", "customer"): "customer",
    ("setup_intent", "payment_method"): "payment_method",
    ("transfer", "balance_transaction"): "balance_transaction",
    ("transfer", "destination"): "account",
    ("transfer", "source_transaction"): "charge",
    ("transfer_reversal", "balance_transaction"): "balance_transaction",
    ("transfer_reversal", "source_refund"): "refund",
    ("transfer_reversal", "transfer"): "transfer",
}
MAX_PAGE = 100
MAX_EXPANSION = 4
MAX_TYPES = 20


def one(call: Call, collection: str, object_id: str) -> JSON:
    """Return an object by id, as it is now."""
    params.only(call.params)
    return _as_of_now(call.store, call.find(KINDS[collection], object_id, "id"))


def page(call: Call, collection: str) -> JSON:
    """Return a list, newest first, with Stripe's `limit`, `starting_after`, `ending_before`, `created` and filters."""
    given, filters = call.params, FILTERS[collection]
    dated = () if collection in UNDATED else ("created",)
    params.only(given, "limit", "starting_after", "ending_before", *dated, *filters, *MORE.get(collection, ()))
    limit = params.integer(given, "limit")
    limit = 10 if limit is None else limit
    if limit > MAX_PAGE:
        message = f"This value must be less than or equal to {MAX_PAGE}."
        raise StripeError(message, code="parameter_invalid_integer", param="limit")
    equal = {name: [value] for name in filters if (value := params.text(given, name))}
    delivered = params.boolean(given, "delivery_success") if "delivery_success" in given else None
    if collection == "events":
        equal |= _types(call)
    if payout := params.text(given, "payout"):  # the double makes no payouts
        raise missing_resource("payout", payout, "payout")
    after, before = (_cursor(call, collection, name) for name in ("starting_after", "ending_before"))
    newer, older = _created(given)
    rows = call.store.find(Query(KINDS[collection], limit + 1, after, before, newer, older, equal, delivered))
    shown = [_as_of_now(call.store, row) for row in (rows[-limit:] if before else rows[:limit])]
    return {"object": "list", "data": shown, "has_more": len(rows) > limit, "url": f"/v1/{collection}"}


def refunds_of(parents: str, collection: str, field: str, call: Call, parent_id: str) -> JSON:
    """Return the refunds of one charge or of one application fee, whose id is in `field`.

    Source: https://docs.stripe.com/api/fee_refunds/list
    """
    params.only(call.params, "limit", "starting_after", "ending_before")
    call.find(KINDS[parents], parent_id, "id")
    call.params[field] = parent_id
    return page(call, collection) | {"url": f"/v1/{parents}/{parent_id}/refunds"}


def expand(store: Store, body: JSON, paths: object) -> None:
    """Replace ids by the objects they name, in place, for each of Stripe's `expand` paths."""
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise StripeError("Invalid array", param="expand")
    for path in paths:
        names = path.split(".")
        if len(names) > MAX_EXPANSION:
            raise StripeError(f"You cannot expand more than {MAX_EXPANSION} levels.", param="expand")
        _expand(store, body, names, path)


def _expand(store: Store, node: JSON, names: list[str], path: str) -> None:
    name, *rest = names
    if node.get("object") == "list" and name == "data" and rest:
        for item in node["data"]:
            _expand(store, item, rest, path)
        return
    if (node.get("object"), name) == ("charge", "refunds"):
        refunds = store.find(Query("refund", 11, equal={"charge": [node["id"]]}))
        url = f"/v1/charges/{node['id']}/refunds"
        node["refunds"] = {"object": "list", "data": refunds[:10], "has_more": len(refunds) > 10, "url": url}
        return
    kind = EXPANDABLE.get((str(node.get("object")), name))
    if kind is None or name not in node:
        raise StripeError(f"This property cannot be expanded ({path}).", param="expand")
    if isinstance(node[name], str):
        found = store.any(node[name]) if kind == ANY else store.get(kind, node[name])
        node[name] = _as_of_now(store, found) if found else None
    if rest and node[name] is not None:
        _expand(store, node[name], rest, path)


def _as_of_now(store: Store, found: JSON) -> JSON:
    """Update what time and webhooks change of a stored object."""
    if found["object"] == "event":
        found["pending_webhooks"] = store.pending_deliveries(found["id"])
    if found["object"] == "balance_transaction":
        ledger.as_of_now(found)
    return found


def _types(call: Call) -> dict[str, list[str]]:
    """Return the types of events asked for: `types`, or a `type` in which `*` matches anything.

    Source: https://docs.stripe.com/api/events/list
    """
    several, pattern = call.params.get("types"), params.text(call.params, "type")
    if several is None:
        return {"type": call.store.event_types(pattern)} if pattern and "*" in pattern else {}
    if pattern is not None:
        raise StripeError("You may only specify one of these parameters: type, types.", param="types")
    if not isinstance(several, list) or not 0 < len(several) <= MAX_TYPES:
        raise StripeError("Invalid array", param="types")
    return {"type": [str(item) for item in several]}


def _cursor(call: Call, collection: str, name: str) -> str | None:
    object_id = params.text(call.params, name)
    if object_id is not None and call.store.get(KINDS[collection], object_id) is None:
        raise missing_resource(KINDS[collection], object_id, name)
    return object_id


def _created(given: Params) -> tuple[int, int]:
    bounds = given.get("created", {})
    if isinstance(bounds, str):
        exact = params.integer(given, "created", 0) or 0
        return exact - 1, exact + 1
    if not isinstance(bounds, dict) or not set(bounds) <= {"gt", "gte", "lt", "lte"}:
        raise StripeError("Invalid created", param="created")
    read = {name: params.integer(bounds, name, 0) or 0 for name in bounds}
    newer = max([-1, *(read[name] - shift for name, shift in (("gt", 0), ("gte", 1)) if name in read)])
    older = min([2**62, *(read[name] + shift for name, shift in (("lt", 0), ("lte", 1)) if name in read)])
    return newer, older
