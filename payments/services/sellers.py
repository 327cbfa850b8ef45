"""Sellers' accounts at Stripe Connect: made, onboarded, and kept as Stripe last described them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from accounts.services import account_states, bidder_status, user_locking
from accounts.services.account_states import Action
from auctioncraft.core import clock
from payments import errors, stripe_gateway
from payments.models import SellerAccount
from payments.services import holds, stripe_request

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import User
    from payments.models import StripeEvent
    from payments.stripe_gateway import Account, AccountLink


@dataclass(frozen=True, slots=True)
class Onboarding:
    """The link to a seller's onboarding at Stripe, and the present state of their account."""

    link: AccountLink
    account: SellerAccount


@dataclass(frozen=True, slots=True)
class FetchedAccount:
    """An account as Stripe described it `at`, UTC."""

    account: Account
    at: datetime


def find_account(*, user_id: int) -> SellerAccount | None:
    """Return a seller's account as we last heard of it, if they have begun to set one up."""
    found: SellerAccount | None = SellerAccount.objects.filter(user_id=user_id).first()
    return found


def find_destination(*, seller_id: int) -> str:
    """Return the account to which Stripe can pass on a payment to this seller; empty if there is none that is able."""
    account = find_account(user_id=seller_id) if settings.STRIPE_CONNECT else None
    return (account.stripe_account_id or "") if account and account.can_receive_payouts else ""


def can_take(*, destination: str) -> bool:
    """Ask Stripe whether a payment can still reach its destination; what has changed is stored. True without one.

    Raises StripeUnavailable.
    """
    account = SellerAccount.objects.filter(stripe_account_id=destination).first() if destination else None
    if account is None or not account.can_receive_payouts or holds.is_held(seller_id=account.user_id):
        return not destination
    now = clock.now()
    try:
        found = stripe_gateway.retrieve_account(destination)
    except errors.StripeObjectMissing:
        SellerAccount.objects.filter(pk=account.pk).update(transfers_active=False, payouts_enabled=False)
        return False
    if able := found.transfers_active and found.payouts_enabled:
        return able
    with transaction.atomic(durable=True):
        apply_event(FetchedAccount(account=found, at=now))
    return False


def onboard(*, user: User) -> Onboarding:
    """Return a new link to Stripe's pages for a seller; their account is made on the first call.

    Raises ConnectNotConfigured, EmailNotVerified, OnboardingRefused, StripeUnavailable, NotAuthenticated of an account
    erased meanwhile.
    """
    if not settings.STRIPE_CONNECT:
        raise errors.ConnectNotConfigured
    account_states.check_allowed(user_id=user.pk, action=Action.SET_UP_PAYOUTS)
    try:
        return stripe_request.send(
            claim=lambda: _get_or_create(user),
            ask=_link,
            record=lambda account, link: Onboarding(link=link, account=account),
            change=_reset_missing,
            rounds=2,
        )
    except errors.StripeObjectMissing:
        raise errors.StripeUnavailable from None
    except errors.PaymentRefused as refusal:
        raise errors.OnboardingRefused(**refusal.extra) from None


def _reset_missing(_account: SellerAccount, refusal: errors.PaymentRefused) -> dict[str, Any]:
    """Return the fields of an account that was closed, or is of another key, so that the next round creates one."""
    if not isinstance(refusal, errors.StripeObjectMissing):
        return {}
    return {"stripe_account_id": None, "transfers_active": False, "payouts_enabled": False}


def _get_or_create(user: User) -> SellerAccount:
    try:
        return stripe_request.send(
            claim=lambda: _claim(user_id=user.pk), ask=lambda row: _create(user, row), record=_record
        )
    except errors.PaymentRefused as refusal:
        raise errors.OnboardingRefused(**refusal.extra) from None


@transaction.atomic(durable=True)
def _claim(*, user_id: int) -> SellerAccount:
    user_locking.lock_active_user(user_id=user_id)
    row: SellerAccount = SellerAccount.objects.get_or_create(user_id=user_id)[0]
    return row


def _create(user: User, row: SellerAccount) -> Account | None:
    """Return the new account; None if there is one already."""
    if row.stripe_account_id is not None:
        return None
    return stripe_gateway.create_account(
        country=settings.STRIPE_CONNECT_COUNTRY,
        email=user.email,
        # For people in the dashboard; nothing is ever believed because of it.
        metadata={"user": str(user.pk)},
        idempotency_key=str(row.idempotency_key),
    )


def _link(row: SellerAccount) -> AccountLink:
    return stripe_gateway.create_account_link(
        account_id=row.stripe_account_id or "",
        return_url=f"{settings.FRONTEND_URL}/seller/return",
        refresh_url=f"{settings.FRONTEND_URL}/seller/refresh",
    )


@transaction.atomic(durable=True)
def _record(claimed: SellerAccount, account: Account | None) -> SellerAccount:
    """Store the account that Stripe made; one that a parallel call has stored already stays as it is."""
    user_locking.lock_active_user(user_id=claimed.user_id)
    row: SellerAccount = SellerAccount.objects.select_for_update(no_key=True).get(pk=claimed.pk)
    if account and row.stripe_account_id is None and row.idempotency_key == claimed.idempotency_key:
        row.stripe_account_id = account.id
        row.save(update_fields=("stripe_account_id",))
        _store_state(row, FetchedAccount(account=account, at=clock.now()))
    return row


def read_event(event: StripeEvent) -> FetchedAccount | None:
    """Read the account that an event is about again from Stripe; None if it is not ours or unknown to Stripe."""
    account_id, now = stripe_gateway.object_id(event.payload, "account"), clock.now()
    if not SellerAccount.objects.filter(stripe_account_id=account_id).exists():
        return None
    try:
        return FetchedAccount(account=stripe_gateway.retrieve_account(account_id), at=now)
    except errors.StripeObjectMissing:
        return None


def apply_event(found: FetchedAccount) -> str:
    """Store the state of an account, unless a later one is stored already.

    A job transfers what is due to a seller whose account can receive it now.
    """
    users = SellerAccount.objects.filter(stripe_account_id=found.account.id).values_list("user_id", flat=True)
    # Who is being erased is held first, as everywhere: the erasure forgets their account after it has locked them.
    user_locking.lock_active_users(user_ids=set(users))
    row = SellerAccount.objects.select_for_update(no_key=True).filter(stripe_account_id=found.account.id).first()
    if row is None:
        return "unknown_account"
    if row.updated_at is None or row.updated_at <= found.at:
        _store_state(row, found)
    return ""


def _store_state(row: SellerAccount, found: FetchedAccount) -> None:
    account = found.account
    row.details_submitted, row.charges_enabled = account.details_submitted, account.charges_enabled
    row.payouts_enabled, row.transfers_active = account.payouts_enabled, account.transfers_active
    row.requirements, row.disabled_reason = list(account.requirements), account.disabled_reason
    row.updated_at = found.at
    row.save()
    bidder_status.set_seller_state(user_id=row.user_id, state=row.state)
