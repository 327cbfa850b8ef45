"""The hooks of Schemathesis (SCHEMATHESIS_HOOKS). FUZZ_AS is the email address of the user to sign in as.

Tokens are renewed after seconds, because the requests may end their own session. Uses the database of the server.
"""

from __future__ import annotations

import os
import re
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import django
import schemathesis

django.setup()

from accounts.models import User  # noqa: E402 (after the setup)
from accounts.services import tokens  # noqa: E402
from auctions.models import Bid  # noqa: E402
from tests import schemathesis_run  # noqa: E402

ID = re.compile(r"[0-9]{1,18}")
AMOUNT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

BIDS = [str(key) for key in Bid.objects.values_list("pk", flat=True)]


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Forbid undescribed fields in answers."""
    schemathesis_run.forbid_extra_fields(raw_schema)


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Make most ids those of existing rows."""
    if path_parameters:
        return {name: _there(value) for name, value in path_parameters.items()}
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Use existing categories, products and currencies, usual amounts and future times."""
    if not isinstance(body, dict):
        return body
    return {name: _likely(name, value) for name, value in body.items()}


def _likely(name: str, value: Any) -> Any:
    if name in {"category", "product_id"} and _is_id(value):
        return int(_there(value))
    if name == "currency" and value:
        return "USD"
    if name.endswith("amount") and isinstance(value, str) and AMOUNT.fullmatch(value):
        # A maximum above most amounts.
        return str(int(float(value)) % 100 + (100 if name == "max_amount" else 1))
    if name in {"starts_at", "ends_at"} and isinstance(value, str) and value[:1].isdigit():
        days = zlib.crc32(value.encode()) % 30 + 1
        return (datetime.now(UTC) + timedelta(days=days if name == "ends_at" else 0)).isoformat()
    return value


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and bool(ID.fullmatch(str(value)))


def _there(value: Any) -> Any:
    if _is_id(value):
        return str(int(value) % 9)
    if isinstance(value, str) and UUID.fullmatch(value):
        return BIDS[int(value[-4:], 16) % len(BIDS)]
    return value


if os.environ.get("FUZZ_AS"):

    @schemathesis.auth(refresh_interval=5)
    class Caller:
        """Signs in as the role."""

        def get(self, case: Any, context: Any) -> str:
            user = User.objects.get(email=os.environ["FUZZ_AS"])
            return tokens.sign_in(user=user, user_agent="fuzz", ip=None).access

        def set(self, case: Any, data: str, context: Any) -> None:
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}
