"""Staff see money here; they never type it. What changes an order or a payment is a service."""

from payments.admin import cards, events, orders, payouts, reconciliations, refunds

__all__ = ["cards", "events", "orders", "payouts", "reconciliations", "refunds"]
