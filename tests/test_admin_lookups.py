"""Staff read of the admin what its pages show, and nothing else: not by filters, searches, orders or completions."""

import re
from decimal import Decimal
from html import unescape

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django_otp.plugins.otp_totp.models import TOTPDevice

from accounts.models import OneTimeCode, Session, User
from accounts.services import otp, tokens
from auctioncraft.admin import BaseAdmin
from auctions.models import Auction, AuctionEvent, Bid, Product
from auctions.tests import auction_helpers
from tests import admin_pages, factories
from tests.admin_pages import page

pytestmark = pytest.mark.django_db
MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
BY_LABEL = {"argvalues": MODELS, "ids": lambda model: model._meta.label}
LOOKUPS = ("", "exact", "gte", "lt", "startswith", "contains", "regex", "in", "range", "isnull", "length__gte", "year")
# Without these a list would be useless; a page that links to more of them fails below.
WIDEST = {"", "exact", "isnull", "isempty", "gte", "lt", "year", "month", "day"}


@pytest.fixture
def desk():
    """Support staff with every permission, and no superuser."""
    desk = admin_pages.clerk()
    admin_pages.user(desk).user_permissions.set(Permission.objects.all())
    return desk


@pytest.fixture
def request_of(desk):
    return desk.get("/admin/").wsgi_request


def paths(model, depth=2, before=""):
    """Yield the path of each field of a model, and of those related to it in any direction, up to `depth` deep."""
    for field in model._meta.get_fields(include_hidden=True):
        yield f"{before}{field.name}"
        if field.is_relation and depth and field.related_model:
            yield from paths(field.related_model, depth - 1, f"{before}{field.name}__")


def declared(model_admin):
    """Return the fields and parameters that a list filters by, as its class declares them."""
    filters = [item[0] if isinstance(item, (list, tuple)) else item for item in model_admin.list_filter]
    names = {item if isinstance(item, str) else item.parameter_name for item in filters}
    return names | {model_admin.date_hierarchy} - {None}


@pytest.mark.parametrize("model", **BY_LABEL)
def test_every_registered_admin_has_our_base(model):
    assert isinstance(admin.site._registry[model], BaseAdmin)


@pytest.mark.parametrize("model", **BY_LABEL)
def test_lookups_of_all_fields_and_relations_are_refused_but_those_of_the_filters(model, request_of):
    model_admin = admin.site._registry[model]
    own = declared(model_admin)
    tried = answered = 0
    for path in {*paths(model)}:
        for lookup in LOOKUPS:
            tried += 1
            name = f"{path}__{lookup}".removesuffix("__")
            if model_admin.lookup_allowed(name, "2026", request_of):
                answered += 1
                field = next((one for one in own if name == one or name.startswith(f"{one}__")), None)
                assert field, name
                assert name.removeprefix(field).rpartition("__")[2] in WIDEST, name
    assert answered < min(40, tried)


@pytest.mark.parametrize("model", **BY_LABEL)
def test_lookups_of_own_columns_over_http_are_400(model, desk):
    allowed = declared(admin.site._registry[model])
    for field in model._meta.concrete_fields:
        for lookup in ("gte", "startswith"):
            answer = desk.get(page(model), {f"{field.name}__{lookup}": "1"})
            assert answer.status_code == 400 or (field.name in allowed and lookup == "gte"), (field.name, lookup)


