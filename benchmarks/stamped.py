"""A WebSocket client that hands out frames where they are parsed, each with the time its bytes were read."""

import asyncio
from time import monotonic_ns
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State


class Stamped(ClientConnection):
    """One connection."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.frames: list[tuple[bytes, int]] = []
        self.waiter: asyncio.Future[None] | None = None
        self.now_ns = 0

    def data_received(self, data: bytes) -> None:
        """Bytes of the socket."""
        self.now_ns = monotonic_ns()
        super().data_received(data)

    def process_event(self, event: Any) -> None:
        """A whole frame, of the bytes just read; control frames go the library's way."""
        if isinstance(event, Frame) and event.opcode is Opcode.BINARY:
            self.frames.append((bytes(event.data), self.now_ns))
            self.wake()
        else:
            super().process_event(event)

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        super().connection_lost(exc)
        self.wake()

    def wake(self) -> None:
        """Let the reader run."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def read(self) -> list[tuple[bytes, int]]:
        """Everything that has come; [] at the end."""
        while not self.frames and self.state is not State.CLOSED:
            self.waiter = self.loop.create_future()
            await self.waiter
        frames, self.frames = self.frames, []
        return frames
