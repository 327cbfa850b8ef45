"""Changes that staff make to other people's accounts. Each is recorded, with its reason, and the member is notified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction

from accounts.errors import AccountUnchanged, EmailTaken
from accounts.models import FailedAttempts, PreviousEmail, StaffAction, User
from accounts.services import bidder_status, display_names, staff_actions, tokens
from accounts.signals import email_changed, staff_acted
from auctioncraft.core import clock
from auctioncraft.core.errors import PermissionDenied

if TYPE_CHECKING:
    from django.contrib.auth.models import Group
    from django_otp.plugins.otp_totp.models import TOTPDevice

Action = StaffAction.Action


def lock_account(*, user: User, actor: User) -> User:
    """Lock an account that `actor` is about to change, as staff, and return it.

    Nobody changes their own account in this way, and only superusers change those of staff. Raises PermissionDenied,
    ConflictOfInterest, AccountUnchanged (deleted).
    """
    staff_actions.check_actor(actor=actor, takes_part=actor.pk == user.pk)
    account = User.objects.not_erased().select_for_update(no_key=True).filter(pk=user.pk).first()
    if account is None:
        raise AccountUnchanged
    if (account.is_staff or account.is_superuser) and not actor.is_superuser:
        raise PermissionDenied("Only superusers change the accounts of staff.")
    return account


def record_change(account: User, action: StaffAction.Action, *, actor: User, reason: str) -> StaffAction:
    """Record what was done to a locked account, and notify the member. Raises Invalid without a reason."""
    recorded = staff_actions.record(actor=actor, action=action, reason=reason, user=account)
    staff_acted.send(sender=User, user=account, action=recorded)
    return recorded


def clear_strikes(*, user: User, actor: User, reason: str) -> int:
    """Set the strikes to zero, so that the user can bid again; return how many there were.

    Raises as lock_account, and AccountUnchanged if there are none.
    """
    with transaction.atomic():
        account = lock_account(user=user, actor=actor)
        strikes: int = account.strikes
        if not strikes:
            raise AccountUnchanged
        bidder_status.clear_strikes(user=account)
        record_change(account, Action.STRIKES_CLEARED, actor=actor, reason=reason)
    return strikes


def end_sessions(*, user: User, actor: User, reason: str) -> None:
    """End all sessions. Raises as lock_account."""
    with transaction.atomic():
        account = lock_account(user=user, actor=actor)
        tokens.end_all_sessions(user=account)
        record_change(account, Action.SESSIONS_ENDED, actor=actor, reason=reason)


def change_email(*, user: User, email: str, actor: User, reason: str) -> User:
    """Change the normalized address for a member who cannot read the present one, and end all sessions.

    Both addresses are notified. Staff vouch for the new one, so it counts as verified. Raises as lock_account,
    AccountUnchanged for the present address, EmailTaken.
    """
    with transaction.atomic():
        account, now = lock_account(user=user, actor=actor), clock.now()
        if account.email == email:
            raise AccountUnchanged
        previous = PreviousEmail(user=account, email=account.email, replaced_at=now)
        account.email, account.email_verified_at = email, now
        try:
            with transaction.atomic():
                account.save(update_fields=["email", "email_verified_at"])
        except IntegrityError as error:
            raise EmailTaken from error
        previous.save(force_insert=True)
        tokens.end_all_sessions(user=account)
        email_changed.send(sender=User, user=account, previous=previous)
        record_change(account, Action.EMAIL_CHANGED, actor=actor, reason=reason)
    return account


def change_display_name(*, user: User, display_name: str, actor: User, reason: str) -> User:
    """Change the public name.

    Raises as lock_account, AccountUnchanged for the present name, DisplayNameReserved, DisplayNameTaken.
    """
    with transaction.atomic():
        account = lock_account(user=user, actor=actor)
        if account.display_name == display_name:
            raise AccountUnchanged
        display_names.check_display_name(display_name, user_id=account.pk)
        account.display_name = display_name
        account.save(update_fields=["display_name"])
        record_change(account, Action.NAME_CHANGED, actor=actor, reason=reason)
    return account


def end_lockout(*, attempts: FailedAttempts, actor: User, reason: str) -> None:
    """Forget the failed attempts of an address or network. Raises PermissionDenied, ConflictOfInterest."""
    kind, _, name = attempts.pk.partition(":")
    user = User.objects.filter(email=name.partition(" ")[0]).first()
    staff_actions.check_actor(actor=actor, takes_part=user is not None and user.pk == actor.pk)
    with transaction.atomic():
        # Not by its key: that holds an address.
        target = "" if user else f"failed attempts of a {kind}"
        staff_actions.record(actor=actor, action=Action.LOCKOUT_ENDED, reason=reason, user=user, target=target)
        attempts.delete()


def remove_authenticator(*, device: TOTPDevice, actor: User, reason: str) -> None:
    """Delete an authenticator of a member of staff, as a superuser. Raises PermissionDenied."""
    if not actor.is_superuser:
        raise PermissionDenied
    with transaction.atomic():
        staff_actions.record(actor=actor, action=Action.AUTHENTICATOR_REMOVED, reason=reason, user=device.user)
        device.delete()


def delete_group(*, group: Group, actor: User, reason: str) -> None:
    """Delete a group of staff, as a superuser. Raises PermissionDenied."""
    if not actor.is_superuser:
        raise PermissionDenied
    with transaction.atomic():
        target = f"group {group.pk} {group.name}"[:100]
        staff_actions.record(actor=actor, action=Action.GROUP_DELETED, reason=reason, target=target)
        group.delete()
