"""Categories, products, and the users who watch them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from auctioncraft.core.clock import DatabaseNow, StatementNow
from auctioncraft.core.model_fields import JSONDecoder, MoneyField
from auctioncraft.core.pricing import SaleTerms
from auctions.formats import DEFAULT, FORMATS, get_format
from auctions.formats.base import Terms

if TYPE_CHECKING:
    from datetime import datetime

    from auctions.formats.base import Format


class CategoryQuerySet(models.QuerySet["Category"]):
    """Named queries."""

    def subtree(self, category_id: int) -> set[int]:
        """Return the IDs of a category and all categories below it, with one query: the tree is small."""
        children: dict[int | None, list[int]] = {}
        for child, parent in self.values_list("id", "parent_id"):
            children.setdefault(parent, []).append(child)
        found, level = {category_id}, [category_id]
        while level:
            level = [child for node in level for child in children.get(node, ()) if child not in found]
            found.update(level)
        return found


class Category(models.Model):
    """A category of products, in a tree."""

    name = models.CharField(max_length=80)
    slug = models.SlugField(max_length=80, unique=True)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    open_products = models.PositiveIntegerField(
        default=0, editable=False, help_text="Open products in it and below it, as of the last count."
    )
    open_products_counted_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[Any] = CategoryQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        verbose_name_plural = "categories"

    def __str__(self) -> str:
        return self.name


class ProductQuerySet(models.QuerySet["Product"]):
    """Named queries."""

    def rows(self, *more: str) -> models.QuerySet[Any]:
        """Return the values that a list shows of each product, the columns of `more`, and the server time."""
        found: models.QuerySet[Any] = self.annotate(server_time=DatabaseNow()).values(*_ROW, *more)
        return found

    def with_status(self, status: str) -> ProductQuerySet:
        """Return the products of a public status (see `public_status`)."""
        now = StatementNow()
        by_clock = {
            "scheduled": Q(auction__status="open", auction__starts_at__gt=now),
            "open": Q(auction__status="open", auction__starts_at__lte=now, auction__ends_at__gt=now),
            "ended": Q(auction__in=self._ended(now)),
        }
        return self.filter(by_clock.get(status, Q(auction__status=status)))

    def _ended(self, now: StatementNow) -> models.QuerySet[Any]:
        """Return the auctions that wait to be closed: a few, unless the workers are down.

        The limit, which is beyond the last page of a list, makes PostgreSQL read them first, by index: it expects
        far too many, and would look for them among all products.
        """
        # Not imported: auction.py imports this module.
        auctions: models.Manager[Any] = apps.get_model("auctions", "Auction")._default_manager  # noqa: SLF001 (documented)
        ended: models.QuerySet[Any] = auctions.filter(status="open", ends_at__lte=now).order_by("ends_at")[:20_000]
        return ended


PUBLIC_STATUSES = ("scheduled", "open", "ended", "sold", "unsold", "cancelled")


def public_status(stored: str, starts_at: datetime, ends_at: datetime, now: datetime) -> str:
    """Return the status that the public sees at `now`: an auction is scheduled, open or ended by the clock."""
    if stored != "open":
        return stored
    if now < starts_at:
        return "scheduled"
    return "open" if now < ends_at else "ended"


def terms_of(row: dict[str, Any]) -> Terms:
    """Return the terms of a product from a row of `values()`, without the soft close and the cap."""
    return Terms(
        seller=row["seller_id"],
        currency=row["currency"],
        starting_bid=row["starting_bid"],
        reserve_price=row["reserve_price"],
        increments=row["increments"],
    )


def minimum_bid_of(row: dict[str, Any]) -> Decimal:
    """Return the minimum bid from a row of ProductQuerySet.rows()."""
    return get_format(row["format"]).minimum_bid(terms_of(row), row["auction__price"])


def _new_salt() -> str:
    return secrets.token_hex(16)


_ROW = (
    "id",
    "name",
    "category_id",
    "category__name",
    "category__slug",
    "seller_id",
    "seller__display_name",
    "currency",
    "starting_bid",
    "reserve_price",
    "buy_now_price",
    "increments",
    "format",
    "thumbnail",
    "watch_count",
    "created_at",
    "auction__status",
    "auction__price",
    "auction__bid_count",
    "auction__starts_at",
    "auction__ends_at",
    "auction__seq",
    "server_time",
)


class Product(models.Model):
    """A product as its seller described it, with the rules it was listed under. Bids never change it."""

    seller = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="products")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="products")
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True, max_length=20_000)
    currency = models.CharField(max_length=3)
    starting_bid = MoneyField()
    reserve_price = MoneyField(null=True, blank=True, help_text="Hidden from the public, who see whether it is met.")
    buy_now_price = MoneyField(null=True, blank=True)
    bid_increment = MoneyField(null=True, blank=True, help_text="One step for all prices. Empty: the currency's table.")
    increments = models.JSONField(decoder=JSONDecoder, help_text="The stored increment table: [[from price, step], …].")
    format = models.CharField(
        max_length=20, choices=[(name, name) for name in FORMATS], default=DEFAULT, help_text="How the auction is run."
    )
    soft_close_window = models.PositiveIntegerField(help_text="In seconds.")
    soft_close_extension = models.PositiveIntegerField(help_text="In seconds.")
    premium_bands = models.JSONField(
        decoder=JSONDecoder,
        default=list,
        blank=True,
        help_text="The stored buyer's premium: [[from price, percent], …].",
    )
    shipping = MoneyField(default=Decimal(0))
    thumbnail = models.ImageField(upload_to="products/", blank=True)
    watch_count = models.PositiveIntegerField(default=0)
    relisted_from = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="relisting"
    )
    defaulters = models.JSONField(
        default=list, blank=True, help_text="IDs of those who won an earlier listing of it and did not pay."
    )
    description_additions = models.JSONField(
        default=list, blank=True, help_text="Text that was added while there were bids: [{text, added_at}, …]."
    )
    alias_salt = models.CharField(max_length=32, default=_new_salt, editable=False)
    created_at = models.DateTimeField(db_default=Now())

    objects: ClassVar[Any] = ProductQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        indexes = (models.Index(fields=("-created_at", "-id"), name="product_newest"),)
        constraints = (
            models.CheckConstraint(condition=Q(starting_bid__gt=0), name="product_starting_bid_positive"),
            models.CheckConstraint(
                condition=Q(reserve_price__isnull=True) | Q(reserve_price__gt=0), name="product_reserve_price_positive"
            ),
            models.CheckConstraint(
                condition=Q(buy_now_price__isnull=True) | Q(buy_now_price__gt=F("starting_bid")),
                name="product_buy_now_above_starting_bid",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def rules(self) -> Format:
        """Return the rules of its format."""
        return get_format(self.format)

    def terms(self) -> Terms:
        """Return the terms by which bids are evaluated."""
        return Terms(
            seller=self.seller_id,
            currency=self.currency,
            starting_bid=self.starting_bid,
            reserve_price=self.reserve_price,
            increments=self.increments,
            soft_close_window=self.soft_close_window,
            soft_close_extension=self.soft_close_extension,
            cap=settings.MAX_AMOUNT,
            chargeable=None if settings.OFFLINE_PAYMENTS else self.sale_terms(),
        )

    def sale_terms(self) -> SaleTerms:
        """Return the terms under which a bid, purchase or offer is made now."""
        return SaleTerms(self.currency, self.shipping, self.premium_bands)

    def alias_of(self, user_id: int) -> str:
        """Return the name of a bidder in this product's public history.

        The same throughout the product, unrelated elsewhere: each product has its own salt, which is never published.
        """
        return alias(self.alias_salt, user_id)


@lru_cache(maxsize=16_384)
def alias(salt: str, user_id: int) -> str:
    """Return what Product.alias_of() does, given only the salt."""
    digest = hmac.digest(salt.encode(), str(user_id).encode(), hashlib.sha256)
    return f"bidder-{base64.b32encode(digest[:5]).decode().lower()}"


class Watch(models.Model):
    """A user watches a product."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    product = models.ForeignKey(Product, on_delete=models.CASCADE, related_name="watches")

    class Meta:
        verbose_name_plural = "watches"
        constraints = (models.UniqueConstraint(fields=("user", "product"), name="watch_unique_user_product"),)

    def __str__(self) -> str:
        return f"{self.user_id} watches product {self.product_id}"
