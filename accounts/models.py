"""Who somebody is: the account, its one-time codes and its sign-ins."""

from __future__ import annotations

import secrets
import unicodedata
from typing import Any, ClassVar

from django.contrib.auth import hashers
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7


def normalize_email(address: str) -> str:
    """Return the one form of an address that is stored, compared and mailed: NFKC, then case-folded.

    `iexact` would fold the dotless i (U+0131) to i and hand one person's account to another; this keeps them apart.
    """
    return unicodedata.normalize("NFKC", address.strip()).casefold()


def _new_display_name() -> str:
    # Public, so never made from the address.
    return f"member-{secrets.token_hex(4)}"


class UserManager(BaseUserManager["User"]):
    """Creates accounts by their normalised address."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an account; without a password it can sign in by one-time code only."""
        user = self.model(email=normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a staff account with every permission. Used by `manage.py createsuperuser`."""
        # Whoever runs commands here vouches for the address: its first code must not drop the password just set.
        vouched = {"is_staff": True, "is_superuser": True, "email_verified_at": timezone.now()}
        return self.create_user(email, password, **{**vouched, **fields})

    def get_by_natural_key(self, username: str | None) -> User:
        """Find an account by an address however it is written."""
        return self.get(email=normalize_email(username or ""))


class User(AbstractBaseUser, PermissionsMixin):
    """A person. The e-mail address is the identity; the display name is all that others ever see."""

    class SellerState(models.TextChoices):
        """How far the seller's onboarding for payouts has come."""

        NONE = "none"
        PENDING = "pending"
        ENABLED = "enabled"

    email = models.EmailField(max_length=254, unique=True)
    display_name = models.CharField(max_length=60, default=_new_display_name)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    # Every token carries the version it was issued under; raising it ends them all (a password change does).
    token_version = models.PositiveIntegerField(default=0)
    strikes = models.PositiveSmallIntegerField(default=0, help_text="Won auctions that were not paid in time.")
    seller_state = models.CharField(max_length=8, choices=SellerState, default=SellerState.NONE)
    has_card = models.BooleanField(default=False, help_text="Whether a card is on file; some bids need one.")

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.display_name

    def clean(self) -> None:
        """Normalise the address: the admin's forms come this way."""
        super().clean()
        self.email = normalize_email(self.email)

    def set_password(self, raw_password: str | None) -> None:
        """Set the password, and end every token that was issued before."""
        super().set_password(raw_password)
        self.token_version = (self.token_version or 0) + 1

    def set_password_hash(self, hashed: str) -> None:
        """Set the password by its hash, made before a lock was taken; it too ends every token issued before."""
        self.password = hashed
        self.token_version = (self.token_version or 0) + 1

    def check_password(self, raw_password: str | None) -> bool:
        """Tell whether this is the password. A hash that has become too weak is replaced.

        Django's own goes through set_password there, and would issue tokens under a version that is never saved.
        """

        def strengthen(raw: str) -> None:
            self.password = hashers.make_password(raw)
            self.save(update_fields=["password"])

        return hashers.check_password(raw_password, self.password, strengthen)


class OneTimeCode(models.Model):
    """A code that was asked for. The code itself is not stored: it is derived from the nonce under our key.

    Whoever reads the table without the key learns nothing; the worker, which has it, can mail the code.
    """

    class Purpose(models.TextChoices):
        """What it opens, and nothing else."""

        SIGN_IN = "sign_in"
        RESET = "reset", "new password"
        CHANGE_EMAIL = "change_email", "new address"

    email = models.CharField(max_length=254, help_text="Normalised.")
    purpose = models.CharField(max_length=16, choices=Purpose, default=Purpose.SIGN_IN)
    # Which account is to have the address. Whose it is already, if anybody's, other codes do not even ask.
    account = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    nonce = models.CharField(max_length=32)
    # Set by a registration that waits for its address to be verified: the password it asked for, hashed.
    pending_password = models.CharField(max_length=128, blank=True)
    pending_display_name = models.CharField(max_length=60, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True, help_text="Who asked; of IPv6 the /64 only.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # Used, or superseded by a newer one. Either way it opens nothing any more.
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("-id",)
        indexes = (
            models.Index(fields=("email", "-created_at"), name="code_by_email"),
            models.Index(fields=("ip", "-created_at"), name="code_by_ip"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=("email",), condition=models.Q(consumed_at__isnull=True), name="one_unused_code_per_email"
            ),
            models.CheckConstraint(
                condition=models.Q(purpose="change_email", account__isnull=False)
                | (~models.Q(purpose="change_email") & models.Q(account__isnull=True)),
                name="code_account_only_for_email_change",
            ),
        )

    def __str__(self) -> str:
        return f"Code {self.pk}"


class FailedAttempts(models.Model):
    """One row per address or network that ever asked or tried: the lock for it, and the count of its failures.

    Codes and passwords are counted apart: whoever guesses at one does not lock the owner out of the other.
    """

    class Kind(models.TextChoices):
        """What is guarded."""

        CODE = "code"
        PASSWORD = "password"  # noqa: S105 (a name)  # nosec B105
        NETWORK = "network"

    key = models.CharField(max_length=270, primary_key=True, help_text="The kind, a colon, the normalised address.")
    failures = models.JSONField(default=list, help_text="When tries failed in the last hour, in order: Unix seconds.")
    consecutive_failures = models.PositiveIntegerField(default=0, help_text="Failures since the last success.")
    last_failed_at = models.DateTimeField(
        null=True, blank=True, help_text="The last failure: an hour later none counts."
    )

    def __str__(self) -> str:
        return f"Guard of {self.pk}"


class Session(models.Model):
    """A sign-in on one device: the family of refresh tokens, of which only the newest one works."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.CharField(max_length=64, help_text="SHA-256 of the one refresh token that is good.")
    user_agent = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    network = models.GenericIPAddressField(null=True, blank=True, help_text="The /24 of the IP; of IPv6 the /64.")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "user_session"
        ordering = ("-last_used_at",)

    def __str__(self) -> str:
        return f"Sign-in {self.pk}"


class PreviousEmail(models.Model):
    """An address that an account had. It is told of the change, wherever the account's mail goes by then."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="previous_emails")
    email = models.EmailField(max_length=254)
    replaced_at = models.DateTimeField()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "former addresses"

    def __str__(self) -> str:
        return f"Former address {self.pk}"
