"""The receipt as a PDF: every script that our fonts have is set in it, and what they lack is said."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.receipts import fonts, pdf
from payments.receipts.content import Receipt, ReceiptLine

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NOTO = "5f4dc80cf559530f5bd9ecdbe6c1c2c75b8114f61b929a932ae2c4d365ceef1b"
CJK = "2420e8078af796b19a3f6ef13de527a1a91c1e7171eea115926c614ced1009b3"  # also Debian's fonts-wqy-microhei


TOTAL = ReceiptLine("Total", "1.00", "a note", is_total=True)


def a_receipt(product="A vase", seller="Sam", buyer="Bea", lines=(TOTAL,)):
    return Receipt(
        title="Receipt", number="AC-00000001", payment_status="Paid on 2026-11-20.", product=product, product_id=1,
        seller=seller, buyer=buyer, currency="USD", lines=tuple(lines), site="http://shop.test",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "font"),
    [
        ("Übergröße, Łódź, Ελλάδα, Россия, €", "NotoSans[wght].ttf"),
        ("ساعة قديمة", "NotoSansArabic[wght].ttf"),
        ("שלום", "NotoSansHebrew[wght].ttf"),
        ("हिन्दी", "NotoSansDevanagari[wght].ttf"),
        ("ภาษาไทย", "NotoSansThai[wght].ttf"),
        ("ქართული", "NotoSansGeorgian[wght].ttf"),
        ("漢字仮名", "wqy-microhei.ttc"),
        ("简体繁體", "wqy-microhei.ttc"),
        ("한국어", "wqy-microhei.ttc"),
        ("🎻", "NotoEmoji[wght].ttf"),
    ],
)
def test_each_script_has_a_font(text, font):
    assert fonts.to_printable(text) == text
    assert {found.name for c in text if c.isalpha() and (found := fonts.find_font(c))} <= {font}
    assert fonts.find_font(text[0]).name == font


def test_only_the_fonts_that_are_needed_are_in_it():
    plain = pdf.render(a_receipt(), at=AT)
    mixed = pdf.render(a_receipt(product="漢字 ساعة 🎻"), at=AT)
    assert plain.count(b"/FontFile2") == 1
    assert mixed.count(b"/FontFile2") == 4
    assert len(plain) < 50_000 > len(mixed)


def test_what_no_font_has_is_a_box_and_control_characters_are_dropped():
    assert fonts.to_printable("a\x00b\u202e \n\t c\U00013000\ue000\U0010ffff") == "ab\u202e c□□□"
    assert fonts.to_printable("👨\u200d👩 ❤\ufe0f") == "👨\u200d👩 ❤\ufe0f"


def test_the_same_receipt_at_the_same_time_is_the_same_document():
    assert pdf.render(a_receipt(), at=AT) == pdf.render(a_receipt(), at=AT)


def test_many_lines_go_on_another_page():
    lines = [ReceiptLine("Refunded", "1.00", "2026-11-20")] * 60
    document = pdf.render(a_receipt(lines=lines), at=AT)
    assert len(re.findall(rb"/Type /Page\b", document)) > 2


def test_the_fonts_are_those_we_looked_at():
    noto = hashlib.sha256(
        b"".join(font.read_bytes() for font in sorted((fonts.body(), *fonts.others())) if "Noto" in font.name)
    )
    cjk = next(font for font in fonts.others() if "Noto" not in font.name)
    assert (noto.hexdigest(), hashlib.sha256(cjk.read_bytes()).hexdigest()) == (NOTO, CJK)


@settings(max_examples=15, deadline=None)
@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_no_name_breaks_it(product, seller, buyer):
    assert pdf.render(a_receipt(product, seller, buyer), at=AT).startswith(b"%PDF-")
