"""Onboarding of connected accounts: one-time links to a page, and its result. Stripe's own pages are not copied.

Source: https://docs.stripe.com/api/account_links and https://docs.stripe.com/connect/hosted-onboarding
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any

from stripe_double import accounts, params
from stripe_double.errors import StripeError, missing_param

if TYPE_CHECKING:
    from stripe_double.call import Call
    from stripe_double.store import Store

JSON = dict[str, Any]

LIFETIME = 5 * 60
TYPES = ("account_onboarding", "account_update")
LINK = "onboarding_link"  # the store's id: Stripe's object has none


def create(call: Call, _: str = "") -> JSON:
    """Create a link that opens once, within five minutes.

    Source: https://docs.stripe.com/api/account_links/create
    """
    given = call.params
    params.only(given, "account", "refresh_url", "return_url", "type")
    for name in ("account", "type", "refresh_url", "return_url"):
        if params.text(given, name) is None:
            raise missing_param(name)
    account = call.find("account", given["account"], "account")
    if given["type"] not in TYPES:
        raise StripeError(f"Invalid type: must be one of {', '.join(TYPES)}", param="type")
    urls = {name: params.web_url(given, name) for name in ("refresh_url", "return_url")}
    now, token = int(time.time()), secrets.token_urlsafe(16)
    kept = {"account": account["id"], "expires_at": now + LIFETIME, "state": "new", **urls}
    call.store.add({"id": token, "object": LINK, "created": now}, kept)
    return {
        "object": "account_link",
        "created": now,
        "expires_at": now + LIFETIME,
        "url": f"{call.base_url}/_double/onboard/{account['id']}/{token}",
    }


def find(store: Store, account_id: str, token: str) -> JSON | None:
    """Return the stored link of this account, or None."""
    kept = store.private(token) if store.get(LINK, token) else {}
    return kept if kept.get("account") == account_id else None


def open_once(store: Store, token: str, link: JSON) -> bool:
    """Mark the link as used; return False if it was used or has expired."""
    return _pass(store, token, link, from_="new", to="open")


def finish_page(call: Call, token: str, link: JSON, *, complete: bool) -> bool:
    """Complete the onboarding page, with all requirements met or with none; False if the link expired."""
    fresh = link["state"] == "new"
    if not _pass(call.store, token, link, from_="new" if fresh else "open", to="left"):
        return False
    if complete:
        accounts.onboard(call, call.find("account", link["account"], "account"))
    return True


def _pass(store: Store, token: str, link: JSON, *, from_: str, to: str) -> bool:
    if link["state"] != from_ or (from_ == "new" and link["expires_at"] <= time.time()):
        return False
    kept = store.get(LINK, token)
    if kept is None:
        return False
    store.save(kept, link | {"state": to})
    return True
