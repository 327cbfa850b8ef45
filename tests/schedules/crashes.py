"""A process that dies: before Stripe is asked, after it has answered, or amid a transaction."""

from __future__ import annotations

from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any
from unittest import mock

from payments import stripe_gateway
from payments.services import order_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

# Of the gateway's names those that ask Stripe to do something, or look at one thing.
CALLS = tuple(name for name in vars(stripe_gateway) if name.startswith(("create_", "cancel_", "retrieve_")))


class Crashed(BaseException):
    """The process is gone. No `except Exception` sees it, as none would see a kill."""


class Crashes:
    """Dies with a chance at each of these moments, while it may."""

    def __init__(self, chance: Random) -> None:
        self.chance, self.odds, self.count = chance, 0.0, 0

    @contextmanager
    def may_happen(self, odds: float = 0.15) -> Iterator[None]:
        """Let the work within die; its work ends there, and the next begins."""
        before, self.odds = self.odds, odds
        try:
            yield
        except Crashed:
            self.count += 1
        finally:
            self.odds = before

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put them where they strike."""
        asks = {name: self._around(getattr(stripe_gateway, name)) for name in CALLS}
        with (
            mock.patch.multiple(stripe_gateway, **asks),
            mock.patch.object(order_log, "record", self._around(order_log.record)),
        ):
            yield

    def _around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(call)
        def crashing(*args: Any, **kwargs: Any) -> Any:
            self._maybe_crash()
            answer = call(*args, **kwargs)
            self._maybe_crash()
            return answer

        return crashing

    def _maybe_crash(self) -> None:
        if self.chance.random() < self.odds:
            raise Crashed
