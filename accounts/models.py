"""Users, their one-time codes and their sessions."""

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
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    email_verified_at = models.DateTimeField(null=True, blank=True)
    # Every token carries this version. A password change raises it, which ends all tokens.
    token_version = models.PositiveIntegerField(default=0)
    strikes = models.PositiveSmallIntegerField(default=0, help_text="Won auctions that were not paid in time.")
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

    def check_password(self, raw_password: str | None) -> bool:
        """Return whether this is the password. An outdated hash is replaced.

        Django's method would call set_password for that and raise a token_version that is never saved.
        """

        def rehash(raw: str) -> None:
            self.password = hashers.make_password(raw)
            self.save(update_fields=["password"])

        return hashers.check_password(raw_password, self.password, rehash)


class OneTimeCode(models.Model):
    """A requested code. The six digits are not stored: they are derived from the nonce and SECRET_KEY.

    The table alone reveals no code; the worker, which has the key, can mail it.
    """

    class Purpose(models.TextChoices):
        """The only thing the code can be used for."""

        SIGN_IN = "sign_in"
        RESET = "reset", "new password"
        CHANGE_EMAIL = "change_email", "new address"

    email = models.CharField(max_length=254, help_text="Normalized.")
    purpose = models.CharField(max_length=16, choices=Purpose, default=Purpose.SIGN_IN)
    # Only for CHANGE_EMAIL: the account that will get the address.
    account = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    nonce = models.CharField(max_length=32)
    # Set by a registration that waits for verification: the hash of the chosen password.
    pending_password = models.CharField(max_length=128, blank=True)
    pending_display_name = models.CharField(max_length=60, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True, help_text="Of the request; for IPv6 the /64 only.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # Used, or replaced by a newer code.
    consumed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "one-time code"
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
    """Failed attempts of one address or network. The row is also the lock that serializes its attempts.

    Codes and passwords are counted separately, so that guessing one does not lock the owner out of the other.
    """

    class Kind(models.TextChoices):
        """What was attempted, or NETWORK for the codes that a network requested."""

        CODE = "code"
        PASSWORD = "password"  # noqa: S105 (a name)  # nosec B105
        NETWORK = "network"

    key = models.CharField(max_length=270, primary_key=True, help_text="kind:address, or network:IP address.")
    failures = models.JSONField(default=list, help_text="Times of the failures in the last hour, in Unix seconds.")
    consecutive_failures = models.PositiveIntegerField(default=0, help_text="Failures since the last success.")
    last_failed_at = models.DateTimeField(null=True, blank=True, help_text="An hour later no failure counts.")

    class Meta:
        verbose_name_plural = "failed attempts"

    def __str__(self) -> str:
        return f"Failed attempts of {self.pk}"


class Session(models.Model):
    """A signed-in device. It has a family of refresh tokens, of which only the newest works."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.CharField(max_length=64, help_text="SHA-256 of the current refresh token.")
    user_agent = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    network = models.GenericIPAddressField(null=True, blank=True, help_text="The IP's /24, for IPv6 its /64.")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "user_session"
        ordering = ("-last_used_at",)

    def __str__(self) -> str:
        return f"Session {self.pk}"


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
