"""Erase an account's personal data. The row stays, because bids, orders and events refer to it by id."""

from __future__ import annotations

import secrets

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType

from accounts.models import (
    ERASED_DOMAIN,
    ERASED_NAME,
    FailedAttempts,
    KnownNetwork,
    OneTimeCode,
    PreviousEmail,
    Session,
    User,
)
from accounts.services import lockout
from auctioncraft.core.errors import NotAuthenticated
from auctioncraft.models import IdempotencyKey


def lock_account(*, user: User) -> User:
    """Lock the account FOR UPDATE and return it, for an erasure in the caller's transaction.

    It conflicts with the lock of services.user_locking: what the user started before is visible now, and what they
    start later is refused. Lock order: the failed attempts of the address, then the account. Raises NotAuthenticated if
    the account was disabled or its tokens were ended meanwhile.
    """
    for kind in (FailedAttempts.Kind.ADMIN, FailedAttempts.Kind.CODE, FailedAttempts.Kind.PASSWORD):
        lockout.lock_attempts(kind, user.email)
    account = User.objects.select_for_update().get(pk=user.pk)
    if not account.is_active or account.token_version != user.token_version:
        raise NotAuthenticated
    return account


def erase_account(*, user: User) -> None:
    """Delete or replace everything that identifies the user. `user` is the row that `lock_account` returned.

    What belongs to an address that the user never proved stays until it is purged, within a day: its limits must not
    begin again, and its owner may be waiting for a code.
    """
    if user.email_verified_at is not None:
        OneTimeCode.objects.filter(email=user.email).delete()
        lockout.attempts_at(user.email).delete()
    anonymize(user=user)


def anonymize(*, user: User) -> None:
    """Do so, except for what belongs to the address: its codes and failed attempts. `user` is locked."""
    Session.objects.filter(user=user).delete()
    KnownNetwork.objects.filter(user=user).delete()
    OneTimeCode.objects.filter(account=user).delete()
    PreviousEmail.objects.filter(user=user).delete()
    IdempotencyKey.objects.filter(user_id=user.pk).delete()
    # The admin's log keeps what staff changed, without the name.
    about_user = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(user.pk))
    about_user.update(object_repr=ERASED_NAME)
    user.groups.clear()
    user.user_permissions.clear()
    user.email = f"erased-{secrets.token_hex(16)}{ERASED_DOMAIN}"
    user.display_name = ERASED_NAME
    user.set_password_hash(make_password(None))  # ends every token
    user.is_active = False
    user.email_verified_at = user.last_login = None
    user.seller_state = User.SellerState.NONE
    user.has_card = user.has_listed = False
    user.save()
