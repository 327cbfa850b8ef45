"""Networks from which a user signed in within 90 days. Attempts from there are counted apart from those of strangers.

So strangers who fail on purpose, or request codes in a row, do not lock the owner out. A network becomes known only by
signing in, so nobody gains attempts at other people's accounts; and for codes only if the address is proved, so that
nobody who registered another person's address gains attempts at its codes.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from accounts.models import KnownNetwork
from auctioncraft.core import clock
from auctioncraft.core.client_ip import device_network

if TYPE_CHECKING:
    from datetime import datetime

KNOWN_FOR: Final = timedelta(days=90)
# The newest count. Each has attempts of its own, so a thief of a password must not gain thousands.
MAX_NETWORKS: Final = 20
# The allowance of a live session, wherever it is used.
SIGNED_IN: Final = "signed-in"


def find_allowance(*, email: str, ip: str | None, proved_only: bool = False) -> str:
    """Return the known network of the address's account that `ip` belongs to; empty for a stranger.

    `proved_only`: nor has an account a known network whose address was not proved. One query, whether or not the
    address has an account.
    """
    networks = KnownNetwork.objects.filter(user__email=email, signed_in_at__gt=clock.now() - KNOWN_FOR)
    if proved_only:
        networks = networks.filter(user__email_verified_at__isnull=False)
    newest = networks.order_by("-signed_in_at", "-pk").values("pk")[:MAX_NETWORKS]
    known = KnownNetwork.objects.filter(pk__in=newest, network=device_network(ip))
    return known.values_list("network", flat=True).first() or ""


def record(*, user_id: int, ip: str | None, at: datetime) -> None:
    """Record that the user signed in from the network of `ip`."""
    if network := device_network(ip):
        KnownNetwork.objects.bulk_create(
            [KnownNetwork(user_id=user_id, network=network, signed_in_at=at)],
            update_conflicts=True,
            unique_fields=("user", "network"),
            update_fields=("signed_in_at",),
        )


def forget(*, user_id: int) -> None:
    """Forget the user's networks: another person may have signed in there."""
    KnownNetwork.objects.filter(user_id=user_id).delete()
