"""Receipts as PDF: fonts for each script, and a box for characters that no font has."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payments.receipts import fonts, pdf
from payments.receipts.content import Receipt, ReceiptLine

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

TOTAL = ReceiptLine("Total", "1.00", "a note", is_total=True)


def make_receipt(product="A vase", seller="Sam", buyer="Bea", lines=(TOTAL,)):
    return Receipt(
        title="Receipt", number="AC-00000001", payment_status="Paid on 2026-11-20.", product=product, product_id=1,
        seller=seller, buyer=buyer, currency="USD", lines=tuple(lines), site="http://shop.test",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "font"),
    [
        ("Übergröße, Łódź, Ελλάδα, Россия, €", "NotoSans-Regular.ttf"),
        ("ساعة قديمة", "NotoSansArabic-Regular.ttf"),
        ("שלום", "NotoSansHebrew-Regular.ttf"),
        ("हिन्दी", "NotoSansDevanagari-Regular.ttf"),
        ("ภาษาไทย", "NotoSansThai-Regular.ttf"),
        ("ქართული", "NotoSansGeorgian-Regular.ttf"),
        ("漢字仮名", "NotoSansCJKsc-Regular.otf"),
        ("简体繁體", "NotoSansCJKsc-Regular.otf"),
        ("한국어", "NotoSansCJKsc-Regular.otf"),
        ("🎻", "NotoEmoji-Regular.ttf"),
    ],
)
def test_font_for_each_script_is_found(text, font):
    assert fonts.to_printable(text) == text
    assert {found.name for c in text if c.isalpha() and (found := fonts.find_font(c))} <= {font}
    assert fonts.find_font(text[0]).name == font


def test_pdf_embeds_only_the_fonts_it_needs():
    plain = pdf.render(make_receipt(), at=AT)
    mixed = pdf.render(make_receipt(product="漢字 ساعة 🎻"), at=AT)
    assert [len(re.findall(rb"/FontFile[23]", document)) for document in (plain, mixed)] == [2, 5]
    assert len(plain) < 50_000 > len(mixed)


def test_printable_text_replaces_missing_characters_and_drops_control_characters():
    assert fonts.to_printable("a\x00b\u202e \n\t c\U00013000\ue000\U0010ffff") == "ab\u202e c□□□"
    assert fonts.find_font(fonts.MISSING_GLYPH)
    assert fonts.to_printable("👨\u200d👩 ❤\ufe0f") == "👨\u200d👩 ❤\ufe0f"


def test_pdf_of_the_same_receipt_and_time_is_identical():
    assert pdf.render(make_receipt(), at=AT) == pdf.render(make_receipt(), at=AT)


def test_pdf_with_many_lines_has_more_pages():
    lines = [ReceiptLine("Refunded", "1.00", "2026-11-20")] * 60
    document = pdf.render(make_receipt(lines=lines), at=AT)
    assert len(re.findall(rb"/Type /Page\b", document)) > 2


@settings(max_examples=8, deadline=None)
@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_pdf_with_any_unicode_name_is_made(product, seller, buyer):
    assert pdf.render(make_receipt(product, seller, buyer), at=AT).startswith(b"%PDF-")
