"""Responses that never arrive (the connection is closed without a byte, as in a network timeout) or arrive late.

ASGI cannot express the former: returning without an answer makes uvicorn send its own 500. So the server's transport is
closed directly.
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
        """Keep the connection open for `seconds`."""
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - nothing is sent
        """Send no response."""
        try:
            async with asyncio.timeout(self.seconds):
                await _gone(receive)
        except TimeoutError:
            transport: asyncio.Transport = scope[TRANSPORT]
            transport.abort()
            await _gone(receive)


class Late(Response):
    """Wait, then answer if the client is still connected. The work was done before the wait."""

    def __init__(self, answer: Response, seconds: float) -> None:
        """Delay `answer` by `seconds`."""
        super().__init__()
        self.answer, self.seconds = answer, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response late."""
        try:
            async with asyncio.timeout(self.seconds):
                await _gone(receive)
        except TimeoutError:
            await self.answer(scope, receive, send)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def with_transport_access(app: ASGIApp) -> ASGIApp:
    """Give the application the connection's transport; uvicorn's `send` is a method of the cycle that owns it."""

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        scope[TRANSPORT] = getattr(getattr(send, "__self__", None), "transport", None)
        await app(scope, receive, send)

    return wrapped
