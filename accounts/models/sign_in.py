"""One-time codes, sessions, and the attempts that are counted."""

from __future__ import annotations

from django.db import models
from uuid_utils.compat import uuid7

from accounts.models.users import User


class OneTimeCode(models.Model):
    """A requested code. The digits are not stored: they are derived from the nonce and SECRET_KEY.

    The table alone reveals no code; the worker, which has the key, can mail it.
    """

    class Purpose(models.TextChoices):
        """The only thing the code can be used for."""

        SIGN_IN = "sign_in"
        RESET = "reset", "new password"
        CHANGE_EMAIL = "change_email", "new address"
        CONFIRM = "confirm", "confirm a change"

    email = models.CharField(max_length=254, help_text="Normalized.")
    purpose = models.CharField(max_length=16, choices=Purpose, default=Purpose.SIGN_IN)
    # Only for CHANGE_EMAIL: the account that will get the address.
    account = models.ForeignKey(User, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    nonce = models.CharField(max_length=32)
    # Set by a registration that waits for verification: the hash of the chosen password.
    pending_password = models.CharField(max_length=128, blank=True)
    pending_display_name = models.CharField(max_length=60, blank=True)
    digits = models.PositiveSmallIntegerField(default=6, help_text="8 while many wrong codes are tried.")
    ip = models.GenericIPAddressField(null=True, blank=True, help_text="Of the request; for IPv6 the /64 only.")
    wide_network = models.CharField(max_length=43, blank=True, help_text="Of the request: its /24, for IPv6 its /48.")
    allowance = models.CharField(max_length=50, blank=True, help_text="A known network, or `signed-in`; else empty.")
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
            models.Index(fields=("wide_network", "-created_at"), name="code_by_wide_network"),
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

    Codes, passwords and logins to the admin are counted separately, so that guessing one does not lock the owner out
    of the other; and attempts from a network that the owner signed in from apart from those of strangers.
    """

    class Kind(models.TextChoices):
        """What was attempted. NETWORK: codes that a network requested; CODE_NETWORK: wrong codes of a /24 or /48."""

        CODE = "code"
        PASSWORD = "password"  # noqa: S105 (a name)  # nosec B105
        ADMIN = "admin"
        NETWORK = "network"
        CODE_NETWORK = "code_network"

    key = models.CharField(
        max_length=330, primary_key=True, help_text="kind:address, kind:address known network, or kind:network."
    )
    failures = models.JSONField(default=list, help_text="Times of the failures that count, in Unix seconds.")
    consecutive_failures = models.PositiveIntegerField(default=0, help_text="Failures since the last success.")
    last_failed_at = models.DateTimeField(null=True, blank=True, help_text="A day later no failure counts.")

    class Meta:
        verbose_name_plural = "failed attempts"

    def __str__(self) -> str:
        return f"Failed attempts of {self.pk}"


class WrongCode(models.Model):
    """A wrong code that was compared. Many in an hour, over the whole site, mean an attack (services/code_alarm.py)."""

    at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"Wrong code {self.pk}"


class Session(models.Model):
    """A signed-in device. It has a family of refresh tokens, of which only the newest works."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="sessions")
    token_hash = models.CharField(max_length=64, help_text="SHA-256 of the current refresh token.")
    spent = models.JSONField(
        default=list, help_text="SHA-256 and time of use, in Unix seconds, of the refresh tokens used last."
    )
    user_agent = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True, blank=True)
    network = models.GenericIPAddressField(null=True, blank=True, help_text="The IP's /24, for IPv6 its /64.")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reused_at = models.DateTimeField(null=True, blank=True, help_text="When a used refresh token came back.")

    class Meta:
        db_table = "user_session"
        ordering = ("-last_used_at",)
        indexes = (
            models.Index(fields=("reused_at",), name="session_by_reuse", condition=models.Q(reused_at__isnull=False)),
        )

    def __str__(self) -> str:
        return f"Session {self.pk}"


class KnownNetwork(models.Model):
    """A network from which the user signed in, at the API or the admin. Strangers' attempts do not count there."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False, related_name="+")
    network = models.GenericIPAddressField(help_text="A /24, for IPv6 a /64.")
    signed_in_at = models.DateTimeField(help_text="Last time.")

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user", "network"), name="known_network_once"),)

    def __str__(self) -> str:
        return f"{self.network} of user {self.user_id}"
