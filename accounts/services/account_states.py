"""The states of an account and what each allows: the one table, also in docs/accounts.md.

A state never returns to unverified, so what a check allowed stays allowed. Who may bid at what price is decided in
auctions/services/eligibility.py.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from django.conf import settings

from accounts.errors import EmailNotVerified
from accounts.models import ERASED_DOMAIN, User
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping


class AccountState(StrEnum):
    """`unverified`: nobody has proved the address with a code. `suspended`: too many strikes."""

    UNVERIFIED = "unverified"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    DISABLED = "disabled"
    ERASED = "erased"


class Action(StrEnum):
    """What an account may or may not do."""

    SIGN_IN = "sign in"
    BID = "bid"
    BUY_NOW = "buy now"
    SELL = "list a product"
    SET_UP_PAYOUTS = "set up a payout account"
    SAVE_CARD = "save a card"
    CHOOSE_NOTIFICATIONS = "switch notifications off"
    RECEIVE_MAIL = "receive mail other than codes"


_TRADE: Final = frozenset({Action.BID, Action.BUY_NOW})
_ALL: Final = frozenset(Action)
ALLOWED: Final[Mapping[AccountState, frozenset[Action]]] = {
    AccountState.UNVERIFIED: _TRADE | {Action.SIGN_IN, Action.SELL},
    AccountState.ACTIVE: _ALL,
    AccountState.SUSPENDED: _ALL - _TRADE,
    AccountState.DISABLED: frozenset(),
    AccountState.ERASED: frozenset(),
}


def is_suspended(strikes: int) -> bool:
    """Return whether this many unpaid orders suspend an account until staff have looked at them."""
    return strikes >= int(settings.STRIKES_BEFORE_BAN)


def states_of(user: User) -> frozenset[AccountState]:
    """Return the account's states: one, but an account can be both unverified and suspended."""
    if user.email.endswith(ERASED_DOMAIN):
        return frozenset({AccountState.ERASED})
    if not user.is_active:
        return frozenset({AccountState.DISABLED})
    states = set()
    if is_suspended(user.strikes):
        states.add(AccountState.SUSPENDED)
    if user.email_verified_at is None:
        states.add(AccountState.UNVERIFIED)
    return frozenset(states or {AccountState.ACTIVE})


def is_allowed(user: User, action: Action) -> bool:
    """Return whether every state of the account allows this."""
    return all(action in ALLOWED[state] for state in states_of(user))


def check_allowed(*, user_id: int, action: Action) -> None:
    """Raise EmailNotVerified, or NotAuthenticated if the account is disabled or erased, unless this is allowed."""
    user = User.objects.get(pk=user_id)
    if is_allowed(user, action):
        return
    if not user.is_active:
        raise NotAuthenticated
    raise EmailNotVerified


def may_be_mailed(user: User) -> bool:
    """Return whether the account gets mail other than codes: only at an address that its holder has proved."""
    return is_allowed(user, Action.RECEIVE_MAIL)
