"""One simulated connection: two ends that are asyncio transports, and the bytes between them, late or lost.

What is written at one end arrives at the other after a delay, in order, as on TCP: loss is lateness, and a connection
ends with an EOF, a reset, or without a word. Who reads and who writes are ordinary asyncio protocols, in one loop.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from enum import Enum
from typing import Any, cast

WINDOW_BYTES = 256 * 1024
"""What a connection holds between two programs: both kernels' buffers, about Linux's default; more waits."""

END_AFTER_S = 0.001
"""Between the last bytes of a connection and its end: a server does what it has read of a client that died."""

ON_TCP = (socket.AF_INET, socket.SOCK_STREAM)


class Mark(Enum):
    """What arrives beside bytes."""

    EOF = "eof"
    RESET = "reset"


Item = bytes | Mark


class Pipe:
    """One direction: what is on its way to an end."""

    def __init__(self, loop: asyncio.AbstractEventLoop, delay_s: Callable[["Pipe"], float]):
        self.loop = loop
        self.delay_s = delay_s
        self.reader: End
        self.writer: End
        self.held = 0  # bytes under way or not read yet
        self.hole = False  # whatever comes in never comes out
        self.stalled_s = 0.0  # nothing comes out before
        self._under_way: deque[tuple[float, list[Item]]] = deque()
        self._last_s = self._pushed_s = -1.0
        self._timer: asyncio.TimerHandle | None = None

    def push(self, item: Item) -> None:
        """Send something on its way. What is written at one moment travels together."""
        now_s = self.loop.time()
        if isinstance(item, bytes):
            self.held += len(item)
        if self.hole:
            return
        if now_s == self._pushed_s and self._under_way:
            self._under_way[-1][1].append(item)
            return
        self._pushed_s = now_s
        self._last_s = max(self._last_s, now_s + self.delay_s(self))
        self._under_way.append((self._last_s, [item]))
        self._wait()

    def stall(self, until_s: float) -> None:
        """Let nothing out before a time; it comes then."""
        self.stalled_s = max(self.stalled_s, until_s)

    def release(self) -> None:
        """Let it out now."""
        self.stalled_s = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._wait()

    def drop(self) -> None:
        """Lose what is under way and whatever comes."""
        self.hole = True
        self._under_way.clear()

    def _wait(self) -> None:
        if self._timer is None and self._under_way:
            at_s = max(self._under_way[0][0], self.stalled_s)
            self._timer = self.loop.call_at(at_s, self._deliver, context=self.reader.context)

    def _deliver(self) -> None:
        self._timer = None
        now_s, arrived = self.loop.time(), []
        while now_s >= self.stalled_s and self._under_way and self._under_way[0][0] <= now_s:
            arrived += self._under_way.popleft()[1]
        self._wait()
        if arrived:
            self.reader.arrive(arrived)

    def taken(self, size: int) -> None:
        """The reader has read so much."""
        self.held -= size
        self.writer.drained()


class Handle:
    """What libraries ask of the socket under a transport: options, which mean nothing here, and whether it is readable.

    `fileno` is negative while there is something to read, which is how httpcore sees that an idle connection has ended.
    """

    family, type, proto = *ON_TCP, socket.IPPROTO_TCP

    def __init__(self, end: "End", quiet: socket.socket):
        self._end, self._quiet = end, quiet

    def fileno(self) -> int:
        """A file that is never readable, or none."""
        return -1 if self._end.readable else self._quiet.fileno()

    def setsockopt(self, *_: Any) -> None:
        """Nothing."""

    def getsockname(self) -> tuple[str, int]:
        """Its own address."""
        return cast(tuple[str, int], self._end.get_extra_info("sockname"))

    def getpeername(self) -> tuple[str, int]:
        """The other's."""
        return cast(tuple[str, int], self._end.get_extra_info("peername"))


