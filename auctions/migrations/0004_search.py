"""The search vector of products, on PostgreSQL alone; the models do not know it (auctions/search.py does).

English, not simple: what is listed here is described in English, and people who look for "cameras" mean "camera" too.
Words of other languages are found as they were written, give or take an English ending. English drops its stop words,
so the name is in it once more as it stands: "The Who" is found, if nothing but such words is asked for.

It rewrites the table and keeps everybody out meanwhile (docs/operations.md, Migrations). Bids do not touch this table.
"""

from django.db import migrations


class OnPostgreSQL(migrations.RunSQL):
    """RunSQL where the database is PostgreSQL, nothing elsewhere."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):

    dependencies = [("auctions", "0003_lifecycle")]

    operations = [
        OnPostgreSQL(
            """
            ALTER TABLE auctions_product ADD COLUMN search tsvector GENERATED ALWAYS AS (
                setweight(to_tsvector('english', name), 'A')
                || setweight(to_tsvector('simple', name), 'A')
                || setweight(to_tsvector('english', description), 'B')
            ) STORED
            """,
            "ALTER TABLE auctions_product DROP COLUMN search",
        ),
        OnPostgreSQL(
            "CREATE INDEX product_search ON auctions_product USING gin (search)",
            "DROP INDEX product_search",
        ),
    ]
