"""Load the demo data."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from auctions.demo import content, loader


class Command(BaseCommand):
    """Fill a development database with accounts, products and bids."""

    help = "Load the demo data (development only). Run it again for auctions that end within minutes."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 (Django's signature)
        if not settings.DEBUG:
            raise CommandError("load_demo creates accounts with a public password. It needs DEBUG=on.")
        with Progress(
            TextColumn("Demo data"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            console=Console(file=sys.stdout),
            transient=True,
            disable=not self.stdout.isatty(),
        ) as progress:
            task = progress.add_task("", total=loader.STEPS)

            def on_progress(name: str) -> None:
                progress.update(task, advance=1, description=name)

            loaded = loader.load(on_progress=on_progress)
        self._report(loaded)

    def _report(self, loaded: loader.Loaded) -> None:
        added = f"{loaded.added} products added" if loaded.added else "nothing to add"
        sellers, bidders = list(content.SELLERS), list(content.BIDDERS)
        unpaid = "none, the buyer is suspended or needs a card"
        if loaded.unpaid_product_id is not None:
            unpaid = f"product {loaded.unpaid_product_id}, by {content.BUYER}"
        lines = (
            f"Demo data: {added}.",
            f"Staff: {content.STAFF}",
            f"Buyer: {content.BUYER}",
            f"Sellers: {', '.join(sellers)}",
            f"Bidders: {bidders[0]} to {bidders[-1]}",
            f"Password of all accounts: {content.PASSWORD}",
            f"Won and unpaid: {unpaid}",
        )
        self.stdout.write("\n".join(lines))
