"""Leave room in the pages of the one row that bids update, so that PostgreSQL updates it in place (HOT).

Measured with 200,000 open auctions: 1.3 times the bids and a fifth of the WAL (ADR 0004).
"""

from django.db import migrations


def set_fillfactor(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("ALTER TABLE auctions_auction SET (fillfactor = 70)")


class Migration(migrations.Migration):
    dependencies = [("auctions", "0001_initial")]

    operations = [migrations.RunPython(set_fillfactor, migrations.RunPython.noop)]
