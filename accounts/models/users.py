"""Users, and what was done to their accounts."""

from __future__ import annotations

import secrets
import unicodedata
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib.auth import hashers
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.confusables import skeleton
from auctioncraft.core.retry import RetryModel

if TYPE_CHECKING:
    from collections.abc import Iterable

ERASED_NAME = "deleted member"
# Nobody can receive mail at this domain (RFC 6761, 6.4) or register with it, because it has no dot.
ERASED_DOMAIN = "@invalid"


def normalize_email(address: str) -> str:
    """Return the form of an address that is stored, compared and mailed: NFKC, then case-folded.

    `iexact` would treat the dotless i (U+0131) as i and give one person's account to another.
    """
    return unicodedata.normalize("NFKC", address.strip()).casefold()


def _new_display_name() -> str:
    # Public, so it must not be derived from the email address.
    return f"member-{secrets.token_hex(4)}"


class UserManager(BaseUserManager["User"]):
    """Users are identified by their normalized email address."""

    def erased(self) -> models.QuerySet[User]:
        """Return the accounts whose personal data was erased."""
        return self.filter(email__endswith=ERASED_DOMAIN)

    def not_erased(self) -> models.QuerySet[User]:
        """Return all other accounts, disabled ones included."""
        return self.exclude(email__endswith=ERASED_DOMAIN)

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user. Without a password they can sign in only with a one-time code."""
        user = self.model(email=normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a staff user with every permission, for `manage.py createsuperuser`."""
        # The operator vouches for the address. If it were not verified, its first code would remove this password.
        defaults = {"is_staff": True, "is_superuser": True, "email_verified_at": timezone.now()}
        return self.create_user(email, password, **{**defaults, **fields})

    def get_by_natural_key(self, username: str | None) -> User:
        """Return the user of an address in any spelling."""
        return self.get(email=normalize_email(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A user. The email address identifies them; other users see only the display name."""

    class SellerState(models.TextChoices):
        """State of the seller's onboarding for payouts."""

        NONE = "none"
        PENDING = "pending"
        ENABLED = "enabled"

    email = models.EmailField(max_length=254, unique=True)
    display_name = models.CharField(max_length=60, default=_new_display_name)
    # What the name looks like (confusables.py), to find names that pretend to be another's.
    name_skeleton = models.CharField(max_length=240, blank=True, editable=False, db_index=True)
    has_listed = models.BooleanField(default=False, editable=False, help_text="Has listed a product: a seller.")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    # Every token carries this version. A password change raises it, which ends all tokens.
    token_version = models.PositiveIntegerField(default=0)
    strikes = models.PositiveSmallIntegerField(default=0, help_text="Won auctions that were not paid in time.")
    unpaid_orders = models.PositiveSmallIntegerField(default=0, help_text="Won or bought products that await payment.")
    seller_state = models.CharField(max_length=8, choices=SellerState, default=SellerState.NONE)
    has_card = models.BooleanField(default=False, help_text="A card is saved. Some bids require one.")

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.display_name

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **kwargs: Any) -> None:
        """Save, and keep the name's skeleton up to date."""
        self.name_skeleton = skeleton(self.display_name)
        if update_fields is not None and "display_name" in update_fields:
            update_fields = {*update_fields, "name_skeleton"}
        super().save(*args, update_fields=update_fields, **kwargs)

    def clean(self) -> None:
        """Normalize the address, for the admin's forms."""
        super().clean()
        self.email = normalize_email(self.email)

    def set_password(self, raw_password: str | None) -> None:
        """Set the password and end all tokens issued before."""
        super().set_password(raw_password)
        self.token_version = (self.token_version or 0) + 1

    def set_password_hash(self, hashed: str) -> None:
        """Set the password from a hash that was made before a lock was taken, and end all tokens issued before."""
        self.password = hashed
        self.token_version = (self.token_version or 0) + 1

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Return what a session at the admin depends on: besides the password, what ends the tokens."""
        value = f"{self.password}:{self.token_version}"
        return salted_hmac("accounts.models.User", value, secret=secret, algorithm="sha256").hexdigest()

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether this is the password. An outdated hash is replaced.

        Django's method would call set_password for that and raise a token_version that is never saved.
        """

        def rehash(raw: str) -> None:
            self.password = hashers.make_password(raw)
            self.save(update_fields=["password"])

        return hashers.check_password(raw_password, self.password, rehash)


class PreviousEmail(models.Model):
    """An address that an account had before. The notification about the change goes to it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="previous_emails")
    email = models.EmailField(max_length=254)
    replaced_at = models.DateTimeField()

    class Meta:
        verbose_name = "previous email address"
        verbose_name_plural = "previous email addresses"
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"Previous email {self.pk}"


class DiscardedAccount(RetryModel):
    """An erased account whose bids, listings, orders and cards are still to be withdrawn (services/first_proof.py).

    Deleted when that is done.
    """

    user = models.OneToOneField(User, primary_key=True, on_delete=models.CASCADE, related_name="+")

    def __str__(self) -> str:
        return f"Discarded account {self.pk}"


class StaffAction(models.Model):
    """What staff did to an account, or to something that has no log of its own. Never changed or deleted."""

    class Action(models.TextChoices):
        """What was done."""

        ACCOUNT_DISABLED = "account_disabled"
        ACCOUNT_ENABLED = "account_enabled"
        STRIKES_CLEARED = "strikes_cleared"
        EMAIL_CHANGED = "email_changed"
        NAME_CHANGED = "name_changed"
        SESSIONS_ENDED = "sessions_ended"
        RIGHTS_CHANGED = "rights_changed"
        LOCKOUT_ENDED = "lockout_ended"
        AUTHENTICATOR_REMOVED = "authenticator_removed"
        GROUP_DELETED = "group_deleted"
        PRODUCT_DELETED = "product_deleted"
        CATEGORY_DELETED = "category_deleted"

    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    action = models.CharField(max_length=24, choices=Action)
    # The account that it was done to, if it was one.
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, null=True, blank=True, related_name="staff_actions", verbose_name="account"
    )
    target = models.CharField(max_length=100, blank=True, help_text="What else it was done to, by name and key.")
    reason = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        constraints = (
            models.CheckConstraint(condition=~models.Q(reason=""), name="staff_action_has_a_reason"),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) | ~models.Q(target=""), name="staff_action_has_a_target"
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_action_display()} ({self.pk})"
