"""Sellers' accounts at Stripe Connect, and what is passed on to them or taken back.

Source: https://docs.stripe.com/connect/express-accounts and https://docs.stripe.com/connect/separate-charges-and-transfers
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from payments.stripe_gateway.amounts import to_minor_units
from payments.stripe_gateway.client import client, translate_errors

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    import stripe


@dataclass(frozen=True, slots=True)
class Account:
    """A connected account as Stripe describes it now. `requirements` are Stripe's names for what it wants to know."""

    id: str
    details_submitted: bool
    charges_enabled: bool
    payouts_enabled: bool
    transfers_active: bool
    requirements: tuple[str, ...]
    disabled_reason: str


@dataclass(frozen=True, slots=True)
class AccountLink:
    """The page at Stripe where a seller enters their details: for one use by them, until `expires_at` (UTC)."""

    url: str
    expires_at: datetime


def create_account(*, country: str, email: str, metadata: Mapping[str, str], idempotency_key: str) -> Account:
    """Create an Express account that has yet to be onboarded, or find the one that this key created.

    Source: https://docs.stripe.com/api/accounts/create
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable.
    """
    with translate_errors():
        made = client().v1.accounts.create(
            params={
                "type": "express",
                "country": country,
                "email": email,
                "capabilities": {"card_payments": {"requested": True}, "transfers": {"requested": True}},
                "metadata": dict(metadata),
            },
            options={"idempotency_key": idempotency_key},
        )
        return _account(made)


def retrieve_account(account_id: str) -> Account:
    """Return a connected account as it is now. Raises StripeObjectMissing, StripeUnavailable."""
    with translate_errors():
        return _account(client().v1.accounts.retrieve(account_id))


def create_account_link(*, account_id: str, return_url: str, refresh_url: str) -> AccountLink:
    """Return a link to the pages on which Stripe asks the seller; it works once and for a few minutes.

    Source: https://docs.stripe.com/api/account_links/create
    Raises PaymentRefused, StripeUnavailable.
    """
    with translate_errors():
        made = client().v1.account_links.create(
            params={
                "account": account_id,
                "return_url": return_url,
                "refresh_url": refresh_url,
                "type": "account_onboarding",
            }
        )
        return AccountLink(url=made.url, expires_at=datetime.fromtimestamp(made.expires_at, UTC))


def create_transfer(
    *,
    amount: Decimal,
    currency: str,
    destination: str,
    charge_id: str,
    metadata: Mapping[str, str],
    idempotency_key: str,
) -> str:
    """Pass `amount` of a charge on to an account; return the transfer's id, or that of the one that this key made.

    Source: https://docs.stripe.com/api/transfers/create
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable. After the last, use find_transfer.
    """
    with translate_errors():
        made = client().v1.transfers.create(
            params={
                "amount": to_minor_units(amount, currency),
                "currency": currency.lower(),
                "destination": destination,
                # Stripe waits with it until the charge's money is there, and never sends more than came.
                "source_transaction": charge_id,
                "metadata": dict(metadata),
            },
            options={"idempotency_key": idempotency_key},
        )
        return made.id


def find_transfer(*, destination: str, since: datetime, metadata: Mapping[str, str]) -> str:
    """Return the id of the transfer to an account, made `since` then, that carries all of `metadata`; empty if none.

    Raises StripeUnavailable.
    """
    with translate_errors():
        pages = client().v1.transfers.list(
            params={"destination": destination, "created": {"gte": int(since.timestamp())}, "limit": 100}
        )
        return next((found.id for found in pages.auto_paging_iter() if _has_metadata(found, metadata)), "")


def reverse_transfer(
    *, transfer_id: str, amount: Decimal, currency: str, metadata: Mapping[str, str], idempotency_key: str
) -> str:
    """Take `amount` of a transfer back; return the reversal's id, or that of the one that this key made.

    Source: https://docs.stripe.com/api/transfer_reversals/create
    Raises PaymentRefused, KeyInUse, StoredFailure, StripeUnavailable. After the last, use find_reversal.
    """
    with translate_errors():
        made = client().v1.transfers.reversals.create(
            transfer_id,
            params={"amount": to_minor_units(amount, currency), "metadata": dict(metadata)},
            options={"idempotency_key": idempotency_key},
        )
        return made.id


def find_reversal(*, transfer_id: str, metadata: Mapping[str, str]) -> str:
    """Return the id of the reversal of a transfer that carries all of `metadata`; empty if none.

    Raises StripeUnavailable.
    """
    with translate_errors():
        pages = client().v1.transfers.reversals.list(transfer_id, params={"limit": 100})
        return next((found.id for found in pages.auto_paging_iter() if _has_metadata(found, metadata)), "")


def transfer_of_charge(charge_id: str) -> str:
    """Return the id of the transfer by which Stripe passed a charge on to its destination; empty if it has none."""
    with translate_errors():
        transfer = client().v1.charges.retrieve(charge_id).to_dict().get("transfer")
        return transfer if isinstance(transfer, str) else ""


def _has_metadata(found: Any, metadata: Mapping[str, str]) -> bool:
    written = found.to_dict().get("metadata") or {}
    return metadata.items() <= written.items()


def _account(found: stripe.Account) -> Account:
    values = found.to_dict()
    asked = values.get("requirements") or {}
    return Account(
        id=values["id"],
        details_submitted=values.get("details_submitted") is True,
        charges_enabled=values.get("charges_enabled") is True,
        payouts_enabled=values.get("payouts_enabled") is True,
        transfers_active=(values.get("capabilities") or {}).get("transfers") == "active",
        requirements=tuple(asked.get("currently_due") or ()),
        disabled_reason=(asked.get("disabled_reason") or "")[:100],
    )
