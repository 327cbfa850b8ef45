"""Errors of this app. Codes are public and never renamed."""

from __future__ import annotations

from auctioncraft.core.errors import Conflict


class AccountInUse(Conflict):
    """The account cannot be deleted yet. `reasons` lists every reason with its product or order."""

    code = "account_in_use"
    detail = "Your account cannot be deleted yet. See the reasons."
