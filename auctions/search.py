"""Looking products up by words: full text on PostgreSQL (migration 0004), plain on SQLite."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from django.db import connection, models
from django.db.models import F, Func, Q, Value

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from auctions.models import Product

# Only the newest this many are ranked: to rank all that a common word finds takes a second for a million products.
MAX_RANKED: Final = 1_000
_WORDS: Final = 10
# Signs that PostgreSQL passes over, and a word or phrase with one minus before it at most: of a chain of minuses it
# says "tsquery stack too small". A dash that stands alone is punctuation.
_PASSED_OVER: Final = re.compile(r"[()!&|]")
_TERM: Final = re.compile(r"""[-\s]*?(-?)("[^"]*"?|[^\s"-][^\s"]*)""")


def filter_by_words(products: QuerySet[Product], words: str) -> QuerySet[Product]:
    """Narrow to the products that `words` find.

    On PostgreSQL as people write to a search engine, "a phrase", or and -not included; elsewhere those with every word
    somewhere in name or description. What holds no word finds nothing, and neither does what only excludes.
    """
    if connection.vendor == "postgresql":
        return products.filter(_Found(F("pk"), Value(_websearch(words))))
    for word in words.split()[:_WORDS]:
        products = products.filter(Q(name__icontains=word) | Q(description__icontains=word))
    return products


def _websearch(words: str) -> str:
    """Return what is safe to hand to websearch_to_tsquery, which takes all that people write but for one thing."""
    return " ".join(minus + term for minus, term in _TERM.findall(_PASSED_OVER.sub(" ", words)))


def order_by_relevance(products: QuerySet[Product], words: str) -> Any:
    """Return what `matching` found, for a list: the best first where the database can tell, else the newest."""
    return _RankedProducts(products, words) if connection.vendor == "postgresql" else products


class _RankedProducts:
    """Found products by rank, as far as they are among the newest MAX_RANKED, and behind them the others by age.

    Sliced and counted by the paginator, as a queryset is.
    """

    def __init__(self, products: Any, words: str) -> None:
        self.products = products
        self.words = _websearch(words)

    def rows(self) -> _RankedProducts:
        """Return itself: its slices are the rows of ProductQuerySet.rows()."""
        return self

    def __getitem__(self, bounds: slice) -> list[dict[str, Any]]:
        """Return the rows of a page: one query, two for the one page that holds the last ranked and the next."""
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

    def count_up_to(self, most: int) -> int:
        """Return how many there are, or `most` if there are more."""
        return int(self.products.order_by().values("pk")[:most].count())


class _Search(Func):
    """Takes the product's key, whose table has the column `search`, and the words."""

    template: Any

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> tuple[str, list[Any]]:
        """Write the template, with the column and the query in it.

        The words are quoted into the SQL: how many products they find decides how they are best looked for, and with a
        parameter PostgreSQL would settle on one plan for all of them. Measured: 96 ms for 17, with a common word.
        """
        key, words = self.get_source_expressions()
        column = f"{compiler.quote_name_unless_alias(key.alias)}.search"
        text = connection.ops.compose_sql("%s", [words.value])
        return self.template.format(search=column, query=_query(text)).replace("%", "%%"), []


def _query(text: str) -> str:
    # The name alone is searched for words that English drops: without them, nothing would be asked for.
    english = f"websearch_to_tsquery('english', {text})"
    return f"(CASE WHEN numnode({english}) > 0 THEN {english} ELSE websearch_to_tsquery('simple', {text}) END)"


class _Found(_Search):
    """Whether it is found. A query that excludes only would be all the others: PostgreSQL calls it T, or nothing."""

    output_field = models.BooleanField()
    template = "({search} @@ {query} AND querytree({query}) NOT IN ('', 'T'))"


class _Rank(_Search):
    """How well it is found: words of the name count more than words of the description."""

    output_field = models.FloatField()
    template = "ts_rank({search}, {query})"
