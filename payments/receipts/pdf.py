"""Receipts as PDF: A4, one page or more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fpdf import FPDF

from payments.receipts import fonts

if TYPE_CHECKING:
    from datetime import datetime

    from payments.receipts.content import Receipt

_FONT: Final = "text"
_MARGIN: Final = 20.0  # mm, like all lengths here
_LABEL_WIDTH: Final = 30.0
_AMOUNT_WIDTH: Final = 60.0
_TEXT_COLOR: Final = (24, 24, 27)
_MUTED_COLOR: Final = (82, 82, 91)
_LINE_COLOR: Final = (212, 212, 216)
# The box must not come first: fpdf2 loses the font of a text whose first character needs a fallback font.
_FOOTNOTE: Final = (
    f"A {fonts.MISSING_GLYPH} replaces a character that the fonts of this document do not have. "
    "The order on the website shows it."
)


def render(receipt: Receipt, *, at: datetime) -> bytes:
    """Return the receipt as a PDF with `at` (UTC) as its creation date.

    A character that no font has is printed as a box, which a footnote explains.
    """
    return bytes(_ReceiptPdf(receipt, at).output())


class _ReceiptPdf(FPDF):
    """The document of one receipt."""

    def __init__(self, receipt: Receipt, at: datetime) -> None:
        super().__init__(format="A4")
        self.set_creation_date(at)
        self.set_title(f"{receipt.title} {receipt.number}")
        self.set_author("AuctionCraft")
        self.set_lang("en")
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN)
        names = {name: fonts.to_printable(name) for name in (receipt.product, receipt.seller, receipt.buyer)}
        all_names = "".join(names.values())
        self._load_fonts(all_names)
        self.add_page()
        self._add_text(f"{receipt.title} {receipt.number}", size=22)
        self._add_text(receipt.payment_status)
        self.ln(6)
        self._add_field("Product", names[receipt.product])
        self._add_field("Product ID", str(receipt.product_id))
        self._add_field("Seller", names[receipt.seller])
        self._add_field("Buyer", names[receipt.buyer])
        self.ln(6)
        for line in receipt.lines:
            self._add_amount(line.label, f"{line.amount} {receipt.currency}", line.note, is_total=line.is_total)
        self.ln(8)
        if fonts.MISSING_GLYPH in all_names:
            self._add_text(_FOOTNOTE, size=8, muted=True)
        self._add_text(f"AuctionCraft, {receipt.site}. This is not a tax invoice.", size=8, muted=True)

    def _load_fonts(self, text: str) -> None:
        """Load only the fonts that the text needs: each takes tens of milliseconds."""
        self.add_font(_FONT, fname=fonts.TEXT_FONT)
        self.add_font(_FONT, style="B", fname=fonts.BOLD_FONT)
        needed = {fonts.find_font(character) for character in text}
        fallbacks = [font for font in fonts.FALLBACK_FONTS if font in needed]
        for font in fallbacks:
            self.add_font(font.name, fname=font)
        self.set_fallback_fonts([font.name for font in fallbacks])
        self.set_text_shaping(use_shaping_engine=True)

    def _add_text(self, text: str, *, size: float = 11, muted: bool = False) -> None:
        self.set_font(_FONT, size=size)
        self.set_text_color(*(_MUTED_COLOR if muted else _TEXT_COLOR))
        self.multi_cell(0, size * 0.55, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _add_field(self, label: str, text: str) -> None:
        top = self.get_y()
        self.set_font(_FONT, size=11)
        self.set_text_color(*_MUTED_COLOR)
        self.cell(_LABEL_WIDTH, 7, label)
        self.set_xy(_MARGIN + _LABEL_WIDTH, top)
        self.set_text_color(*_TEXT_COLOR)
        self.multi_cell(0, 7, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _add_amount(self, label: str, amount: str, note: str, *, is_total: bool) -> None:
        if self.will_page_break(16):
            self.add_page()
        self.set_draw_color(*_LINE_COLOR)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())
        self.ln(1.5)
        self.set_font(_FONT, style="B" if is_total else "", size=11)
        self.set_text_color(*_TEXT_COLOR)
        self.cell(self.epw - _AMOUNT_WIDTH, 7, label)
        self.cell(_AMOUNT_WIDTH, 7, amount, align="R")
        self.ln(7)
        if note:
            self.set_font(_FONT, size=9)
            self.set_text_color(*_MUTED_COLOR)
            self.multi_cell(self.epw - _AMOUNT_WIDTH, 5, note, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(1.5)
