"""Serializer fields of this app."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from rest_framework import serializers

from accounts.models import normalize_email
from auctioncraft.api.fields import SingleLineField

MAX_LOCAL_PART = 64  # characters; RFC 5321, 4.5.3.1.1
_PLAIN = re.compile(r"[!-~]+")  # ASCII without spaces and controls
_ADDRESS = re.compile("\\S@\\S+[.\u3002]\\S")  # the ideographic full stop separates domain labels too


class NormalizedEmailField(serializers.EmailField):
    """An email address in its normalized form, which must be plain ASCII (domains in punycode).

    A full-width address is the same account; one with a dotless i or a Cyrillic a is refused. Quoted local parts and
    address literals are refused too, because Django's validator accepts control characters in them.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Accept EmailField's arguments except max_length, which is 254 before and after normalization (RFC 5321)."""
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the normalized address."""
        text = super().to_internal_value(data) if isinstance(data, str) else ""
        address = normalize_email(text) if len(text) <= 254 else ""
        local = address.rpartition("@")[0]
        if not _PLAIN.fullmatch(address) or any(char in address for char in '"[]') or len(local) > MAX_LOCAL_PART:
            raise serializers.ValidationError("Enter a valid email address.", code="invalid")
        return address


class DisplayNameField(SingleLineField):
    """A public name: up to 60 visible characters, and no email address."""

    def __init__(self, **kwargs: Any) -> None:
        """Accept CharField's arguments except max_length."""
        super().__init__(max_length=60, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the name in NFC. Full-width addresses are recognized too."""
        name = super().to_internal_value(data)
        if _ADDRESS.search(unicodedata.normalize("NFKC", name)):
            raise serializers.ValidationError("Everybody sees this name. Please do not use an email address.")
        return name


class PasswordField(serializers.CharField):
    """A password as typed, including spaces, of up to 128 characters (NIST SP 800-63B requires at least 64)."""

    def __init__(self, **kwargs: Any) -> None:
        """Accept CharField's other arguments."""
        super().__init__(max_length=128, trim_whitespace=False, write_only=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the text. Numbers are refused."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
