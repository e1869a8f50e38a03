"""Frames over a plain socket: a length, then the frame; each is handed out with the time at which it was read."""

import asyncio
from struct import Struct
from time import monotonic_ns

HEAD = Struct("<I")
"""Length of the frame that follows."""


class Framed(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int]] = []
        self.rest = b""
        self.open = True
        self.waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        """Bytes of the socket, stamped before anything is done with them."""
        read_ns = monotonic_ns()
        data, at = self.rest + data, 0
        while len(data) - at >= HEAD.size:
            end = at + HEAD.size + HEAD.unpack_from(data, at)[0]
            if end > len(data):
                break
            self.frames.append((data[at + HEAD.size : end], read_ns))
            at = end
        self.rest = data[at:]
        if self.frames:
            self.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        self.open = False
        self.wake()

    def wake(self) -> None:
        """Let the reader run."""
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def read(self) -> list[tuple[bytes, int]]:
        """Everything that has come; [] at the end."""
        while not self.frames and self.open:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        frames, self.frames = self.frames, []
        return frames


async def connect(port: int) -> Framed:
    """A connection over loopback."""
    _, protocol = await asyncio.get_running_loop().create_connection(Framed, "127.0.0.1", port)
    return protocol
