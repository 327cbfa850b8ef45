"""Products and categories on the wire."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.core.files.storage import default_storage
from rest_framework import serializers

from auctioncraft.api.fields import (
    IdField,
    MoneyField,
    MoneyOutputField,
    SingleLineField,
    StrictCharField,
    StrictIntegerField,
    UTCDateTimeField,
)
from auctioncraft.core import money
from auctions.formats import ascending
from auctions.models import PUBLIC_STATUSES, Category, Product, alias, minimum_bid_of, public_status
from auctions.product_fields import FIELDS, Kind, ProductField
from auctions.serializers.history import PublicBidSerializer, history_row
from auctions.serializers.images import ImageSerializer, image_row


class CategorySerializer(serializers.ModelSerializer):
    """A category; staff write it."""

    parent = serializers.PrimaryKeyRelatedField(  # type: ignore[assignment]  # the column; DRF's own is the instance's
        queryset=Category.objects.all(), allow_null=True, required=False, pk_field=IdField()
    )
    slug = serializers.SlugField(max_length=80, required=False)
    open_products = serializers.SerializerMethodField()

    class Meta:
        model = Category
        fields = ("id", "name", "slug", "parent", "open_products")

    def get_open_products(self, category: Category) -> int:
        """Return how many products are open in it and below it: counted for the whole tree at once by the view."""
        counts: dict[int, int] = self.context.get("open_products", {})
        return counts.get(category.pk, 0)


class CategorySummarySerializer(serializers.Serializer):
    """A product's category."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    slug = serializers.CharField()


class SellerSummarySerializer(serializers.Serializer):
    """A product's seller."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class ProductListSerializer(serializers.Serializer):
    """A product in a list, from a row of ProductQuerySet.rows()."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    category = CategorySummarySerializer()
    seller = SellerSummarySerializer()
    currency = serializers.CharField()
    starting_bid = MoneyOutputField()
    current_price = MoneyOutputField(allow_null=True)
    minimum_bid = MoneyOutputField()
    bid_count = serializers.IntegerField()
    has_reserve = serializers.BooleanField()
    reserve_met = serializers.BooleanField()
    buy_now_price = MoneyOutputField(allow_null=True)
    status = serializers.ChoiceField(choices=PUBLIC_STATUSES)
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    thumbnail = serializers.CharField(allow_null=True)
    watch_count = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    seq = serializers.IntegerField()
    server_time = serializers.DateTimeField()

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the row's public side; the fields above describe it."""
        return product_row(instance)


def product_row(row: dict[str, Any]) -> dict[str, Any]:
    """Return the public side of a row of ProductQuerySet.rows(). Written out, because every list is made of it.

    Times stay times: the renderer writes them.
    """
    currency, price, reserve = row["currency"], row["auction__price"], row["reserve_price"]
    starts_at, ends_at, now = row["auction__starts_at"], row["auction__ends_at"], row["server_time"]
    status = public_status(row["auction__status"], starts_at, ends_at, now)
    met = ascending.reserve_met(reserve, price)
    buy_now_available = status == "open" and ascending.buy_now_available(row["buy_now_price"], reserve, price)
    return {
        "id": row["id"],
        "name": row["name"],
        "category": {"id": row["category_id"], "name": row["category__name"], "slug": row["category__slug"]},
        "seller": {"id": row["seller_id"], "display_name": row["seller__display_name"]},
        "currency": currency,
        "starting_bid": money.to_text(row["starting_bid"], currency),
        "current_price": money.to_text_or_none(price, currency),
        "minimum_bid": money.to_text(minimum_bid_of(row), currency),
        "bid_count": row["auction__bid_count"],
        "has_reserve": reserve is not None,
        "reserve_met": met,
        "buy_now_price": money.to_text_or_none(row["buy_now_price"], currency) if buy_now_available else None,
        "status": status,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "thumbnail": default_storage.url(row["thumbnail"]) if row["thumbnail"] else None,
        "watch_count": row["watch_count"],
        "created_at": row["created_at"],
        "seq": row["auction__seq"],
        "server_time": now,
    }


class ViewerOfferSerializer(serializers.Serializer):
    """A second-chance offer that the caller may accept or decline."""

    amount = MoneyOutputField()
    expires_at = serializers.DateTimeField()


