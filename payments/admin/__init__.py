"""The admin of payments: read-only, with actions that call services."""

from payments.admin import cards, orders, payouts, refunds, stripe
