"""Search products by words: full text on PostgreSQL (column `search`, from a migration), substrings on SQLite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, models
from django.db.models import F, Func, Q, Value

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from auctions.models import Product

# Only this many of the newest are ranked: ranking all matches of a common word takes a second for a million products.
MAX_RANKED: Final = 1_000
_WORDS: Final = 10
# Characters that PostgreSQL ignores; and a word or phrase with at most one minus before it, since a chain of minuses
# is the error "tsquery stack too small". A dash by itself is punctuation.
_IGNORED: Final = re.compile(r"[()!&|]")
_TERM: Final = re.compile(r"""[-\s]*?(-?)("[^"]*"?|[^\s"-][^\s"]*)""")


def filter_by_words(products: QuerySet[Product], words: str) -> QuerySet[Product]:
    """Filter to the products that match `words`.

    On PostgreSQL as in a web search: "a phrase", `or`, `-excluded`. Elsewhere every word must be somewhere in the name
    or the description. A search without words, or with exclusions only, finds nothing.
    """
    if connection.vendor == "postgresql":
        return products.filter(_Found(F("pk"), Value(_websearch(words))))
    for word in words.split()[:_WORDS]:
        products = products.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return products


def _websearch(words: str) -> str:
    """Return `words` in a form that websearch_to_tsquery always accepts."""
    return " ".join(minus + term for minus, term in _TERM.findall(_IGNORED.sub(" ", words)))


def order_by_relevance(products: QuerySet[Product], words: str) -> Any:
    """Sort the matches of `filter_by_words`: best first on PostgreSQL, newest first elsewhere."""
    return _RankedProducts(products, words) if connection.vendor == "postgresql" else products


class _RankedProducts:
    """Matches by rank, if among the newest MAX_RANKED, then the others, newest first.

    The paginator slices and counts it like a queryset.
    """

    def __init__(self, products: Any, words: str) -> None:
        self.products = products
        self.words = _websearch(words)

    def rows(self) -> _RankedProducts:
        """Return itself: its slices are rows of ProductQuerySet.rows()."""
        return self

    def __getitem__(self, bounds: slice) -> list[dict[str, Any]]:
        """Return the rows of a page, with one query; two for the page where the ranked ones end."""
        found: list[dict[str, Any]] = []
        if bounds.start < MAX_RANKED:
            found.extend(self._ranked()[bounds])
        if bounds.stop > MAX_RANKED and len(found) == max(MAX_RANKED - bounds.start, 0):
            found.extend(self.products.rows()[max(bounds.start, MAX_RANKED) : bounds.stop])
        return found

    def _ranked(self) -> QuerySet[Any]:
        candidates = self.products.values("pk")[:MAX_RANKED]
        rank = _Rank(F("pk"), Value(self.words))
        rows: QuerySet[Any] = self.products.model.objects.filter(pk__in=candidates).rows()
        return rows.order_by(rank.desc(), "-created_at", "-id")

    def count_up_to(self, limit: int) -> int:
        """Return how many there are, at most `limit`."""
        return int(self.products.order_by().values("pk")[:limit].count())


class _Search(Func):
    """An expression of the product's key, whose table has the column `search`, and the words."""

    template: Any

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        """Return the template with the column and the query in it.

        The words are quoted into the SQL, not a parameter: the best plan depends on how many products they match, and
        with a parameter PostgreSQL uses one plan for all words (96 ms instead of 17 for a common word).
        """
        key, words = self.get_source_expressions()
        column = f"{compiler.quote_name_unless_alias(key.alias)}.search"
        text = connection.ops.compose_sql("%s", [words.value])
        return self.template.format(search=column, query=_query(text)).replace("%", "%%"), []


def _query(text: str) -> str:
    # If English drops all words ("The Who"), search for them as written.
    english = f"websearch_to_tsquery('english', {text})"
    return f"(CASE WHEN numnode({english}) > 0 THEN {english} ELSE websearch_to_tsquery('simple', {text}) END)"


class _Found(_Search):
    """Whether a product matches. False for exclusions only, whose querytree() is empty or T."""

    output_field = models.BooleanField()
    template = "({search} @@ {query} AND querytree({query}) NOT IN ('', 'T'))"


class _Rank(_Search):
    """How well a product matches. Words in the name count more than words in the description."""

    output_field = models.FloatField()
    template = "ts_rank({search}, {query})"