class ViewerSerializer(serializers.Serializer):
    """How the product stands for whoever asks with a token."""

    alias = serializers.CharField(help_text="What the caller is called in this product's history.")
    is_leading = serializers.BooleanField()
    my_maximum = MoneyOutputField(allow_null=True)
    my_last_amount = MoneyOutputField(allow_null=True)
    watching = serializers.BooleanField()
    can_bid = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True, help_text="The code a bid would be refused with.")
    second_chance = ViewerOfferSerializer(allow_null=True, help_text="What the product is offered to the caller for.")


class ProductDetailSerializer(ProductListSerializer):
    """A product whole."""

    description = serializers.CharField()
    shipping = MoneyOutputField()
    relisted_from = serializers.IntegerField(allow_null=True, help_text="The unsold product that this one is again.")
    images = ImageSerializer(many=True)
    bids = PublicBidSerializer(many=True, help_text="The latest ten, newest first.")
    viewer = ViewerSerializer(required=False, help_text="Only with a token.")


_INPUT_FIELDS: dict[Kind, tuple[type[serializers.Field], dict[str, Any]]] = {
    Kind.LINE: (SingleLineField, {}),
    Kind.TEXT: (StrictCharField, {"allow_blank": True}),
    Kind.CATEGORY: (IdField, {}),
    Kind.CURRENCY: (StrictCharField, {}),
    Kind.AMOUNT: (MoneyField, {}),
    Kind.SECONDS: (StrictIntegerField, {"min_value": 0, "max_value": 86_400}),
    Kind.TIME: (UTCDateTimeField, {}),
}


class CreateProductSerializer(serializers.Serializer):
    """A product to list. Only `name`, `category` and `starting_bid` are required."""

    def get_fields(self) -> dict[str, serializers.Field]:
        """Return the fields of auctions/product_fields.py."""
        return {field.public_name: self._input_field(field) for field in FIELDS.values()}

    def _input_field(self, field: ProductField) -> serializers.Field:
        field_class, options = _INPUT_FIELDS[field.kind]
        options = {**options, "required": field.required, "help_text": field.help_text}
        if field.public_name != field.name:
            options["source"] = field.name
        if field.kind in {Kind.LINE, Kind.TEXT, Kind.CURRENCY}:
            column: Any = Product._meta.get_field(field.name)  # noqa: SLF001 (Django's public API)
            options["max_length"] = column.max_length
        elif not field.required:
            options["allow_null"] = True
        if field.zero_allowed:
            options["zero"] = True
        return field_class(**options)

    def validate_currency(self, value: str) -> str:
        """Return the code in upper case."""
        return value.upper()


class UpdateProductSerializer(CreateProductSerializer):
    """The fields to change. After the first bid, only text can be added to the end of `description`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Require nothing."""
        super().__init__(*args, partial=True, **kwargs)


class RelistProductSerializer(UpdateProductSerializer):
    """The fields that differ from the unsold product."""


def product_detail(row: dict[str, Any], viewer: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the public side of queries.get_product_detail(), with `viewer` if given."""
    salt, currency = row["alias_salt"], row["currency"]
    body = product_row(row)
    body["description"] = row["description"]
    body["relisted_from"] = row["relisted_from_id"]
    body["shipping"] = money.to_text(row["shipping"], currency)
    body["images"] = [image_row(image) for image in row["images"]]
    body["bids"] = [history_row(bid, salt=salt, currency=currency) for bid in row["bids"]]
    if viewer is not None:
        offer = viewer["second_chance"]
        body["viewer"] = {
            "alias": alias(salt, viewer["user_id"]),
            "is_leading": viewer["is_leading"],
            "my_maximum": money.to_text_or_none(viewer["my_maximum"], currency),
            "my_last_amount": money.to_text_or_none(viewer["my_last_amount"], currency),
            "watching": viewer["watching"],
            "can_bid": viewer["can_bid"],
            "reason": viewer["reason"],
            "second_chance": offer
            and {"amount": money.to_text(offer.amount, currency), "expires_at": offer.expires_at},
        }
    return body


def product_etag(body: dict[str, Any]) -> str:
    """Return the ETag of an anonymous detail: of all that it says but the time, and of nothing that it hides.

    The bids are in it by `seq`. Weak, for two answers of one ETag differ in `server_time`.
    """
    said = {key: value for key, value in body.items() if key not in {"server_time", "bids"}}
    return f'W/"{hashlib.blake2b(orjson.dumps(said), digest_size=12).hexdigest()}"'
