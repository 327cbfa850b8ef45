"""The query parameters of this app's lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django_filters
from django.db.models import Exists, F, OuterRef, Q

from auctioncraft.api.filters import (
    AmountFilter,
    BooleanFilter,
    ChoiceFilter,
    DateTimeFilter,
    IdFilter,
    ListFilterBackend,
    SequenceFilter,
)
from auctioncraft.core.errors import NotAuthenticated
from auctions import search
from auctions.models import PUBLIC_STATUSES, Bid, Category, Product, Watch

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

ORDERINGS = {
    "ends_at": "auction__ends_at",
    "current_price": "auction__price",
    "bid_count": "auction__bid_count",
    "created_at": "created_at",
}


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]  # the library has no types
    """The parameters of the product list."""

    search = django_filters.CharFilter(
        method="filter_search",
        max_length=200,
        label='Words in the name or the description. Supports "quoted phrases", `or` and `-exclusions`.',
    )
    category = IdFilter(method="filter_category", label="The ID of a category. Includes the categories below it.")
    status = ChoiceFilter(PUBLIC_STATUSES, method="filter_status", label="The status of the auction.")
    seller = IdFilter(field_name="seller_id", label="The ID of the seller.")
    min_price = AmountFilter(field_name="auction__price", lookup_expr="gte", label="The lowest current price.")
    max_price = AmountFilter(field_name="auction__price", lookup_expr="lte", label="The highest current price.")
    ends_before = DateTimeFilter(field_name="auction__ends_at", lookup_expr="lt", label="Auctions that end earlier.")
    has_bids = BooleanFilter(method="filter_has_bids", label="With bids, or without.")
    mine = BooleanFilter(method="filter_own", label="Your own products. Needs an access token.")
    watched = BooleanFilter(method="filter_own", label="Products that you watch. Needs an access token.")
    bidding = BooleanFilter(method="filter_own", label="Products that you have bid on. Needs an access token.")
    ordering = ChoiceFilter(
        [sign + name for name in ORDERINGS for sign in ("", "-")],
        method="filter_ordering",
        label="The sort key; `-` reverses it. Defaults to newest first, or best match first with `search`.",
    )

    class Meta:
        model = Product
        fields: tuple[str, ...] = ()

    def filter_search(self, products: QuerySet[Product], _: str, words: str) -> QuerySet[Product]:
        """Return the products that contain the words (auctions/search.py)."""
        return search.filter_by_words(products, words)

    def filter_category(self, products: QuerySet[Product], _: str, category: int) -> QuerySet[Product]:
        """Return the products of the category and those below it."""
        return products.filter(category_id__in=Category.objects.subtree(category))

    def filter_status(self, products: Any, _: str, status: str) -> Any:
        """Return the products of a public status, by the database's clock."""
        return products.with_status(status)

    def filter_has_bids(self, products: QuerySet[Product], _: str, value: bool) -> QuerySet[Product]:  # noqa: FBT001 (django-filter's signature)
        """Return the products with a bid, or without."""
        return products.filter(auction__bid_count__gt=0) if value else products.filter(auction__bid_count=0)

    def filter_own(self, products: QuerySet[Product], name: str, value: bool) -> QuerySet[Product]:  # noqa: FBT001 (as above)
        """Return the products that concern the caller, or all others. Raises NotAuthenticated."""
        user = self.request.user
        if not user.is_authenticated:
            raise NotAuthenticated("Sign in to use this filter.")
        condition = {
            "mine": Q(seller_id=user.pk),
            "watched": Exists(Watch.objects.filter(user_id=user.pk, product=OuterRef("pk"))),
            "bidding": Exists(Bid.objects.made_by(user.pk).filter(product=OuterRef("pk"))),
        }[name]
        return products.filter(condition) if value else products.exclude(condition)

    def filter_ordering(self, products: QuerySet[Product], _: str, ordering: str) -> QuerySet[Product]:
        """Sort by one key. The ID breaks ties, so that pages do not overlap."""
        name = ordering.lstrip("-")
        # Only the price can be null. Where there are no nulls, asking for them last would rule out an index.
        nulls_last = True if name == "current_price" else None
        key = F(ORDERINGS[name])
        # An inner join, so that PostgreSQL can start from an index of auctions.
        products = products.filter(auction__isnull=False)
        if ordering.startswith("-"):
            return products.order_by(key.desc(nulls_last=nulls_last), "-id")
        return products.order_by(key.asc(nulls_last=nulls_last), "id")


class ProductFilterBackend(ListFilterBackend):
    """Sorts a search by relevance."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """Return the products that match the parameters. Raises ValidationError."""
        products = super().filter_queryset(request, queryset, view)
        words = request.query_params.get("search", "").strip()
        if not words or request.query_params.get("ordering"):
            return products
        return search.order_by_relevance(products, words)


class EventFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """The parameters of a product's event log."""

    after = SequenceFilter(field_name="seq", lookup_expr="gt", label="Only events with a greater `seq`.")
