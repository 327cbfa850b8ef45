"""What a public name may contain (SingleLineField, DisplayNameField)."""

import pytest
from rest_framework.serializers import ValidationError

from accounts.fields import DisplayNameField

NAMES = {
    "Mike": "Mike",
    "  Mike  ": "Mike",
    "Mike\u00a0the\u3000Great": "Mike the Great",
    "Jose\u0301": "Jos\u00e9",
    "李小龍": "李小龍",
    "می\u200cخواهم": "می\u200cخواهم",  # noqa: RUF001 (Persian)
    "🦊": "🦊",
    "👩\u200d🚀 Sally": "👩\u200d🚀 Sally",
    "❤\ufe0f": "❤\ufe0f",
    "R2-D2": "R2-D2",
    "50% off @ 3 p.m.": "50% off @ 3 p.m.",
    "한국": "한국",
}
UNFIT = {
    "a line break": "Mi\nke",
    "a tab": "Mi\tke",
    "a control": "Mi\x07ke",
    "C1 control": "Mi\u0085ke",
    "zero width space": "Mi\u200bke",
    "word joiner": "Mi\u2060ke",
    "byte order mark": "Mi\ufeffke",
    "soft hyphen": "Mi\u00adke",
    "right to left override": "Mi\u202eke",
    "right to left mark": "Mi\u200fke",
    "isolate": "Mi\u2067ke\u2069",
    "line separator": "Mi\u2028ke",
    "tag": "Mike\U000e0041",
    "private use": "Mi\ue000ke",
    "not assigned": "Mi\u0378ke",
    "Hangul filler": "\u3164",
    "Hangul filler in between": "Mi\u3164ke",
    "half-width Hangul filler": "\uffa0",
    "choseong filler": "\u115f",
    "jungseong filler": "\u1160",
    "empty braille": "\u2800",
    "grapheme joiner": "Mi\u034fke",
    "variation selector": "Mike\U000e0100",
    "Mongolian selector": "Mike\u180b",
    "joiners alone": "\u200d\u200c",
    "a selector alone": "\ufe0f",
    "a mark alone": "\u0301",
    "an address": "mike@example.com",
    "a full-width address": "mike\uff20example\uff0ecom",
    "a small at": "mike\ufe6bexample.com",
    "an ideographic full stop": "mike@example\u3002com",
    "a half-width full stop": "mike@example\uff61com",
    "an address within": "I am mike@example.com, write",
    "nothing": "",
    "spaces": " \u3000",
    "a number": 5,
    "a list": ["Mike"],
    "too long": "x" * 61,
}


@pytest.mark.parametrize(("given", "kept"), NAMES.items())
def test_display_name_in_any_language_is_accepted(given, kept):
    assert DisplayNameField().run_validation(given) == kept


@pytest.mark.parametrize("given", UNFIT.values(), ids=UNFIT)
def test_display_name_invisible_or_address_is_refused(given):
    with pytest.raises(ValidationError):
        DisplayNameField().run_validation(given)


def test_display_name_is_stable_when_sent_back():
    for kept in NAMES.values():
        assert DisplayNameField().run_validation(kept) == kept