@pytest.mark.parametrize("model", **BY_LABEL)
def test_every_link_of_a_list_is_answered(model, desk, seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    tokens.sign_in(user=bidder, user_agent="tests", ip=None)
    text = desk.get(page(model)).content.decode()
    for link in {unescape(link) for link in re.findall(r'href="(\?[^"#]*)"', text)}:
        answer = desk.get(page(model) + link)
        assert answer.status_code == 200, link
        assert "e=1" not in answer.request["QUERY_STRING"]


def test_hidden_amounts_and_secrets_are_not_answered(desk, seller, bidder):
    product = factories.product(seller, reserve_price=Decimal("43.21"))
    auction_helpers.bid(product, bidder, "5", max_amount="700")
    boss = User.objects.create_superuser("boss@example.com", "correct horse battery")
    device = TOTPDevice.objects.create(user=boss, name="Telephone")
    code = otp.request_code(email="new@example.com", ip=None)
    tokens.sign_in(user=bidder, user_agent="tests", ip=None)
    probes = [
        (Auction, "leader_max__gte", "1"),
        (Auction, "product__reserve_price__gte", "1"),
        (Bid, "max_amount__gte", "1"),
        (Bid, "amount", "5"),
        (Bid, "product__auction__leader_max__gte", "1"),
        (Product, "reserve_price__gte", "1"),
        (Product, "auction__leader_max__gte", "1"),
        (Product, "bids__max_amount__gte", "1"),
        (AuctionEvent, "private__bidder", bidder.pk),
        (TOTPDevice, "key__startswith", device.key[0]),
        (TOTPDevice, "user__password__startswith", "a"),
        (User, "password__startswith", "a"),
        (User, "totpdevice__key__startswith", device.key[0]),
        (User, "token_version", "1"),
        (Session, "token_hash__startswith", "0"),
        (OneTimeCode, "nonce__startswith", code.nonce[0]),
    ]
    for model, name, value in probes:
        assert desk.get(page(model), {name: value}).status_code == 400, name
        # An action, and "select all", apply the same filters.
        form = {"action": "anything", "_selected_action": [1], "select_across": 1}
        assert desk.post(f"{page(model)}?{name}={value}", form).status_code == 400, name


def test_search_of_a_relation_needs_the_permission_to_view_it(seller, bidder):
    product = factories.product(seller)
    auction_helpers.bid(product, bidder, "5")
    without = admin_pages.clerk()
    with_users = admin_pages.clerk("view_bid", "view_user")
    assert "0 results" not in with_users.get(page(Bid), {"q": "bidder@ex"}).content.decode()
    assert str(Bid.objects.get().pk) in with_users.get(page(Bid), {"q": "bidder@ex"}).content.decode()
    assert str(Bid.objects.get().pk) not in without.get(page(Bid), {"q": "bidder@ex"}).content.decode()
    assert str(Bid.objects.get().pk) in without.get(page(Bid), {"q": str(product.pk)}).content.decode()


@pytest.mark.parametrize("model", **BY_LABEL)
def test_searched_and_ordered_columns_are_shown(model, request_of):
    """A search or an order over a column that the pages hide would show its contents."""
    model_admin = admin.site._registry[model]
    fields = [field for _, options in model_admin.get_fieldsets(request_of, None) for field in options["fields"]]
    shown = {*model_admin.get_list_display(request_of), *fields, model._meta.pk.name}
    shown |= {getattr(getattr(model_admin, str(name), name), "admin_order_field", None) for name in shown}
    searched = {path.lstrip("=^@") for path in model_admin.get_search_fields(request_of) if "__" not in path}
    assert searched <= shown
    hidden = {Auction: {"leader_max"}, Product: {"reserve_price"}, Bid: {"amount", "max_amount"}}.get(model, set())
    assert not shown & hidden


@pytest.mark.parametrize("model", **BY_LABEL)
def test_rows_are_found_by_their_key_only(model, desk, request_of):
    model_admin = admin.site._registry[model]
    for field in model._meta.concrete_fields:
        assert model_admin.to_field_allowed(request_of, field.name) == field.primary_key
    other = next(field.name for field in model._meta.concrete_fields if not field.primary_key)
    assert desk.get(page(model), {"_to_field": other}).status_code == 400
    assert desk.get(page(model, "change", "1"), {"_to_field": other}).status_code == 400


def test_completions_search_what_the_list_searches(desk, seller):
    product = factories.product(seller, reserve_price=Decimal("43.21"))
    address = "/admin/autocomplete/"
    query = {"app_label": "auctions", "model_name": "bid", "field_name": "product"}
    assert desk.get(address, {**query, "term": str(product.pk)}).json()["results"]
    assert not desk.get(address, {**query, "term": "43.21"}).json()["results"]
    without = admin_pages.clerk("view_bid")
    assert without.get(address, {**query, "term": "1"}).status_code == 403
    assert desk.get(address, {"app_label": "x", "model_name": "y", "field_name": "z"}).status_code == 403


HOSTILE = (
    *("q=%00", "q=%22", "q=99999999999999999999999", "q=%ed%a0%80", "p=x", "p=-1", "p=99999999999999999999", "e=1"),
    *(
        "o=9.x.-.1e5",
        "o=%00",
        "all=x",
        "_facets=x",
        "_popup=1",
        "_changelist_filters=%00",
        "_to_field=password",
        "a%00=1",
    ),
    *("id=x", "pk__in=1", "private__a=1", "created_at__year=x", "created_at__year=9999", "created_at__year=0"),
    *("created_at__year=2026&created_at__month=12&created_at__day=99", "created_at__year=1&created_at__month=99"),
    *("created_at__gte=x", "created_at__gte=99999-01-01", "created_at__gte=0001-01-01", "created_at__gte=%00"),
    *("status__exact=%00", "status__exact=x", "status__isnull=x", "paid_at__isempty=x", "category__id__exact=x"),
    *("category__id__exact=99999999999999999999", "strikes=x", "strikes=99999999999999999999", "is_active__exact=x"),
    *("kind=%F0%9F%98%80", "currency=%00", "currency=" + "x" * 5000, "attention=x", "attention=%00"),
)


@pytest.mark.parametrize("model", **BY_LABEL)
def test_hostile_queries_of_lists_are_no_500(model, desk):
    desk.raise_request_exception = False
    found = {query: desk.get(f"{page(model)}?{query}").status_code for query in HOSTILE}
    assert {query: status for query, status in found.items() if status >= 500} == {}


@pytest.mark.parametrize(
    "path",
    [
        *("search/?s=a&page=x", "search/?s=a&page=99", "search/?s=%00", "search/?s=a&extended=1", "jsi18n/?x=%00"),
        *("r/1/1/", "r/99999999999999999999/1/", "r/x/y/", "auctions/product/%00/change/", "auctions/bid/x/change/"),
        *("auctions/bid/x/history/", "auctions/product/99999999999999999999/change/", "accounts/user/add/?email=%00"),
        *("auctions/category/add/?parent=x", "auctions/category/add/?parent=99999999999999999999", "nowhere/"),
        "autocomplete/?app_label=auctions&model_name=bid&field_name=product&term=%00",
        "autocomplete/?app_label=auctions&model_name=bid&field_name=product&term=1&page=x",
    ],
)
def test_hostile_addresses_are_no_500(path):
    operator = admin_pages.operator()
    operator.raise_request_exception = False
    assert operator.get(f"/admin/{path}").status_code < 500


def test_hostile_selections_are_no_500(desk):
    desk.raise_request_exception = False
    for selected in ("\0", "x", "99999999999999999999"):
        for model in (User, Product, Bid):
            form = {"action": "delete", "_selected_action": [selected], "select_across": "x"}
            assert desk.post(page(model), {**form, "index": "9"}).status_code < 500
            assert desk.post(page(model), {**form, "action": "void\0"}).status_code < 500
            assert desk.post(page(model), {**form, "action": "disable"}).status_code < 500
