"""A receipt on paper: one A4 page or more, set with letters for most scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from fpdf import FPDF

from payments.receipts import fonts

if TYPE_CHECKING:
    from datetime import datetime

    from payments.receipts import Receipt

_BODY: Final = "body"
_MARGIN: Final = 20.0  # millimetres, as everything here
_LABEL: Final = 30.0
_AMOUNT: Final = 60.0
_BOLD: Final = 0.35  # points
_INK: Final = (24, 24, 27)
_QUIET: Final = (82, 82, 91)
_RULE: Final = (212, 212, 216)
# Not to begin with the box: fpdf2 forgets the font of what follows a text that begins with another one's letter.
_FOOTNOTE: Final = (
    f"A {fonts.MISSING_GLYPH} stands for a character that this document has no letter for. The order on the website "
    "shows it as it was written."
)


def render(receipt: Receipt, *, at: datetime) -> bytes:
    """Return the receipt as a PDF made `at`, UTC.

    Characters that no font of ours has are shown as a box, and a footnote says so; nothing is left out in silence.
    """
    return bytes(_Page(receipt, at).output())


class _Page(FPDF):
    """The page. Its names are printable by the time they are set."""

    def __init__(self, receipt: Receipt, at: datetime) -> None:
        super().__init__(format="A4")
        self.set_creation_date(at)
        self.set_title(f"{receipt.title} {receipt.number}")
        self.set_author("AuctionCraft")
        self.set_lang("en")
        self.set_margin(_MARGIN)
        self.set_auto_page_break(auto=True, margin=_MARGIN)
        names = {name: fonts.to_printable(name) for name in (receipt.product, receipt.seller, receipt.buyer)}
        self._load("".join(names.values()))
        self.add_page()
        self._text(f"{receipt.title} {receipt.number}", size=22)
        self._text(receipt.payment_status)
        self.ln(6)
        self._pair("Product", names[receipt.product])
        self._pair("Product no.", str(receipt.product_id))
        self._pair("Sold by", names[receipt.seller])
        self._pair("Bought by", names[receipt.buyer])
        self.ln(6)
        for line in receipt.lines:
            self._sum(line.label, f"{line.amount} {receipt.currency}", line.note, is_total=line.is_total)
        self.ln(8)
        if fonts.MISSING_GLYPH in "".join(names.values()):
            self._text(_FOOTNOTE, size=8, quiet=True)
        self._text(f"AuctionCraft, {receipt.site}. This is not a tax invoice.", size=8, quiet=True)

    def _load(self, text: str) -> None:
        """Open the fonts that the text needs, and no others: each costs tens of milliseconds."""
        self.add_font(_BODY, fname=fonts.body())
        needed = {fonts.find_font(character) for character in text}
        fallbacks = [font for font in fonts.others() if font in needed]
        for font in fallbacks:
            self.add_font(font.name, fname=font)
        self.set_fallback_fonts([font.name for font in fallbacks])
        self.set_text_shaping(use_shaping_engine=True)

    def _text(self, text: str, *, size: float = 11, quiet: bool = False) -> None:
        self.set_font(_BODY, size=size)
        self.set_text_color(*(_QUIET if quiet else _INK))
        self.multi_cell(0, size * 0.55, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _pair(self, label: str, text: str) -> None:
        top = self.get_y()
        self.set_font(_BODY, size=11)
        self.set_text_color(*_QUIET)
        self.cell(_LABEL, 7, label)
        self.set_xy(_MARGIN + _LABEL, top)
        self.set_text_color(*_INK)
        self.multi_cell(0, 7, text, align="L", new_x="LMARGIN", new_y="NEXT")

    def _sum(self, label: str, amount: str, note: str, *, is_total: bool) -> None:
        if self.will_page_break(16):
            self.add_page()
        self.set_draw_color(*_RULE)
        self.line(_MARGIN, self.get_y(), self.w - _MARGIN, self.get_y())
        self.ln(1.5)
        self.set_font(_BODY, size=11)
        self.set_text_color(*_INK)
        # To cut bold letters out of the variable font takes four seconds; to draw their outlines too takes none.
        with self.local_context(text_mode="FILL_STROKE" if is_total else "FILL", line_width=_BOLD):
            self.set_draw_color(*_INK)
            self.cell(self.epw - _AMOUNT, 7, label)
            self.cell(_AMOUNT, 7, amount, align="R")
        self.ln(7)
        if note:
            self._note(note)
        self.ln(1.5)

    def _note(self, note: str) -> None:
        self.set_font(_BODY, size=9)
        self.set_text_color(*_QUIET)
        self.multi_cell(self.epw - _AMOUNT, 5, note, align="L", new_x="LMARGIN", new_y="NEXT")
