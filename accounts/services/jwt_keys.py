"""The keys of JSON Web Tokens: one that signs, and old ones that still verify during a key rotation.

Only HS256 is accepted, whatever a token's header says (RFC 8725, 3.1). `kid` is a fingerprint of the key.
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
    """Signs with the first key, and verifies with the key that the token names, or else with the first."""

    def __init__(self, *keys: str, leeway: Any) -> None:
        """`leeway`: how much the servers' clocks may differ."""
        super().__init__(ALGORITHM, keys[0], leeway=leeway)
        self._kid = fingerprint(keys[0])
        self._verifiers = {fingerprint(key): TokenBackend(ALGORITHM, key, leeway=leeway) for key in keys}

    def encode(self, payload: dict[str, Any]) -> str:
        """Return the signed token."""
        return jwt.encode(payload, self.prepared_signing_key, algorithm=ALGORITHM, headers={"kid": self._kid})

    def decode(self, token: Any, verify: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002 (the base's signature)
        """Return the claims. Raises TokenBackendError, also for an unknown key."""
        try:
            verifier = self._verifiers[jwt.get_unverified_header(token).get("kid", self._kid)]
        except (jwt.InvalidTokenError, KeyError) as error:
            raise TokenBackendError("Token is invalid") from error
        return verifier.decode(token, verify=verify)


class AccessToken(tokens.AccessToken):
    """An access token signed with the keyring."""

    def get_token_backend(self) -> Keyring:
        """Return the keyring."""
        return keyring()


class RefreshToken(tokens.RefreshToken):
    """A refresh token signed with the keyring."""

    def get_token_backend(self) -> Keyring:
        """Return the keyring."""
        return keyring()


def fingerprint(key: str) -> str:
    """Return the key's `kid`. It does not reveal a random key of 32 characters."""
    return hashlib.sha256(f"kid:{key}".encode()).hexdigest()[:16]


def keyring() -> Keyring:
    """Return the keyring of JWT_SIGNING_KEY and JWT_SIGNING_KEYS_OLD."""
    return _keyring(settings.JWT_SIGNING_KEY, *settings.JWT_SIGNING_KEYS_OLD)


@lru_cache
def _keyring(*keys: str) -> Keyring:
    return Keyring(*keys, leeway=settings.SIMPLE_JWT["LEEWAY"])
