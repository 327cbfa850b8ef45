"""Search everything that the tests log: no line may contain a code, a token or a secret in use.

Each record is searched twice: as its logger wrote it, since code must not log secrets at all, and as the formatted
line of a process.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, Any

from accounts.services import otp, tokens
from auctioncraft.core import logs, redaction
from payments import stripe_gateway

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# Tokens and Stripe's secrets consist of these characters. 16 in a row are no coincidence.
_WORD = re.compile(r"[\w-]{16,}")
# Not the length of a response, which urllib3 logs after the status.
_CODE_DIGITS = re.compile(r"(?<![\w.])(?<!\" \d\d\d )\d{6}(?:\d\d)?(?!\w)")
# Only at the start of a word: some of Stripe's random ids contain these three letters.
_JWT = re.compile(r"(?<![\w-])eyJ[\w-]{8,}")


class SecretLogWatch(logging.Handler):
    """Reads every log record; keeps those with a secret, and the test that wrote them."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.read = 0
        self.leaks: list[str] = []
        self.codes: set[str] = set()
        self.words: set[str] = set()
        self.settings = {secret for secret in redaction.settings_secrets() if len(secret) >= 8}
        self._forms = (logging.Formatter(), *(logs.formatter(log_format=form) for form in logs.FORMATS))

    def emit(self, record: logging.LogRecord) -> None:
        for form in self._forms:
            self.look_at(form.format(record), record.name)

    def look_at(self, text: str, where: str) -> None:
        """Search a text for secrets."""
        self.read += 1
        if found := self._secret_in(text):
            test = os.environ.get("PYTEST_CURRENT_TEST", "")
            self.leaks.append(f"{found}, by {where}, in {test}: {text}")

    def look_at_files(self, folder: Path) -> None:
        """Search the `*.log` files of a folder."""
        for path in folder.glob("*.log"):
            for line in path.read_text(errors="replace").splitlines():
                self.look_at(line, path.name)

    def _secret_in(self, text: str) -> str:
        if not self.codes.isdisjoint(_CODE_DIGITS.findall(text)):
            return "a one-time code"
        if _JWT.search(text) or not self.words.isdisjoint(_WORD.findall(text)):
            return "a token or a client secret"
        return "a secret of the settings" if any(secret in text for secret in self.settings) else ""

    def collect(self, patch: pytest.MonkeyPatch) -> None:
        """Record every code and token where it is made."""
        reveal, issue, intent = otp.derive_code, tokens._issue, stripe_gateway.intents._intent

        def revealed(code: Any) -> str:
            digits = reveal(code)
            self.codes.add(digits)
            return digits

        def issued(credential: Any) -> tokens.TokenPair:
            pair = issue(credential)
            # The first of the three parts is the same in all tokens.
            self.words.update(pair.access.split(".")[1:], pair.refresh.split(".")[1:])
            return pair

        def translated(found: Any) -> stripe_gateway.Intent:
            result = intent(found)
            self.words.update(_WORD.findall(result.client_secret))
            return result

        patch.setattr(otp, "derive_code", revealed)
        patch.setattr(tokens, "_issue", issued)
        patch.setattr(stripe_gateway.intents, "_intent", translated)
