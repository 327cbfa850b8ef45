"""The routes of this app, for the one router."""

from __future__ import annotations

from typing import Any

from payments import views

routes: list[tuple[str, Any, str]] = [
    ("payments/orders", views.OrderViewSet, "order"),
    ("payments", views.PaymentViewSet, "payment"),
    ("stripe", views.StripeViewSet, "stripe"),
]
