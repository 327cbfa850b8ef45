"""Fields of this app that read strictly."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from rest_framework import serializers

from accounts.models import normalize_email
from auctioncraft.api.fields import SingleLineField

MAX_LOCAL_PART = 64  # characters; RFC 5321, 4.5.3.1.1
_PLAIN = re.compile(r"[!-~]+")  # ASCII without spaces and controls
_ADDRESS = re.compile("\\S@\\S+[.\u3002]\\S")  # the ideographic full stop parts a domain too


class NormalizedEmailField(serializers.EmailField):
    """An e-mail address in its normalised form, which must then be plain ASCII (domains: punycode).

    So a full-width address is the same account, and one with a dotless i or a Cyrillic a is nobody's. Quoted local
    parts and address literals, which Django's validator lets through with control characters, are refused.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Take EmailField's arguments but the length: 254 (RFC 5321), as it came and as it is stored."""
        super().__init__(max_length=254, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the normalised address."""
        text = super().to_internal_value(data) if isinstance(data, str) else ""
        address = normalize_email(text) if len(text) <= 254 else ""
        local = address.rpartition("@")[0]
        if not _PLAIN.fullmatch(address) or any(char in address for char in '"[]') or len(local) > MAX_LOCAL_PART:
            raise serializers.ValidationError("Enter a valid email address.", code="invalid")
        return address


class DisplayNameField(SingleLineField):
    """A name that everybody sees: up to 60 characters, nothing that does not show, no address."""

    def __init__(self, **kwargs: Any) -> None:
        """Take CharField's arguments but the length."""
        super().__init__(max_length=60, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the name in NFC; full-width, it would still be read as the address that it is."""
        name = super().to_internal_value(data)
        if _ADDRESS.search(unicodedata.normalize("NFKC", name)):
            raise serializers.ValidationError("Everybody sees this name: it should not be an e-mail address.")
        return name


class PasswordField(serializers.CharField):
    """A password as it was typed, spaces included; up to 128 characters (NIST SP 800-63B wants 64 or more allowed)."""

    def __init__(self, **kwargs: Any) -> None:
        """Take CharField's arguments but these."""
        super().__init__(max_length=128, trim_whitespace=False, write_only=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the text; a number is not a password."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)
