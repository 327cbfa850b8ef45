"""A receipt as HTML and as PDF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.template.loader import render_to_string

if TYPE_CHECKING:
    from datetime import datetime

    from payments.receipts.content import Receipt


def render_html(receipt: Receipt) -> str:
    """Return the receipt as an HTML page that loads no other resources."""
    return render_to_string("payments/receipt.html", {"receipt": receipt})


def render_pdf(receipt: Receipt, *, at: datetime) -> bytes:
    """Return the receipt as a PDF with `at` (UTC) as its creation date."""
    from payments.receipts import pdf  # noqa: PLC0415 (it costs half a second and 20 MB: only where a PDF is made)

    return pdf.render(receipt, at=at)
