"""The receipt of an order: its content, as HTML and as PDF."""

from payments.receipts.content import Receipt, ReceiptLine, build_receipt
from payments.receipts.rendering import render_html, render_pdf
