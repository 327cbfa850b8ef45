"""Auctions in the admin: staff see how a sale stands and may close it; nobody types a price or a bid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from unfold.admin import ModelAdmin

from auctioncraft import money
from auctioncraft.admin import ReadOnlyAdmin
from auctioncraft.errors import DomainError
from auctions.models import Auction, AuctionEvent, Bid, Category, EventOutbox, Product, Watch
from auctions.services import categories, closing, listing

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


def _amount(field: str) -> Any:
    """Return a column that shows money with its currency."""

    @admin.display(description=field.replace("_", " "), ordering=field)
    def show(_: Any, row: Any) -> str:
        currency = (row if isinstance(row, Product) else row.product).currency
        amount = getattr(row, field)
        return "–" if amount is None else f"{money.to_text(amount, currency)} {currency}"  # noqa: RUF001 (a dash)

    return show


class _Discreet:
    """Hides from staff, but not from superusers, what bidders and sellers trust the house with."""

    hidden: tuple[str, ...] = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Leave out what this member of staff may not see."""
        fields = super().get_fields(request, obj)  # type: ignore[misc]
        return fields if request.user.is_superuser else [field for field in fields if field not in self.hidden]


class CategoryForm(forms.ModelForm):
    """A category; it cannot stand below itself."""

    class Meta:
        model = Category
        fields = ("name", "slug", "parent")

    def clean_parent(self) -> Category | None:
        """Refuse a ring. The service refuses it again, under its lock."""
        parent: Category | None = self.cleaned_data["parent"]
        if parent and self.instance.pk and parent.pk in Category.objects.subtree(self.instance.pk):
            raise forms.ValidationError("A category cannot stand below itself.")
        return parent


@admin.register(Category)
class CategoryAdmin(ModelAdmin):  # type: ignore[misc]  # unfold has no types
    """The tree. A category with products or others below it cannot be deleted."""

    form = CategoryForm
    list_display = ("name", "slug", "parent")
    list_select_related = ("parent",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 (Django's)

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001
        """Save by the service."""
        categories.save(category=obj)


@admin.register(Product)
class ProductAdmin(_Discreet, ModelAdmin):  # type: ignore[misc]
    """Products. Staff may correct the text; a seller lists by the API, and a product with bids stays."""

    hidden = ("shown_reserve",)
    list_display = ("id", "name", "seller", "category", "shown_starting_bid", "created_at")
    list_display_links = ("id", "name")
    list_filter = ("category", "currency", "auction__status", "created_at")
    list_select_related = ("seller", "category")
    search_fields = ("=id", "name", "seller__email")
    date_hierarchy = "created_at"
    show_full_result_count = False
    fields = (
        *("name", "description", "category", "seller", "currency"),
        *("shown_starting_bid", "shown_reserve", "shown_buy_now", "shown_increment", "shown_shipping"),
        *("soft_close_window", "soft_close_extension", "thumbnail", "watch_count", "created_at"),
    )
    readonly_fields = fields[3:]
    shown_starting_bid = _amount("starting_bid")
    shown_reserve = _amount("reserve_price")
    shown_buy_now = _amount("buy_now_price")
    shown_increment = _amount("bid_increment")
    shown_shipping = _amount("shipping")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        """Nobody: a product is listed with its auction, by its seller."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[str, ...]:  # noqa: ARG002
        """With bids the text stands as it was bid on (docs/rules.md)."""
        return self.fields if obj is not None and obj.auction.bid_count else self.readonly_fields

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """One at a time, and only while nobody has bid."""
        return obj is not None and not obj.auction.bid_count and bool(super().has_delete_permission(request, obj))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Let the auction and the watches go with their product, though nobody deletes them alone."""
        found, counts, _, protected = super().get_deleted_objects(objs, request)
        return found, counts, set(), protected

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001, ARG002
        """Save by the service: an edit is an event of the log."""
        listing.correct_text(product=obj, fields=form.changed_data, editor_id=request.user.pk or 0)


@admin.register(Auction)
class AuctionAdmin(_Discreet, ReadOnlyAdmin):
    """How sales stand."""

    hidden = ("shown_maximum",)
    list_display = ("product", "status", "result", "shown_price", "leader", "bid_count", "starts_at", "ends_at")
    list_filter = ("status", "result", ("settled_at", admin.EmptyFieldListFilter), "ends_at")
    list_select_related = ("product", "leader")
    search_fields = ("=product__id", "product__name", "leader__email", "winner__email")
    ordering = ("-product",)
    actions = ("close_now",)
    fields = (
        *("product", "status", "shown_price", "leader", "shown_maximum", "bid_count", "seq", "version"),
        *("starts_at", "ends_at", "hard_ends_at", "last_bid_at"),
        *("result", "winner", "shown_hammer_price", "closed_at", "settled_at"),
    )
    readonly_fields = fields
    shown_price = _amount("price")
    shown_maximum = _amount("maximum")
    shown_hammer_price = _amount("hammer_price")

    def has_close_permission(self, request: HttpRequest) -> bool:
        """Staff with Django's permission to change auctions."""
        return request.user.has_perm("auctions.change_auction")

    @admin.action(description="Close now", permissions=["close"])
    def close_now(self, request: HttpRequest, auctions: QuerySet[Auction]) -> None:
        """Close the chosen auctions, each in its own transaction."""
        for product_id in auctions.values_list("pk", flat=True):
            try:
                auction = closing.close_auction(product_id=product_id, actor=request.user)  # type: ignore[arg-type]
            except DomainError as refusal:
                self.message_user(request, f"Product {product_id}: {refusal.message}", messages.ERROR)
            else:
                self.message_user(request, f"Product {product_id}: {auction.result}.", messages.SUCCESS)


@admin.register(Bid)
class BidAdmin(_Discreet, ReadOnlyAdmin):
    """Bids, the latest first. What was sent can be a hidden maximum; what it stood at is public."""

    hidden = ("shown_amount", "shown_max_amount")
    list_display = ("id", "product", "bidder", "shown_price", "outcome", "placed_at")
    list_filter = ("outcome",)
    list_select_related = ("product", "bidder")
    search_fields = ("=id", "=product__id", "bidder__email")
    ordering = ("-id",)
    fields = (
        *("id", "product", "version", "position", "seq", "bidder", "shown_price", "shown_amount"),
        *("shown_max_amount", "outcome", "placed_at"),
    )
    readonly_fields = fields
    shown_price = _amount("price")
    shown_amount = _amount("amount")
    shown_max_amount = _amount("max_amount")


@admin.register(AuctionEvent)
class AuctionEventAdmin(ReadOnlyAdmin):
    """The log."""

    list_display = ("id", "product", "seq", "kind", "created_at")
    list_filter = ("kind",)
    list_select_related = ("product",)
    search_fields = ("=product__id",)
    ordering = ("-id",)


@admin.register(EventOutbox)
class EventOutboxAdmin(ReadOnlyAdmin):
    """Events that wait for the worker: mostly none."""

    list_display = ("id", "product_id", "seq")
    search_fields = ("=product_id",)
    ordering = ("id",)


@admin.register(Watch)
class WatchAdmin(ReadOnlyAdmin):
    """Who follows what."""

    list_display = ("id", "user", "product")
    list_select_related = ("user", "product")
    search_fields = ("user__email", "=product__id")
    ordering = ("-id",)
