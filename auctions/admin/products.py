"""Categories and products in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.contrib import admin, messages
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.admin import TabularInline
from unfold.widgets import UnfoldAdminTextareaWidget

from auctioncraft.admin import EMPTY_VALUE, BaseAdmin, ReadOnlyMixin, amount_column, error_text
from auctioncraft.admin_confirmation import confirmed_action
from auctioncraft.core.errors import DomainError
from auctions.admin.columns import SuperuserOnlyFields
from auctions.models import Auction, Category, Product, ProductImage
from auctions.product_fields import AMOUNTS, FIELDS, Kind
from auctions.services import categories, editing

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.models import User

# What staff may correct of a product.
TEXT_FIELDS: Final = tuple(
    field.public_name for field in FIELDS.values() if field.kind in {Kind.LINE, Kind.TEXT, Kind.CATEGORY}
)
AMOUNT_COLUMNS: Final = {name: amount_column(name) for name in AMOUNTS}


class CategoryForm(forms.ModelForm):
    """A category's form."""

    class Meta:
        model = Category
        fields = ("name", "slug", "parent")

    def clean_parent(self) -> Category | None:
        """Refuse a parent that is below the category. The service checks this again, under its lock."""
        parent: Category | None = self.cleaned_data["parent"]
        if parent and self.instance.pk and parent.pk in Category.objects.subtree(self.instance.pk):
            raise forms.ValidationError("A category cannot be below itself.")
        return parent


@admin.register(Category)
class CategoryAdmin(BaseAdmin):
    """The tree of categories. A category in use cannot be deleted."""

    form = CategoryForm
    list_display = ("name", "slug", "parent", "open_products")
    list_select_related = ("parent",)
    search_fields = ("name", "slug")
    prepopulated_fields = {"slug": ("name",)}  # noqa: RUF012 (Django's)
    actions = ("delete",)

    @confirmed_action("Delete", "Only empty categories are deleted. This cannot be undone.", permissions=["remove"])
    def delete(self, actor: User, category: Category, *, reason: str) -> str:
        """Delete the categories by the service."""
        categories.delete_category(category=category, actor=actor, reason=reason)
        return "deleted."

    def save_model(self, request: HttpRequest, obj: Category, form: Any, change: bool) -> None:  # noqa: ARG002, FBT001
        categories.save_category(category=obj)


class DescriptionField(forms.CharField):
    """A text of several lines. Browsers send line ends as CRLF, which is not a change."""

    widget = UnfoldAdminTextareaWidget

    def has_changed(self, initial: str | None, data: str | None) -> bool:
        """Compare regardless of line ends."""
        return _lines(initial or "") != _lines(data or "")


class ProductForm(forms.ModelForm):
    """The text of a product."""

    description = DescriptionField(
        required=False,
        strip=False,
        max_length=Product._meta.get_field("description").max_length,  # noqa: SLF001 (Django's own door)
    )

    def clean_description(self) -> str:
        """Keep the stored text as it was written, and add what was added to its end."""
        stored, sent = self.instance.description, _lines(self.cleaned_data["description"])
        return stored + sent[len(_lines(stored)) :] if sent.startswith(_lines(stored)) else sent


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


class ProductImageInline(ReadOnlyMixin, TabularInline):  # type: ignore[misc]
    """The images of a product, on its page."""

    model = ProductImage
    extra = 0
    fields = ("position", "preview", "image", "width", "height", "created_at")
    readonly_fields = fields

    @admin.display(description="")
    def preview(self, image: ProductImage) -> str:
        return format_html('<img src="{}" alt="" style="max-height: 5rem">', image.thumbnail.url)


@admin.register(Product)
class ProductAdmin(SuperuserOnlyFields, BaseAdmin):
    """Products. Staff can correct the text until the first bid. Sellers list products through the API."""

    form = ProductForm
    superuser_only = (AMOUNT_COLUMNS["reserve_price"],)
    list_display = ("id", "name", "seller", "category", AMOUNT_COLUMNS["starting_bid"], "created_at")
    list_display_links = ("id", "name")
    list_filter = ("category", "currency", "auction__status", "created_at")
    list_select_related = ("seller", "category")
    search_fields = ("=id", "name", "seller__email")
    date_hierarchy = "created_at"
    show_full_result_count = False
    inlines = (ProductImageInline,)
    actions = ("delete",)
    fields = (
        *(*TEXT_FIELDS, "seller", "format", "currency", *AMOUNT_COLUMNS.values(), "premium"),
        *("soft_close_window", "soft_close_extension", "thumbnail", "watch_count", "relisted_from", "created_at"),
    )
    readonly_fields = fields[len(TEXT_FIELDS) :]

    @admin.display(description="buyer's premium")
    def premium(self, product: Product) -> str:
        bands = [f"from {start}: {percent} %" for start, percent in product.premium_bands]
        return ", ".join(bands) or EMPTY_VALUE

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002 (Django's signature)
        """Forbid it: sellers list products, with their auctions."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Product | None = None) -> tuple[Any, ...]:
        """With bids, make all but the description read-only; after the close, everything (docs/rules.md).

        A submitted field stays editable: if a bid came after the page was shown, the service refuses the change, where
        Django would drop it silently.
        """
        if request.method == "POST":
            editable = {field for field in TEXT_FIELDS if field in request.POST}
        elif obj is None or obj.auction.status != Auction.Status.OPEN:
            editable = set()
        else:
            appendable = {name for name, field in FIELDS.items() if field.append_with_bids}
            editable = appendable if obj.bids.exists() else set(TEXT_FIELDS)
        return tuple(field for field in self.fields if field not in editable)

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:  # noqa: FBT001, ARG002
        """Save by the service, which records an event."""
        columns = [{"category": "category_id"}.get(name, name) for name in form.changed_data]
        changes = {name: getattr(obj, name) for name in columns}
        editing.edit_product(product_id=obj.pk, actor=request.user, changes=changes)  # type: ignore[arg-type]

    @confirmed_action(
        "Delete",
        "The product, its images, log and watches are deleted for good. One that ever had a bid or a buyer stays.",
        permissions=["remove"],
    )
    def delete(self, actor: User, product: Product, *, reason: str) -> str:
        """Delete the products by the service."""
        editing.delete_product(product_id=product.pk, actor=actor, reason=reason)
        return "deleted."

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """Return the page, or the product's page with the error. Django has then rolled back: nothing was written."""
        try:
            return super().changeform_view(request, object_id, *args, **kwargs)
        except DomainError as refusal:
            self.message_user(request, error_text(refusal), messages.ERROR)
            return HttpResponseRedirect(reverse("admin:auctions_product_change", args=(object_id,)))
