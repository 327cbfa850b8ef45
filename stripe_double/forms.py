"""Form bodies as Stripe's libraries send them: `metadata[order]=7&expand[]=latest_charge&items[0][id]=x`."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from stripe_double.errors import StripeError

KEY = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")
PART = re.compile(r"\[([^\[\]]*)\]")
MAX_FIELDS = 1000
MAX_DEPTH = 8

Params = dict[str, Any]


def pairs(raw: bytes) -> list[tuple[str, str]]:
    """Split a form body or query string; raise Stripe's 400 when it is not UTF-8 or absurdly long."""
    try:
        return parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except (UnicodeDecodeError, ValueError):
        message = "Invalid request body: expected application/x-www-form-urlencoded in UTF-8."
        raise StripeError(message) from None


def decode(raw: bytes) -> Params:
    """Return the nested parameters of a form body: `a[b]=c` is a dict, `a[]=b` and `a[0]=b` are lists."""
    tree: Params = {}
    for key, value in pairs(raw):
        match = KEY.fullmatch(key)
        path = [match[1], *PART.findall(match[2])] if match else []
        if not path or len(path) > MAX_DEPTH:
            msg = "Invalid parameter name."
            raise StripeError(msg, code="parameter_unknown")
        _put(tree, path, value)
    # Metadata keys are free text: metadata[7]=x is a key "7", not a position.
    return {key: value if key == "metadata" else _listed(value) for key, value in tree.items()}


def _put(tree: Params, path: list[str], value: str) -> None:
    *parents, last = path
    node = tree
    for name in parents:
        step = node.setdefault(name or str(len(node)), {})
        if not isinstance(step, dict):
            raise StripeError("Invalid hash", code="parameter_invalid_string", param=path[0])
        node = step
    if isinstance(node.get(last), dict):
        raise StripeError("Invalid string", code="parameter_invalid_string", param=path[0])
    node[last or str(len(node))] = value


def _listed(value: Any) -> Any:  # a parameter is a string, a list or a dict
    if not isinstance(value, dict):
        return value
    items = {key: _listed(item) for key, item in value.items()}
    if items and all(key.isdecimal() and key.isascii() for key in items):
        return [items[key] for key in sorted(items, key=int)]
    return items
