"""The keys that sign tokens: one that signs, and earlier ones that still verify while keys are rotated.

HS256 and nothing else, whatever a token's header says (RFC 8725, 3.1). `kid` names the key: a fingerprint of it.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

import jwt
from django.conf import settings
from rest_framework_simplejwt import tokens
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenBackendError

ALGORITHM = "HS256"


class Keyring(TokenBackend):
    """Signs with the first key, verifies with the one that a token names. One that names none is held to the first."""

    def __init__(self, *keys: str, leeway: Any) -> None:
        """`leeway`: by how much our servers' clocks may differ."""
        super().__init__(ALGORITHM, keys[0], leeway=leeway)
        self._kid = fingerprint(keys[0])
        self._verifiers = {fingerprint(key): TokenBackend(ALGORITHM, key, leeway=leeway) for key in keys}

    def encode(self, payload: dict[str, Any]) -> str:
        """Return the signed token."""
        return jwt.encode(payload, self.prepared_signing_key, algorithm=ALGORITHM, headers={"kid": self._kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 (the base's signature)
        """Return the claims. Raises TokenBackendError, for a key that is not ours too."""
        try:
            verifier = self._verifiers[jwt.get_unverified_header(token).get("kid", self._kid)]
        except (jwt.InvalidTokenError, KeyError) as error:
            raise TokenBackendError("Token is invalid") from error
        return verifier.decode(token, verify=verify)


class AccessToken(tokens.AccessToken):
    """An access token under our keys."""

    def get_token_backend(self) -> Keyring:
        """Return the keys."""
        return keyring()


class RefreshToken(tokens.RefreshToken):
    """A refresh token under our keys."""

    def get_token_backend(self) -> Keyring:
        """Return the keys."""
        return keyring()


def fingerprint(key: str) -> str:
    """Return the `kid` of a key. One way: a key of 32 random characters is not found by it."""
    return hashlib.sha256(f"kid:{key}".encode()).hexdigest()[:16]


def keyring() -> Keyring:
    """Return the keys of the settings: JWT_SIGNING_KEY, and those of JWT_SIGNING_KEYS_OLD."""
    return _keyring(settings.JWT_SIGNING_KEY, *settings.JWT_SIGNING_KEYS_OLD)


@lru_cache
def _keyring(*keys: str) -> Keyring:
    return Keyring(*keys, leeway=settings.SIMPLE_JWT["LEEWAY"])
