"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from payments.views import checkout, orders, stripe

routes: list[tuple[str, Any, str]] = [
    ("payments/orders", orders.OrderViewSet, "order"),
    ("payments", checkout.PaymentViewSet, "payment"),
    ("stripe", stripe.StripeViewSet, "stripe"),
]
