"""Query parameters of this app."""

from __future__ import annotations

import django_filters

from auctioncraft.api.filters import BooleanFilter


class LogoutParameters(django_filters.FilterSet):  # type: ignore[misc]  # the library has no types
    """The parameters of signing out."""

    everywhere = BooleanFilter(label="End every session of the account.")
