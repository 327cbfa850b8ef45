"""GET /api/products/?search=."""

import importlib

import pytest
from django.db import connection

from auctions import search
from auctions.models import Auction, Product
from auctions.services import watching
from tests import factories

pytestmark = [pytest.mark.sqlite, pytest.mark.django_db]
URL = "/api/products/"

on_postgresql = pytest.mark.skipif("connection.vendor != 'postgresql'", reason="full text is PostgreSQL's")
on_sqlite = pytest.mark.skipif("connection.vendor == 'postgresql'", reason="plain search is SQLite's")


@pytest.fixture
def found(client):
    """Return a function that returns the names of the products found, in order."""

    def ask(words, **query):
        answer = client.get(URL, {"search": words, **query})
        assert answer.status_code == 200, answer.json()
        return [row["name"] for row in answer.json()["results"]]

    return ask


@pytest.fixture
def listed(seller):
    """List a camera, a lens for cameras, a lamp, and a record of The Who."""
    for name, description in (
        ("Folding camera", "With a leather case."),
        ("Lens", "Fits most cameras. No fungus."),
        ("Desk lamp", "Brass, with a shade."),
        ("The Who", "A record."),
    ):
        factories.product(seller, name=name, description=description)


def test_search_finds_words_in_name_and_description(found, listed):
    assert found("lamp") == ["Desk lamp"]
    assert found("LEATHER") == ["Folding camera"]
    assert found("lamp brass") == ["Desk lamp"]
    assert found("lamp leather") == []


def test_search_finds_edited_text(found, listed):
    Product.objects.filter(name="Lens").update(name="Objective", description="")
    assert found("objective") == ["Objective"]
    assert found("fungus") == []


@pytest.mark.parametrize(
    "words",
    [
        *('"', '""', "%", "%%", "_", "\\", "'", "-", "--", "- -", "()", "( & | ! :* <->", "' OR 1=1 --", "*", "!"),
        *("-zebra", "-zebra -quagga", "-the", '-"no such thing"', "!zebra", "\u200b", "\ufffd", "🦓"),
        *('"' * 200, "-" * 200),
        *(
            "-" * 199 + "z",
            "- " * 99 + "z",
            "-(" * 99 + "z",
            '-""' * 60 + "z",
            '"-' * 99,
            "&|!" * 66,
            "(" * 200,
            "zebra " * 33,
            "z" * 200,
            "-z " * 66,
            '"zebra',
            "zebra:*",
        ),
    ],
)
def test_search_of_unusual_text_finds_nothing(found, listed, words):
    assert found(words) == []


@on_postgresql
def test_search_finds_other_forms_of_a_word(found, listed):
    assert set(found("cameras")) == {"Folding camera", "Lens"}
    assert found("fold") == ["Folding camera"]


@on_postgresql
def test_search_supports_phrases_or_and_exclusions(found, listed):
    assert found('"folding camera"') == ["Folding camera"]
    assert found('"camera folding"') == []
    assert found("camera -lens") == ["Folding camera"]
    assert found("camera --lens") == ["Folding camera"]
    assert found("lens - camera") == ["Lens"]
    assert set(found("lamp or lens")) == {"Desk lamp", "Lens"}


@on_postgresql
def test_search_of_exclusions_only_finds_nothing(found, listed):
    assert found("lamp or -zebra") == []


@on_postgresql
def test_search_of_stop_words_looks_in_names(found, listed):
    assert found("the who") == ["The Who"]
    assert found("with") == []
    # Beside other words they are ignored.
    assert found("the lamp") == ["Desk lamp"]


@on_postgresql
def test_search_ranks_names_above_descriptions(found, listed):
    assert found("camera") == ["Folding camera", "Lens"]
    assert found("lens") == ["Lens"]


@on_postgresql
def test_search_with_ordering_is_sorted_by_it(found, listed):
    assert found("camera", ordering="-created_at") == ["Lens", "Folding camera"]
    assert found("camera", ordering="created_at") == ["Folding camera", "Lens"]
    assert found("camera", ordering="") == ["Folding camera", "Lens"]


@on_postgresql
@pytest.mark.parametrize(
    "words", ["lamp%s", "lamp %(a)s", "lamp %%", "lamp'", "lamp\\", "lamp\\'", "{lamp}", "lamp %1 $1"]
)
def test_search_of_sql_is_only_text(found, listed, seller, words):
    factories.product(seller, name=f"A {words} s a 1")
    assert f"A {words} s a 1" in found(words)