class End(asyncio.Transport):
    """One end of a connection, as a transport; its protocol is called in the context of who opened it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, out: Pipe, into: Pipe, context: Context):
        super().__init__()
        self.context = context
        self.over = False
        self.watch: Callable[[bytes], None] | None = None
        self._loop, self._out, self._into = loop, out, into
        self._protocol: asyncio.Protocol | None = None  # until it begins
        self._inbox: deque[Item] = deque()
        self._reading = True
        self._closing = self._wrote_eof = self._read_eof = self._writer_waits = False
        self._high = WINDOW_BYTES
        self._about: dict[str, Any] = {}
        out.writer = self
        into.reader = self

    # --- as a transport

    def begin(self, protocol: asyncio.Protocol, about: dict[str, Any]) -> None:
        """Give it its protocol, which hears of its connection."""
        if not self.over:
            self._protocol, self._about = protocol, about
            protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Addresses and the socket."""
        return self._about.get(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Read into another one from now on."""
        self._protocol = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is read into."""
        return self._own

    @property
    def _own(self) -> asyncio.Protocol:
        assert self._protocol is not None, "it has begun"
        return self._protocol

    def is_closing(self) -> bool:
        """Whether it is over or about to be."""
        return self._closing

    def is_reading(self) -> bool:
        """Whether what arrives is handed on."""
        return self._reading and not self._closing

    def pause_reading(self) -> None:
        """Let what arrives wait."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand on what waits."""
        if not self._reading and not self.over:
            self._reading = True
            if self._inbox:
                self._loop.call_soon(self._read, context=self.context)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """What may wait beyond the window before the writer is told to wait."""
        self._high = WINDOW_BYTES + (high or 0)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Below the first a writer goes on, above the second it waits."""
        return WINDOW_BYTES, self._high

    def get_write_buffer_size(self) -> int:
        """What would still be in this program."""
        return max(0, self._out.held - WINDOW_BYTES)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes. Raises RuntimeError after write_eof."""
        if self._wrote_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if not data or self._closing:
            return
        if Mark.RESET in self._inbox:
            self._lose(BrokenPipeError("the other end was reset"))
            return
        self._out.push(bytes(data))
        if self.watch is not None:
            self.watch(bytes(data))
        if self._out.held > self._high and not self._writer_waits:
            self._writer_waits = True
            self._own.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send bytes."""
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        """It can."""
        return True

    def write_eof(self) -> None:
        """Say that nothing more will be written."""
        if not self._wrote_eof and not self._closing:
            self._wrote_eof = True
            self._out.push(Mark.EOF)

    def close(self) -> None:
        """End it after what was written."""
        if not self._closing:
            self.write_eof()
            self._lose(None)

    def abort(self) -> None:
        """End it at once: the other end sees a reset."""
        if not self.over:
            self._out.push(Mark.RESET)
            self._lose(None)

    # --- between the two

    @property
    def readable(self) -> bool:
        """Whether a read would return at once."""
        return bool(self._inbox) or self._read_eof or self.over

    def arrive(self, items: list[Item]) -> None:
        """Take what has come out of the pipe."""
        if self.over:
            if any(isinstance(item, bytes) for item in items):
                self._out.push(Mark.RESET)  # nobody is here to read it
            return
        self._inbox += items
        self._read()

    def drained(self) -> None:
        """The other end has read: the writer may go on."""
        if self._writer_waits and self._out.held <= WINDOW_BYTES and not self.over:
            self._writer_waits = False
            self._own.resume_writing()

    def lose(self, error: Exception | None) -> None:
        """The connection is gone without a word to the other end."""
        self._lose(error)

    def _read(self) -> None:
        inbox, heard = self._inbox, False
        try:
            while inbox and self._reading and not self.over:
                if heard and isinstance(inbox[0], Mark):  # what was said is taken in before the end of who said it
                    self._loop.call_later(END_AFTER_S, self._read, context=self.context)
                    return
                item = inbox.popleft()
                if isinstance(item, bytes):
                    heard = True
                    pieces = [item]
                    while inbox and isinstance(inbox[0], bytes):
                        pieces.append(cast(bytes, inbox.popleft()))
                    data = b"".join(pieces) if len(pieces) > 1 else item
                    self._into.taken(len(data))
                    self._own.data_received(data)
                elif item is Mark.RESET:
                    self._lose(ConnectionResetError("Connection reset by peer"))
                else:
                    self._read_eof = True
                    if not self._own.eof_received():
                        self.close()
        except Exception as error:  # as asyncio's own transports: a protocol that fails loses its connection
            told = {"message": "a protocol failed to read", "exception": error, "transport": self}
            self._loop.call_exception_handler(told)
            self.abort()

    def _lose(self, error: Exception | None) -> None:
        self._closing = True
        if not self.over:
            self.over = True
            self._inbox.clear()
            if self._protocol is not None:
                self._loop.call_soon(self._protocol.connection_lost, error, context=self.context)
