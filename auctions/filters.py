"""The product list's query parameters. What does not fit is 400; what is not known is ignored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import django_filters
from django import forms
from django.db.models import Exists, F, OuterRef, Q
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from auctioncraft.api.fields import AMOUNT_STRING_SCHEMA, MAX_ID, IdField, MoneyField, UTCDateTimeField
from auctioncraft.core.errors import NotAuthenticated
from auctions import search
from auctions.models import PUBLIC_STATUSES, Bid, Category, Product, Watch

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from django.db.models import QuerySet
    from rest_framework.request import Request


class _Parsed(forms.CharField):
    """A form field that reads its text as the API's own fields do."""

    def __init__(self, *, parse: Callable[[str], Any], **kwargs: Any) -> None:
        self.parse = parse
        super().__init__(**kwargs)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return self.parse(text)
        except ValidationError as error:
            raise forms.ValidationError("Not a valid value.") from error


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise ValidationError("true or false is needed.") from None


def _amount(text: str) -> Decimal:
    amount: Decimal = MoneyField(zero=True).run_validation(text)
    return amount


class _ParsedFilter(django_filters.Filter):  # type: ignore[misc]  # the library has no types
    field_class = _Parsed


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_ID})
class _Id(_ParsedFilter):
    """Of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(parse=IdField().run_validation, **kwargs)


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_ID, "description": "with its subtree"})
class _Subtree(_Id):
    """Of a category, and all that is below it."""


@extend_schema_field({**AMOUNT_STRING_SCHEMA, "example": "150.00"})
class _Amount(_ParsedFilter):
    """In whatever currency the product has."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(parse=_amount, **kwargs)


@extend_schema_field(OpenApiTypes.DATETIME)
class _Moment(_ParsedFilter):
    """As the API's own fields read it."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(parse=UTCDateTimeField().run_validation, **kwargs)


@extend_schema_field(OpenApiTypes.BOOL)
class _YesOrNo(_ParsedFilter):
    """django-filter's own takes what it does not know for no answer."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(parse=_boolean, **kwargs)


ORDERINGS = {
    "ends_at": "auction__ends_at",
    "current_price": "auction__price",
    "bid_count": "auction__bid_count",
    "created_at": "created_at",
}


class ProductFilter(django_filters.FilterSet):  # type: ignore[misc]  # as above
    """The parameters of the product list."""

    search = django_filters.CharFilter(method="filter_search", max_length=200, label="words of name or description")
    category = _Subtree(method="filter_category")
    status = django_filters.ChoiceFilter(
        method="filter_status", choices=[(status, status) for status in PUBLIC_STATUSES]
    )
    seller = _Id(field_name="seller_id")
    min_price = _Amount(field_name="auction__price", lookup_expr="gte")
    max_price = _Amount(field_name="auction__price", lookup_expr="lte")
    ends_before = _Moment(field_name="auction__ends_at", lookup_expr="lt")
    has_bids = _YesOrNo(method="filter_has_bids")
    mine = _YesOrNo(method="filter_own", label="one's own products")
    watched = _YesOrNo(method="filter_own", label="products one follows")
    bidding = _YesOrNo(method="filter_own", label="products one has bid on")
    ordering = django_filters.ChoiceFilter(
        method="filter_ordering",
        choices=[(sign + name, sign + name) for name in ORDERINGS for sign in ("", "-")],
    )

    class Meta:
        model = Product
        fields: tuple[str, ...] = ()

    def filter_search(self, products: QuerySet[Product], _: str, words: str) -> QuerySet[Product]:
        """Narrow to the products that the words find (auctions/search.py)."""
        return search.filter_by_words(products, words)

    def filter_category(self, products: QuerySet[Product], _: str, category: int) -> QuerySet[Product]:
        """Narrow to the category and everything below it."""
        return products.filter(category_id__in=Category.objects.subtree(category))

    def filter_status(self, products: Any, _: str, status: str) -> Any:
        """Narrow to a public status, by the database's clock."""
        return products.with_status(status)

    def filter_has_bids(self, products: QuerySet[Product], _: str, wanted: bool) -> QuerySet[Product]:  # noqa: FBT001 (django-filter's signature)
        """Narrow to products with a bid, or without."""
        return products.filter(auction__bid_count__gt=0) if wanted else products.filter(auction__bid_count=0)

    def filter_own(self, products: QuerySet[Product], name: str, wanted: bool) -> QuerySet[Product]:  # noqa: FBT001 (as above)
        """Narrow to what concerns the caller. Raises NotAuthenticated without one."""
        user = self.request.user
        if not user.is_authenticated:
            raise NotAuthenticated("Sign in to ask for what is yours.")
        condition = {
            "mine": Q(seller_id=user.pk),
            "watched": Exists(Watch.objects.filter(user_id=user.pk, product=OuterRef("pk"))),
            "bidding": Exists(Bid.objects.made_by(user.pk).filter(product=OuterRef("pk"))),
        }[name]
        return products.filter(condition) if wanted else products.exclude(condition)

    def filter_ordering(self, products: QuerySet[Product], _: str, ordering: str) -> QuerySet[Product]:
        """Order by one key; what has none comes last, and the id breaks ties so that pages do not overlap."""
        key = F(ORDERINGS[ordering.lstrip("-")])
        if ordering.startswith("-"):
            return products.order_by(key.desc(nulls_last=True), "-id")
        return products.order_by(key.asc(nulls_last=True), "id")


class ProductFilterBackend(DjangoFilterBackend):  # type: ignore[misc]  # as above
    """django-filter's, without building its form for a plain page; what was searched for comes best first."""

    def filter_queryset(self, request: Request, queryset: Any, view: Any) -> Any:
        """Return the products that were asked for. Raises ValidationError."""
        if request.query_params.keys() <= {"page", "page_size"}:
            return queryset
        products = super().filter_queryset(request, queryset, view)
        words = request.query_params.get("search", "").strip()
        return (
            products
            if not words or request.query_params.get("ordering")
            else search.order_by_relevance(products, words)
        )
