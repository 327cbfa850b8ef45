import pytest

from auctions.models import Category
from auctions.tests import auction_helpers
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/api/categories/"


@pytest.fixture
def tree(seller):
    """Art > Prints > Posters, and Tools; two open products, one that ended."""
    art = factories.category("Art")
    prints = factories.category("Prints", parent=art)
    posters = factories.category("Posters", parent=prints)
    factories.category("Tools")
    factories.product(seller, category_id=prints.pk)
    factories.product(seller, category_id=posters.pk)
    auction_helpers.move_end_to_past(factories.product(seller, category_id=art.pk))
    return art


def test_the_tree_with_its_open_products(client, tree):
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


def test_pages_do_not_overlap_where_names_are_the_same(client):
    Category.objects.bulk_create(Category(name="Same", slug=f"same-{number}") for number in range(30))
    seen = [row["id"] for page in (1, 2, 3) for row in client.get(f"{URL}?page={page}").json()["results"]]
    assert seen == sorted(Category.objects.values_list("pk", flat=True))


@pytest.mark.parametrize("method", ["post", "patch", "delete"])
def test_people_may_not_write(client, as_user, seller, tree, method):
    url = URL if method == "post" else f"{URL}{tree.pk}/"
    answer = getattr(as_user(seller), method)(url, {"name": "Mine"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert getattr(client, method)(url, {"name": "Mine"}).status_code == 401
    assert Category.objects.count() == 4


def test_staff_add_rename_move_and_remove(as_user, staff, tree):
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
    assert caller.delete(f"{URL}{ident}/").status_code == 204
    assert caller.get(f"{URL}{ident}/").status_code == 404


def test_a_ring_is_refused(as_user, staff, tree):
    leaf = Category.objects.get(name="Posters")
    for parent in (tree.pk, leaf.pk):
        answer = as_user(staff).patch(f"{URL}{tree.pk}/", {"parent": leaf.pk if parent == tree.pk else tree.pk})
        assert answer.status_code == 400
        assert answer.json()["errors"] == {"parent": ["A category cannot stand below itself."]}
    assert Category.objects.get(pk=tree.pk).parent is None


def test_a_category_in_use_is_not_removed(as_user, staff, tree):
    for name in ("Art", "Posters"):
        answer = as_user(staff).delete(f"{URL}{Category.objects.get(name=name).pk}/")
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
        ({"name": "New", "parent": "abc"}, "parent"),
        ({"name": "New", "parent": True}, "parent"),
        ({"name": "New", "parent": 1e30}, "parent"),
        ({"name": "New", "parent": []}, "parent"),
    ],
)
def test_bad_input_is_refused_and_named(as_user, staff, tree, body, field):
    answer = as_user(staff).post(URL, body)
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", [field])
    assert Category.objects.count() == 4


def test_it_is_not_replaced(as_user, staff, tree):
    assert as_user(staff).put(f"{URL}{tree.pk}/", {"name": "New"}).status_code == 405


def test_a_hundred_rows_cost_the_queries_of_one(client, tree, django_assert_num_queries):
    with django_assert_num_queries(3):
        client.get(f"{URL}?page_size=100")
    Category.objects.bulk_create(Category(name=f"{number}", slug=f"c{number}", parent=tree) for number in range(96))
    with django_assert_num_queries(3):
        assert len(client.get(f"{URL}?page_size=100").json()["results"]) == 100
