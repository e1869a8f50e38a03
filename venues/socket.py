"""One WebSocket to a venue: connect with a deadline, ping, hand on frames as bytes, say in a word why it ended.

Frames are read in the loop's own callback and wait in a list until somebody takes them, so reading needs no task.
A library's general parser costs 3 µs a frame, most of the way to a decision; what a venue sends is mostly one kind of
frame, so whole unfragmented data frames are cut out here and every other byte goes to `websockets`: handshake, close,
ping, fragments, and whatever breaks the protocol (RFC 6455).

Times are those of the Clock. `received_ns` is when the bytes left the kernel, before anything was done with them.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache, partial
from typing import Any, cast

from msgspec import Struct
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.frames import DATA_OPCODES, Frame, Opcode
from websockets.protocol import Event, State

from supervisor.clock import NS_PER_S, Clock, Timer
from venues.venue import VenueUnreachable

PONG_BYTES_MAX = 64
"""A longer frame is not looked at for being a pong that is a message; Hyperliquid's has 18 bytes."""

TEXT_WHOLE, BINARY_WHOLE = 0x81, 0x82  # first byte of a frame that is a message of its own (RFC 6455, 5.2)
LENGTH_16, LENGTH_64, LENGTH_PLAIN_MAX = 126, 127, 127  # second byte; above 127 a frame is masked, which no server may
HEAD_END = b"\r\n\r\n"
HEAD_BYTES_MAX = 65_536
"""An answer to the handshake that is longer is left to the library, which refuses it."""

RESUME_SHARE = 4
"""Reading is resumed when no more than this part of the frames allowed is left."""


class Why(StrEnum):
    """Why a connection ended, or never was."""

    UNREACHABLE = "unreachable"  # no name, no route, refused, TLS
    REFUSED = "refused"  # an answer to the handshake that is not 101
    TIMEOUT = "timeout"  # no connection within the deadline
    CLOSED = "closed"  # the venue said goodbye, with a code
    ABORTED = "aborted"  # the connection broke without a word: 1006
    MUTE = "mute"  # it stands, but nothing comes
    MISSPOKE = "misspoke"  # a frame that breaks the protocol, or is too large
    ASKED = "asked"  # we wanted it


class Ended(Struct, frozen=True):
    """The end of one connection."""

    why: Why
    code: int  # of the close frame, or the HTTP status; 1006 where there was none
    text: str
    at_ns: int


class NotConnected(VenueUnreachable):
    """There is no connection; `ended` says why."""

    def __init__(self, ended: Ended):
        super().__init__(f"no socket: {ended.why}: {ended.text}")
        self.ended = ended


class Speech(Struct, frozen=True, kw_only=True):
    """How a venue is spoken to."""

    ping: bytes = b""  # a message that it answers; empty: a ping of the WebSocket protocol
    pong: bytes = b""  # what is in its answer to that message
    binary: bool = False  # whether what we send is binary
    headers: Mapping[str, str] = {}  # of the handshake


class SocketLimits(Struct, frozen=True, kw_only=True):
    """Deadlines and bounds of one connection."""

    connect_s: float = 10.0
    ping_s: float = 30.0  # Hyperliquid closes after 60 s without having been sent anything
    pong_s: float = 10.0  # after a ping; seen live: a tenth of a second
    quiet_s: float | None = None  # without any frame but pongs; None: silence is no news (an account)
    close_s: float = 1.0  # for the venue to answer our goodbye
    frame_bytes_max: int = 4 * 1024 * 1024  # 2,000 fills, the longest answer, are 0.7 MB
    frames_max: int = 1024  # that wait; then the venue must. About 2 MB of books


LOST_S = 1.0
"""An end is told so long after the last of the time for goodbyes, or never."""
ABNORMAL = 1006  # RFC 6455, 7.1.5: the code of a connection that ended without a close frame


@cache
def _tls() -> ssl.SSLContext:
    """Once for all connections: reading the certificates takes 20 ms, which a reconnect must not cost the loop."""
    return ssl.create_default_context()


