"""Change an account, as its user."""

from __future__ import annotations

from django.db import transaction

from accounts.models import User
from accounts.services import display_names, tokens
from accounts.signals import password_changed
from auctioncraft.core.errors import NotAuthenticated


def update_profile(*, user: User, display_name: str | None = None, password_hash: str | None = None) -> User:
    """Change what is not None, and return the account, locked until the caller's transaction ends.

    A new password (see confirmation.hash_new_password) ends every session. Raises DisplayNameReserved,
    DisplayNameTaken, and NotAuthenticated if the account was disabled or its tokens were ended meanwhile.
    """
    with transaction.atomic():
        account = User.objects.select_for_update(no_key=True).get(pk=user.pk)
        if not account.is_active or account.token_version != user.token_version:
            raise NotAuthenticated
        if display_name is not None:
            if display_name != account.display_name:
                display_names.check_display_name(display_name, user_id=account.pk)
            account.display_name = display_name
        if password_hash is not None:
            account.set_password_hash(password_hash)
        account.save(update_fields=["display_name", "password", "token_version"])
        if password_hash is not None:
            tokens.end_all_sessions(user=account)
            password_changed.send(sender=User, user=account)
    return account
