"""React to signals of the apps below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.dispatch import receiver

from accounts.signals import account_discarded
from privacy.services import discarding

if TYPE_CHECKING:
    from accounts.models import DiscardedAccount


@receiver(account_discarded, dispatch_uid="privacy.withdraw_discarded")
def withdraw_after_commit(*, discarded: DiscardedAccount, **_: Any) -> None:
    """Withdraw what the account made as soon as its end is committed. If that fails, the job does it."""
    transaction.on_commit(lambda: discarding.withdraw_now(user_id=discarded.pk), robust=True)
