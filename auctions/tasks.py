"""The periodic jobs of this app."""

from __future__ import annotations

from auctioncraft.core.jobs import periodic_job
from auctions.services import account_withdrawal, categories, closing, second_chance


@periodic_job("auctions.close_due", every=1)
def close_due() -> None:
    """Close the auctions whose end has passed."""
    closing.close_due()


@periodic_job("auctions.withdraw_accounts", every=1)
def withdraw_accounts() -> None:
    """Void the bids of disabled accounts and cancel their auctions."""
    account_withdrawal.withdraw_due()


@periodic_job("auctions.lapse_offers", every=5)
def lapse_offers() -> None:
    """Mark overdue second-chance offers as lapsed."""
    second_chance.lapse_due()


@periodic_job("auctions.count_open_products", every=60)
def count_open_products() -> None:
    """Count the open products of each category."""
    categories.count_open_products()