@on_postgresql
def test_search_column_accepts_the_longest_text(found, seller):
    words = " ".join(f"w{n}-x{n}.example.com/{n}" for n in range(900))[:20_000]
    for number, text in enumerate(("a" * 20_000, "🦓" * 20_000, "é " * 10_000, "a-" * 10_000, words)):
        factories.product(seller, name=f"Thing {number}", description=text)
    assert len(found("thing")) == 5


@on_sqlite
def test_search_on_sqlite_finds_parts_of_words(found, listed):
    assert found("cam") == ["Lens", "Folding camera"]
    assert found("a m") == ["Desk lamp", "Lens", "Folding camera"]


@on_sqlite
@pytest.mark.parametrize("sign", ["%", "_", '"', "'", "\\"])
def test_search_on_sqlite_takes_wildcards_literally(found, listed, seller, sign):
    factories.product(seller, name=f"a{sign}b")
    assert found(sign) == [f"a{sign}b"]


def test_search_combines_with_filters(found, listed, seller):
    assert found("lamp", seller=seller.pk, status="open", category=Product.objects.first().category_id) == ["Desk lamp"]
    assert found("lamp", has_bids="true") == []


def walk(client, words, size):
    names, url = [], f"{URL}?search={words}&page_size={size}"
    while url:
        answer = client.get(url).json()
        names += [row["name"] for row in answer["results"]]
        url = answer["next"]
    return names, answer["count"]


@on_postgresql
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 12])
def test_search_ranks_the_newest_and_pages_do_not_overlap(client, seller, monkeypatch, size):
    monkeypatch.setattr(search, "MAX_RANKED", 4)
    for number in range(7):
        # The odd ones rank higher.
        better = {"name": f"Lamp {number}"} if number % 2 else {"name": f"Thing {number}", "description": "A lamp"}
        factories.product(seller, **better)
    ranked, by_age = ["Lamp 5", "Lamp 3", "Thing 6", "Thing 4"], ["Thing 2", "Lamp 1", "Thing 0"]
    assert walk(client, "lamp", size) == (ranked + by_age, 7)


@pytest.mark.parametrize("ordering", ["", "-bid_count"])
def test_search_of_a_hundred_needs_the_queries_of_one(client, seller, django_assert_num_queries, ordering):
    query = {"search": "thing", "status": "open", "page_size": 100, "ordering": ordering}
    factories.product(seller)
    with django_assert_num_queries(1):
        client.get(URL, query)
    for _ in range(99):
        factories.product(seller)
    with django_assert_num_queries(1):
        assert len(client.get(URL, query).json()["results"]) == 100


@on_postgresql
def test_search_uses_the_index(seller):
    factories.product(seller)
    with connection.cursor() as cursor:
        # With a few rows PostgreSQL would rather read the table.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
    plan = search.filter_by_words(Product.objects.order_by(), "thing").explain()
    assert "product_search" in plan


@on_postgresql
def test_search_index_is_not_changed_by_bids_and_watches(seller, bidder):
    product = factories.product(seller)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = %s", [Auction._meta.db_table])
        assert not any("gin" in definition for (definition,) in cursor.fetchall())
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('auctions_product'::regclass)")
        before = cursor.fetchone()[0]
        # More than once: the first update may have to move the row to a page with free space.
        for change in (watching.watch, watching.unwatch, watching.watch):
            change(product_id=product.pk, user=bidder)
        cursor.execute("SELECT pg_stat_get_xact_tuples_hot_updated('auctions_product'::regclass)")
        assert cursor.fetchone()[0] > before


@pytest.mark.django_db(transaction=True)
def test_search_migration_can_be_reversed():
    operations = importlib.import_module("auctions.migrations.0001_initial").Migration.operations[-2:]

    def columns():
        with connection.cursor() as cursor:
            return {
                column.name for column in connection.introspection.get_table_description(cursor, "auctions_product")
            }

    def run(direction, steps):
        with connection.schema_editor() as editor:
            for operation in steps:
                getattr(operation, f"database_{direction}")("auctions", editor, None, None)

    full_text = connection.vendor == "postgresql"
    assert ("search" in columns()) == full_text
    run("backwards", reversed(operations))
    assert "search" not in columns()
    run("forwards", operations)
    assert ("search" in columns()) == full_text
