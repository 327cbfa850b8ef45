"""The admin of payments: read-only, with actions that call services."""

from payments.admin import cards, events, orders, payouts, reconciliations, refunds

__all__ = ["cards", "events", "orders", "payouts", "reconciliations", "refunds"]
