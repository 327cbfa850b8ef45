"""The query parameters of this app's lists."""

from __future__ import annotations

import django_filters

from auctioncraft.api.filters import ChoiceFilter
from payments.models import Order, Payout


class OrderFilter(django_filters.FilterSet):  # type: ignore[misc]  # the library has no types
    """The parameters of the list of orders."""

    status = ChoiceFilter(Order.Status.values, label="The status of the order.")


class PayoutFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """The parameters of the list of payouts."""

    status = ChoiceFilter(Payout.Status.values, label="The status of the payout.")
