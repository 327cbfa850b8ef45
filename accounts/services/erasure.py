"""Erasing an account: the person is forgotten, and the record of what was traded stays true.

Bids, orders and events name an account by its number only, so it is the account that loses the person: address, name,
password, sign-ins, codes, notices, and whatever the apps above keep for them alone. The row stays, as nobody's.

Lock order: the rows of the apps above (auctions first), the address's guards, the account. The account is locked FOR
UPDATE, which waits for whoever holds it by services.standing and keeps all of them out: what a person had begun is
seen here, and what they begin afterwards is refused.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.contrib.admin.models import LogEntry
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import Q

from accounts.erased import NAME, NOWHERE
from accounts.errors import AccountInUse
from accounts.models import FailedAttempts, OneTimeCode, PreviousEmail, Session, User
from accounts.services import lockout, passwords
from accounts.signals import account_erased, erasure_begun, erasure_requested
from auctioncraft.core.errors import NotAuthenticated
from auctioncraft.models import IdempotencyKey


def erase_account(*, user: User, password: str | None = None) -> None:
    """Erase somebody's own account; the address can register again, and is somebody new.

    Sends erasure_begun, erasure_requested and account_erased. Raises Invalid if the password is missing or wrong (where
    there is one), TooManyRequests if wrong too often, AccountInUse with all the reasons, and NotAuthenticated if the
    account was changed elsewhere meanwhile. Then nothing is changed.
    """
    _refuse_staff(user)
    # Outside the transaction: hashing is slow.
    passwords.require_current_password(user=user, password=password, field="password", purpose="To erase your account")
    with transaction.atomic():
        erasure_begun.send(sender=User, user=user)
        for kind in (FailedAttempts.Kind.CODE, FailedAttempts.Kind.PASSWORD):
            lockout.lock_attempts(kind, user.email)
        account = User.objects.select_for_update().get(pk=user.pk)
        if not account.is_active or account.token_version != user.token_version:
            raise NotAuthenticated
        _refuse_staff(account)
        answers: Any = erasure_requested.send(sender=User, user=account)
        if reasons := [reason for _, some in answers for reason in some]:
            raise AccountInUse(reasons)
        account_erased.send(sender=User, user=account)
        _forget(account)


def _refuse_staff(user: User) -> None:
    """Whoever works here is not erased by a click: their acts are on record, and somebody must stay."""
    if user.is_staff or user.is_superuser:
        raise AccountInUse([{"reason": "staff"}])


def _forget(account: User) -> None:
    Session.objects.filter(user=account).delete()
    OneTimeCode.objects.filter(Q(email=account.email) | Q(account=account)).delete()
    PreviousEmail.objects.filter(user=account).delete()
    FailedAttempts.objects.filter(pk__in=[f"{kind.value}:{account.email}" for kind in FailedAttempts.Kind]).delete()
    IdempotencyKey.objects.filter(user_id=account.pk).delete()
    # What staff changed about them stays in the admin's log, without the name.
    about = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(User), object_id=str(account.pk))
    about.update(object_repr=NAME)
    account.groups.clear()
    account.user_permissions.clear()
    account.email = f"erased-{secrets.token_hex(16)}{NOWHERE}"
    account.display_name = NAME
    account.set_password_hash(make_password(None))  # ends every token
    account.is_active = False
    account.email_verified_at = account.last_login = None
    account.seller_state = User.SellerState.NONE
    account.has_card = False
    account.save()
