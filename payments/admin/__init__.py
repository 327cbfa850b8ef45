"""Staff see money here; they never type it. What changes an order or a payment is a service."""

from payments.admin import events, orders

__all__ = ["events", "orders"]
