"""What people change about their own account, and what staff may do to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

from accounts.models import User
from accounts.services import passwords, tokens
from accounts.signals import password_changed, preferences_asked, preferences_given
from auctioncraft.core.errors import NotAuthenticated

if TYPE_CHECKING:
    from collections.abc import Mapping


def update_profile(
    *,
    user: User,
    display_name: str | None = None,
    password: str | None = None,
    current_password: str | None = None,
    notifications: Mapping[str, Mapping[str, bool]] | None = None,
) -> User:
    """Change what is given; None leaves it. A new password ends every sign-in, this one included.

    Raises Invalid if the current password is missing or wrong (where there is one) or `notifications` names what cannot
    be switched off, TooManyRequests if the password was wrong too often, WeakPassword, and NotAuthenticated if the
    account was changed elsewhere meanwhile.
    """
    hashed = None if password is None else _new_hash(user, password, current_password)
    with transaction.atomic():
        account = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not account.is_active or account.token_version != user.token_version:
            raise NotAuthenticated
        if display_name is not None:
            account.display_name = display_name
        if hashed is not None:
            account.set_password_hash(hashed)
        account.save(update_fields=["display_name", "password", "token_version"])
        if hashed is not None:
            tokens.end_all_sessions(user=account)
            password_changed.send(sender=User, user=account)
        if notifications is not None:
            preferences_given.send(sender=User, user=account, wanted=notifications)
    return account


def preferences(*, user: User) -> dict[str, dict[str, bool]]:
    """Return how somebody wants to be told of what, by kind, as the apps above know it."""
    answers: Any = preferences_asked.send(sender=User, user=user)
    return {kind: channels for _, some in answers for kind, channels in some.items()}


def disable_account(*, user: User) -> None:
    """Close the account to its owner: its tokens are refused from now on, even if it is enabled again."""
    with transaction.atomic():
        User.objects.filter(pk=user.pk).update(is_active=False)
        tokens.end_all_sessions(user=user)
    user.is_active = False


def _new_hash(user: User, password: str, current: str | None) -> str:
    hashed = passwords.validate_and_hash(password, user)
    passwords.require_current_password(
        user=user, password=current, field="current_password", purpose="To set a new password"
    )
    return hashed
