"""What only PostgreSQL has: free space in the pages of the auction row, and the search vector of products."""

from django.db import migrations


class OnPostgreSQL(migrations.RunSQL):
    """RunSQL on PostgreSQL, nothing on other databases."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label, schema_editor, from_state, to_state):
        if schema_editor.connection.vendor == "postgresql":
            super().database_backwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    dependencies = [("auctions", "0001_initial")]

    operations = [
        # Bids update this one row; with free space PostgreSQL updates it in place (ADR 0004).
        OnPostgreSQL("ALTER TABLE auctions_auction SET (fillfactor = 70)", migrations.RunSQL.noop),
        # English, so that "cameras" finds "camera"; the name once more as written, so that "The Who" is found.
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
