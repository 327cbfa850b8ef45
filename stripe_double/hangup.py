"""Answers that never come (the connection is held, then closed without a byte, as in a network time-out), or late.

ASGI has no word for the former, and returning without an answer makes uvicorn send a 500 of its own, which the SDK
would take for Stripe's; so the server's transport is closed from under it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

TRANSPORT = "stripe_double.transport"


class HangUp(Response):
    """Wait, unless the client leaves first, and close."""

    def __init__(self, seconds: float) -> None:
        """Hold the connection for `seconds`."""
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Answer nothing."""
        try:
            async with asyncio.timeout(self.seconds):
                await _gone(receive)
        except TimeoutError:
            transport: asyncio.Transport = scope[TRANSPORT]
            transport.abort()
            await _gone(receive)


class Late(Response):
    """Wait, and answer if the client still listens then. What the answer tells of was done before the wait."""

    def __init__(self, answer: Response, seconds: float) -> None:
        """Hold `answer` back for `seconds`."""
        super().__init__()
        self.answer, self.seconds = answer, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer late."""
        try:
            async with asyncio.timeout(self.seconds):
                await _gone(receive)
        except TimeoutError:
            await self.answer(scope, receive, send)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def with_hangup(app: ASGIApp) -> ASGIApp:
    """Hand the connection's transport to the application; uvicorn's `send` is a method of the cycle that owns it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped
