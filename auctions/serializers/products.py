"""Products."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from auctioncraft.api.fields import (
    CurrencyField,
    IdField,
    MoneyField,
    MoneyOutputField,
    SingleLineField,
    StrictCharField,
    StrictIntegerField,
    UTCDateTimeField,
)
from auctioncraft.api.row_serializer import RowSerializer
from auctioncraft.core import money
from auctions.formats import get_format
from auctions.formats.base import reserve_met
from auctions.models import PUBLIC_STATUSES, Product, minimum_bid_of, public_status
from auctions.product_fields import FIELDS, Kind, ProductField
from auctions.serializers.history import PublicBidSerializer
from auctions.serializers.images import ImageSerializer, StorageURLField


class CategorySummarySerializer(RowSerializer):
    """The category of a product."""

    id = serializers.IntegerField(source="category_id")
    name = serializers.CharField(source="category__name")
    slug = serializers.CharField(source="category__slug")


class SellerSummarySerializer(serializers.Serializer):
    """The seller or the winner of a product."""

    id = serializers.IntegerField()
    display_name = serializers.CharField()


class ProductListSerializer(RowSerializer):
    """A product in a list."""

    # From a row of ProductQuerySet.rows().

    id = serializers.IntegerField()
    name = serializers.CharField()
    category = CategorySummarySerializer(source="*", read_only=True)
    seller = serializers.SerializerMethodField()
    currency = serializers.CharField(help_text="Three-letter ISO 4217 code of all amounts of this product.")
    starting_bid = MoneyOutputField()
    current_price = MoneyOutputField(source="auction__price", allow_null=True, help_text="Null before the first bid.")
    minimum_bid = serializers.SerializerMethodField(help_text="The lowest amount that would be accepted now.")
    bid_count = serializers.IntegerField(source="auction__bid_count")
    has_reserve = serializers.SerializerMethodField(help_text="Whether there is a reserve price.")
    reserve_met = serializers.SerializerMethodField(
        help_text="Whether the product would be sold at the current price; false before the first bid."
    )
    buy_now_price = serializers.SerializerMethodField(help_text="Null if the product cannot be bought at it now.")
    status = serializers.SerializerMethodField(help_text="The status at `server_time`.")
    starts_at = serializers.DateTimeField(source="auction__starts_at")
    ends_at = serializers.DateTimeField(source="auction__ends_at", help_text="Late bids extend it.")
    thumbnail = StorageURLField(allow_null=True, help_text="URL of the first image's thumbnail.")
    watch_count = serializers.IntegerField(help_text="How many users watch the product.")
    created_at = serializers.DateTimeField()
    seq = serializers.IntegerField(source="auction__seq", help_text="The number of the latest event.")
    server_time = serializers.DateTimeField(help_text="The server's time at which this was true.")

    @extend_schema_field(SellerSummarySerializer)
    def get_seller(self, row: dict[str, Any]) -> dict[str, Any]:
        return {"id": row["seller_id"], "display_name": row["seller__display_name"]}

    @extend_schema_field(MoneyOutputField)
    def get_minimum_bid(self, row: dict[str, Any]) -> str:
        return money.to_text(minimum_bid_of(row), row["currency"])

    def get_has_reserve(self, row: dict[str, Any]) -> bool:
        return row["reserve_price"] is not None

    def get_reserve_met(self, row: dict[str, Any]) -> bool:
        return reserve_met(row["reserve_price"], row["auction__price"])

    @extend_schema_field(MoneyOutputField(allow_null=True))
    def get_buy_now_price(self, row: dict[str, Any]) -> str | None:
        price, reserve = row["buy_now_price"], row["reserve_price"]
        is_open = self.get_status(row) == "open"
        if not (is_open and get_format(row["format"]).buy_now_available(price, reserve, row["auction__price"])):
            return None
        return money.to_text_or_none(price, row["currency"])

    @extend_schema_field(serializers.ChoiceField(choices=PUBLIC_STATUSES))
    def get_status(self, row: dict[str, Any]) -> str:
        stored, starts_at, ends_at = row["auction__status"], row["auction__starts_at"], row["auction__ends_at"]
        return public_status(stored, starts_at, ends_at, row["server_time"])


class ViewerOfferSerializer(RowSerializer):
    """A second-chance offer to the caller, who can accept or decline it."""

    amount = MoneyOutputField()
    total = MoneyOutputField(help_text="With premium and shipping.")
    expires_at = serializers.DateTimeField()


class ViewerSerializer(RowSerializer):
    """The product from the caller's point of view."""

    alias = serializers.CharField(help_text="The caller's alias in this product's bid history.")
    is_leading = serializers.BooleanField()
    my_maximum = MoneyOutputField(allow_null=True, help_text="The caller's highest maximum, hidden from everyone else.")
    my_last_amount = MoneyOutputField(allow_null=True)
    watching = serializers.BooleanField()
    can_bid = serializers.BooleanField()
    reason = serializers.CharField(allow_null=True, help_text="The error code that a bid would get now.")
    second_chance = ViewerOfferSerializer(allow_null=True)


class DescriptionAdditionSerializer(RowSerializer):
    """Text that was added to the description while there were bids."""

    text = serializers.CharField()
    added_at = serializers.DateTimeField()


class ProductDetailSerializer(ProductListSerializer):
    """A product with its description, images and latest bids."""

    # From queries.get_product_detail().

    description = serializers.CharField(help_text="With everything that was added.")
    description_additions = DescriptionAdditionSerializer(
        many=True, help_text="What was added to the description while there were bids, and when."
    )
    shipping = MoneyOutputField()
    relisted_from = serializers.IntegerField(
        source="relisted_from_id", allow_null=True, help_text="The ID of the unsold product that this one lists again."
    )
    images = ImageSerializer(many=True)
    bids = PublicBidSerializer(many=True, read_only=True, help_text="The ten latest bids, newest first.")
    viewer = ViewerSerializer(required=False, help_text="Only with an access token.")


_INPUT_FIELDS: dict[Kind, tuple[type[serializers.Field], dict[str, Any]]] = {
    Kind.LINE: (SingleLineField, {}),
    Kind.TEXT: (StrictCharField, {"allow_blank": True}),
    Kind.CATEGORY: (IdField, {}),
    Kind.CURRENCY: (CurrencyField, {}),
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


class UpdateProductSerializer(CreateProductSerializer):
    """The fields to change. After the first bid, only text can be added to the end of `description`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, partial=True, **kwargs)


class RelistProductSerializer(UpdateProductSerializer):
    """The fields that differ from the unsold product."""
