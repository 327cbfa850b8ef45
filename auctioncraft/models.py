"""The table of idempotency keys, shared by all apps."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class IdempotencyKey(models.Model):
    """The response to a request with an Idempotency-Key, committed with its effect."""

    # Not a foreign key: the project package imports no app.
    user_id = models.BigIntegerField()
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the operation and its parameters.")
    response = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = (models.UniqueConstraint(fields=("user_id", "key"), name="unique_idempotency_key"),)

    def __str__(self) -> str:
        return f"{self.user_id}: {self.key}"
