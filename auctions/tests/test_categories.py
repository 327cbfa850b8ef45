"""/api/categories/."""

import pytest

from accounts.models import StaffAction
from auctions.invariants.category_counts import check_category_counts
from auctions.models import Category
from auctions.services import categories, closing
from auctions.services.editing import edit_product
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/categories/"


@pytest.fixture
def tree(seller):
    """Return Art of Art > Prints > Posters and Tools, with two open products and an ended one."""
    art = factories.category("Art")
    prints = factories.category("Prints", parent=art)
    posters = factories.category("Posters", parent=prints)
    factories.category("Tools")
    factories.product(seller, category_id=prints.pk)
    factories.product(seller, category_id=posters.pk)
    auction_helpers.move_end_to_past(factories.product(seller, category_id=art.pk))
    categories.count_open_products()
    return art


def test_categories_list_has_the_open_products_of_each_subtree(client, tree):
    art, posters, prints, tools = Category.objects.order_by("name")
    row = {"open_products": 0, "parent": None}
    assert client.get(URL).json() == {
        "count": 4,
        "next": None,
        "previous": None,
        "results": [
            {"id": art.pk, "name": "Art", "slug": "art", "parent": None, "open_products": 2},
            {"id": posters.pk, "name": "Posters", "slug": "posters", "parent": prints.pk, "open_products": 1},
            {"id": prints.pk, "name": "Prints", "slug": "prints", "parent": art.pk, "open_products": 2},
            {**row, "id": tools.pk, "name": "Tools", "slug": "tools"},
        ],
    }
    assert client.get(f"{URL}{art.pk}/").json()["open_products"] == 2


def test_categories_pages_with_equal_names_do_not_overlap(client):
    Category.objects.bulk_create(Category(name="Same", slug=f"same-{number}") for number in range(30))
    seen = [row["id"] for page in (1, 2, 3) for row in client.get(f"{URL}?page={page}").json()["results"]]
    assert seen == sorted(Category.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_categories_write_by_non_staff_is_refused(client, as_user, seller, tree, method):
    url = URL if method == "post" else f"{URL}{tree.pk}/"
    answer = getattr(as_user(seller), method)(url, {"name": "Mine"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert getattr(client, method)(url, {"name": "Mine"}).status_code == 401
    assert Category.objects.count() == 4


def test_categories_are_created_updated_and_deleted_by_staff(as_user, staff, tree):
    caller = as_user(staff)
    added = caller.post(URL, {"name": "Étchings & more", "parent": tree.pk})
    assert added.status_code == 201
    ident = added.json()["id"]
    assert added.json() == {
        "id": ident,
        "name": "Étchings & more",
        "slug": "etchings-more",
        "parent": tree.pk,
        "open_products": 0,
    }
    moved = caller.patch(f"{URL}{ident}/", {"name": "Etchings", "parent": None, "slug": "e"})
    assert moved.json() == {"id": ident, "name": "Etchings", "slug": "e", "parent": None, "open_products": 0}
    assert caller.patch(f"{URL}{tree.pk}/", {"name": "Arts"}).json()["open_products"] == 2
    assert caller.delete(f"{URL}{ident}/").json()["errors"].keys() == {"reason"}
    assert caller.delete(f"{URL}{ident}/", {"reason": "A slip."}).status_code == 204
    action = StaffAction.objects.get()
    assert (action.actor, action.action, action.target) == (staff, "category_deleted", f"category {ident} e")
    assert caller.get(f"{URL}{ident}/").status_code == 404


def test_category_below_itself_is_refused(as_user, staff, tree):
    leaf = Category.objects.get(name="Posters")
    for parent in (tree.pk, leaf.pk):
        answer = as_user(staff).patch(f"{URL}{tree.pk}/", {"parent": leaf.pk if parent == tree.pk else tree.pk})
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"parent": ["A category cannot be below itself."]}
    assert Category.objects.get(pk=tree.pk).parent is None


def test_category_in_use_cannot_be_deleted(as_user, staff, tree):
    for name in ("Art", "Posters"):
        answer = as_user(staff).delete(f"{URL}{Category.objects.get(name=name).pk}/", {"reason": "A slip."})
        assert answer.status_code == 409
        assert answer.json() == {
            "code": "category_in_use",
            "detail": "This category has products or categories below it.",
        }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "a" * 81}, "name"),
        ({"name": "🎉"}, "slug"),
        ({"name": "Art"}, "slug"),
        ({"name": "New", "slug": "art"}, "slug"),
        ({"name": "New", "slug": "a b"}, "slug"),
        ({"name": "New", "parent": 999_999}, "parent"),
    ],
)
def test_category_with_invalid_field_is_refused(as_user, staff, tree, body, field):
    answer = as_user(staff).post(URL, body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", [field])
    assert Category.objects.count() == 4


def test_category_put_is_not_allowed(as_user, staff, tree):
    assert as_user(staff).put(f"{URL}{tree.pk}/", {"name": "New"}).status_code == 405


def test_categories_list_of_a_hundred_needs_the_queries_of_one(client, tree, django_assert_num_queries):
    with django_assert_num_queries(1):
        client.get(f"{URL}?page_size=100")
    Category.objects.bulk_create(Category(name=f"{number}", slug=f"c{number}", parent=tree) for number in range(96))
    with django_assert_num_queries(1):
        assert len(client.get(f"{URL}?page_size=100").json()["results"]) == 100


def test_category_count_follows_closes_edits_and_moves(tree, seller, staff):
    _, posters, prints, tools = Category.objects.order_by("name")
    closing.cancel_auction(product_id=posters.products.get().pk, actor=seller)
    edit_product(product_id=prints.products.get().pk, actor=seller, changes={"category_id": tools.pk})
    categories.save_category(category=tools, parent=posters)
    categories.count_open_products()
    counts = dict(Category.objects.values_list("name", "open_products"))
    assert counts == {"Art": 1, "Posters": 1, "Prints": 1, "Tools": 1}


def test_category_count_is_not_replaced_by_a_save_with_an_old_one(tree):
    old = Category.objects.get(name="Prints")
    Category.objects.filter(pk=old.pk).update(open_products=7)
    categories.save_category(category=old, name="Graphics")
    assert Category.objects.get(pk=old.pk).open_products == 7


def test_category_count_below_the_open_products_breaks_the_invariant(tree):
    assert list(check_category_counts()) == []
    Category.objects.filter(pk=tree.pk).update(open_products=1)
    assert list(check_category_counts()) == [f"category {tree.pk}: counts 1 open products, at least 2 were"]


def test_category_count_from_before_a_listing_keeps_the_invariant(tree, seller):
    factories.product(seller, category_id=tree.pk)
    assert list(check_category_counts()) == []


def test_category_create_repeated_with_the_same_key_creates_one(as_user, staff):
    caller = as_user(staff)
    first, again = (caller.post(URL, {"name": "Lamps"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    assert (first.status_code, again.status_code, first.json()) == (201, 201, again.json())
    assert caller.post(URL, {"name": "Chairs"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 422