class _Connect(connect):
    """The library's way to connect, without its redirects: a venue that moved is a venue to be looked at."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        """Fail."""
        return exc


class _Wire(ClientConnection):
    """The library's connection with a short way for the one frame that matters."""

    def __init__(self, socket: "Socket", *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.socket = socket
        socket.wire = self
        self.frames = socket.frames
        self.bytes_max = socket.limits.frame_bytes_max
        self.frames_max = socket.limits.frames_max
        self.pong_text = socket.speech.pong
        self.now_ns = socket.clock.now_ns
        self.at_ns = 0
        self.rest = b""
        self.parts: list[bytes] = []  # of a message in fragments
        self.reads_held = False

    def data_received(self, data: bytes | bytearray) -> None:
        """Bytes of the socket, stamped before anything is done with them."""
        self.at_ns = self.now_ns()
        self.rest = self.rest + data if self.rest else bytes(data)
        if self.response is None and not self._answered():
            return
        before = len(self.frames)
        self._cut()
        if len(self.frames) > before:
            self.socket.heard(self.at_ns)
        if len(self.frames) > self.frames_max and not self.reads_held:
            self.reads_held = True
            self.transport.pause_reading()

    def _answered(self) -> bool:
        """Give the library the answer to the handshake, and only that; True when there is one."""
        end = self.rest.find(HEAD_END) + len(HEAD_END)
        if end < len(HEAD_END):
            if len(self.rest) > HEAD_BYTES_MAX:
                super().data_received(self.rest)
            return False
        head, self.rest = self.rest[:end], self.rest[end:]
        super().data_received(head)
        if self.protocol.state is not State.OPEN and self.rest:
            super().data_received(self.rest)  # the body of a refusal
            self.rest = b""
        return self.protocol.state is State.OPEN

    def _cut(self) -> None:
        """Cut whole frames out of what has come; the tick path."""
        data, at, frames, at_ns = self.rest, 0, self.frames, self.at_ns
        size, bytes_max, parts, pong = len(data), self.bytes_max, self.parts, self.pong_text
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length == LENGTH_16:
                start += 2
                length = int.from_bytes(data[at + 2 : start])
            elif length == LENGTH_64:
                start += 8
                length = int.from_bytes(data[at + 2 : start])
            if size < start:
                break
            end = start + length
            if data[at + 1] > LENGTH_PLAIN_MAX or length > bytes_max:
                end = size  # the library refuses it from its head
            elif end > size:
                break
            elif not parts and (data[at] == TEXT_WHOLE or data[at] == BINARY_WHOLE):
                frame = data[start:end]
                at = end
                if not pong or length > PONG_BYTES_MAX or pong not in frame:
                    frames.append((frame, at_ns))
                else:
                    self.socket.ponged()
                continue
            super().data_received(data[at:end])
            at = end
            if self.protocol.state is not State.OPEN:
                self.transport.close()
                at = size
        self.rest = data[at:]

    def process_event(self, event: Event) -> None:
        """What the library made of the bytes it was given."""
        if isinstance(event, Frame) and event.opcode in DATA_OPCODES:
            self.parts.append(bytes(event.data))
            if event.fin:
                self.frames.append((b"".join(self.parts), self.at_ns))
                self.parts.clear()
        else:
            super().process_event(event)
            if isinstance(event, Frame) and event.opcode is Opcode.PONG:
                self.socket.ponged()

    def resume(self) -> None:
        """Read again, if we stopped."""
        if self.reads_held:
            self.reads_held = False
            self.transport.resume_reading()

    def say(self, message: bytes) -> None:
        """Write a short message; what the kernel does not take waits in the transport."""
        if self.socket.speech.binary:
            self.protocol.send_binary(message)
        else:
            self.protocol.send_text(message)
        self.send_data()

    def ask(self) -> None:
        """Ask whether somebody is there."""
        if self.socket.speech.ping:
            self.say(self.socket.speech.ping)
        else:
            self.protocol.send_ping(b"")
            self.send_data()

    def connection_lost(self, exc: Exception | None) -> None:
        """The end."""
        super().connection_lost(exc)
        self.socket.lost(exc)


class Socket:
    """A connection that stands, or has ended. `wake` is called when there are frames, and at the end."""

    def __init__(self, clock: Clock, limits: SocketLimits, wake: Callable[[], None], speech: Speech):
        self.clock = clock
        self.limits = limits
        self.wake = wake
        self.speech = speech
        self.frames: list[tuple[bytes, int]] = []  # with the time each was received
        self.ended: Ended | None = None
        self.opened_ns = 0
        self.heard_ns = 0  # the last frame that was not a pong; at first when the socket opened
        self.pings = 0
        self._asked: Ended | None = None  # why we end it
        self._ping_ns = 0
        self._awaits_pong = False
        self._timer: Timer | None = None
        self.wire: _Wire | None = None

    async def open(self, url: str) -> None:
        """Connect. Raises NotConnected."""
        limits, why, code = self.limits, Why.UNREACHABLE, 0
        try:
            await _Connect(
                url,
                compression=None,
                proxy=None,
                additional_headers=dict(self.speech.headers),
                ssl=_tls() if url.startswith("wss:") else None,
                open_timeout=limits.connect_s,
                ping_interval=None,
                close_timeout=limits.close_s,
                max_size=limits.frame_bytes_max,
                create_connection=cast(type[ClientConnection], partial(_Wire, self)),
            )
        except TimeoutError:
            why, text = Why.TIMEOUT, f"no answer within {limits.connect_s:g} s"
        except InvalidStatus as error:
            why, code, text = Why.REFUSED, error.response.status_code, f"HTTP {error.response.status_code}"
        except (InvalidHandshake, InvalidMessage) as error:
            why, text = Why.REFUSED, f"{type(error).__name__}: {error}"
        except (OSError, EOFError) as error:
            text = f"{type(error).__name__}: {error}"
        else:
            self._begin()
            return
        self.ended = Ended(why, code, text, self.clock.now_ns())
        raise NotConnected(self.ended)

    def _begin(self) -> None:
        self.opened_ns = self._ping_ns = self.clock.now_ns()
        self.heard_ns = self.heard_ns or self.opened_ns
        if self.ended is None:
            self._look()

    def take(self, frames_max: int) -> list[tuple[bytes, int]]:
        """The oldest frames that wait, and when each was received."""
        frames = self.frames
        taken = frames[:frames_max]
        del frames[:frames_max]
        if self.wire is not None and len(frames) * RESUME_SHARE <= self.limits.frames_max:
            self.wire.resume()
        return taken

    def send(self, message: bytes) -> bool:
        """Send a short message; False when the connection is over."""
        if not self._stands() or self.wire is None:
            return False
        self.wire.say(message)
        return True

    def _stands(self) -> bool:
        return self.ended is None and self.wire is not None and self.wire.protocol.state is State.OPEN

    def abort(self, why: Why, text: str) -> None:
        """End it now, without a goodbye."""
        if self._asked is None:
            self._asked = Ended(why, ABNORMAL, text, self.clock.now_ns())
        if self.wire is not None:
            self.wire.transport.abort()

    async def close(self) -> None:
        """Say goodbye and wait for the answer, not for long; harmless when it is over."""
        if self.wire is None or self.ended is not None:
            return
        asked = self._asked = self._asked or Ended(Why.ASKED, 1000, "closed by us", self.clock.now_ns())
        try:
            # One that was given up while it was opened says no goodbye, and uvloop never says that it is lost.
            if self.opened_ns:
                self.wire.resume()  # or the answer would wait behind frames that nobody takes
                async with asyncio.timeout(self.limits.close_s + LOST_S):
                    await self.wire.close()
        except TimeoutError:
            pass  # the library waits for ever for an end that was not told
        finally:
            self._over(asked)
            if (transport := getattr(self.wire, "transport", None)) is not None:  # there is none before it connects
                transport.abort()
            self.wake()

    def _over(self, why: Ended) -> None:
        self.ended = self.ended or why

    def heard(self, at_ns: int) -> None:
        """Frames have come."""
        self.heard_ns = at_ns
        self.wake()

    def ponged(self) -> None:
        """The venue answered a ping."""
        self._awaits_pong = False

    def lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self.ended = self.ended or self._asked or self._said(error)
        self.wake()

    def _said(self, error: Exception | None) -> Ended:
        now_ns = self.clock.now_ns()
        protocol = self.wire.protocol if self.wire is not None else None
        if protocol is not None and protocol.close_rcvd is not None:
            said = protocol.close_rcvd
            return Ended(Why.CLOSED, said.code, said.reason, now_ns)
        if protocol is not None and protocol.close_sent is not None:
            return Ended(Why.MISSPOKE, protocol.close_sent.code, protocol.close_sent.reason, now_ns)
        return Ended(Why.ABORTED, ABNORMAL, str(error) if error else "the connection ended without a close", now_ns)

    def _look(self) -> None:
        """See whether it is still there, ping when it is time, come back when the next of these is due."""
        if self.ended is not None:
            return
        now_ns, limits = self.clock.now_ns(), self.limits
        if self._awaits_pong:
            if self.wire is not None and self.wire.reads_held:
                self._ping_ns = now_ns  # it may have answered: we do not read
            due_ns = self._ping_ns + round(limits.pong_s * NS_PER_S)
            if now_ns >= due_ns:
                return self.abort(Why.MUTE, f"no pong within {limits.pong_s:g} s")
        else:
            due_ns = self._ping_ns + round(limits.ping_s * NS_PER_S)
            if now_ns >= due_ns:
                if self._stands() and self.wire is not None:
                    self.wire.ask()
                self.pings += 1
                self._awaits_pong, self._ping_ns = True, now_ns
                due_ns = now_ns + round(min(limits.ping_s, limits.pong_s) * NS_PER_S)
        if limits.quiet_s is not None:
            quiet_ns = (now_ns if self.frames else self.heard_ns) + round(limits.quiet_s * NS_PER_S)
            if now_ns >= quiet_ns:
                return self.abort(Why.MUTE, f"no frame within {limits.quiet_s:g} s")
            due_ns = min(due_ns, quiet_ns)
        self._timer = self.clock.call_at(due_ns, self._look)
        return None
