"""The idempotency key under which a row asks Stripe for something."""

from __future__ import annotations

import uuid

from django.db import models


class StripeKeyModel(models.Model):
    """A row that asks Stripe for something, once: its key is committed before the request (services/stripe_request.py).

    Source: https://docs.stripe.com/api/idempotent_requests
    """

    idempotency_key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)

    class Meta:
        abstract = True
