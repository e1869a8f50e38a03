"""One client's WebSocket as the server holds it: a bounded queue, for readers may be slow, and a mouth that may shut.

Who hears what is kept beside: a hub of keys, each with the lines that hold it.
"""

import asyncio
from collections import deque

from aiohttp import WSMsgType, hdrs, web

QUEUE_BYTES_MAX = 8 * 1024 * 1024
"""A client that is this far behind is cut off; what the venue allows is not published."""
CLOSE_S_MAX = 1.0
"""How long a client may take to answer a close frame."""


class Hub:
    """Keys and the lines that hold them, in the order they came."""

    def __init__(self) -> None:
        self.holders: dict[str, dict[Line, None]] = {}

    def deliver(self, key: str, frame: bytes) -> None:
        """Say a frame to everyone who holds its key."""
        for line in self.holders.get(key, ()):
            line.say(frame)


class Line:
    """A Link with its socket."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request, hub: Hub):
        assert request.transport is not None
        self.ip, self.path = request.remote or "", request.path
        self.content_type = request.headers.get(hdrs.CONTENT_TYPE, "")
        self.binary = False
        self.muted = self.over = False
        self.frames = self.bytes = self.unsaid = 0  # sent; and what a muted line did not say
        self.queued_bytes = 0
        self._socket, self._transport, self._hub = socket, request.transport, hub
        self._queue: deque[bytes] = deque()
        self._loop = asyncio.get_running_loop()
        self._wake: asyncio.Future[None] | None = None
        self._goodbye: tuple[int, str] | None = None
        self._keys: dict[str, None] = {}

    def hold(self, key: str) -> None:
        """Hear a key from now on."""
        self._keys[key] = None
        self._hub.holders.setdefault(key, {})[self] = None

    def release(self, key: str) -> None:
        """Hear it no more."""
        self._keys.pop(key, None)
        holders = self._hub.holders.get(key, {})
        holders.pop(self, None)
        if not holders:
            self._hub.holders.pop(key, None)

    def say(self, frame: bytes) -> None:
        """Queue a frame; a muted line loses it, one that is too far behind is cut off."""
        if self.muted or self.over or self._goodbye:
            self.unsaid += 1
            return
        self._queue.append(frame)
        self.queued_bytes += len(frame)
        if self.queued_bytes > QUEUE_BYTES_MAX:
            self.abort()
        self._go_on()

    def mute(self, muted: bool) -> None:
        """Shut the mouth or open it again; what is queued is lost with what comes."""
        self.muted = muted
        if muted:
            self.unsaid += len(self._queue)
            self._queue.clear()
            self.queued_bytes = 0

    def abort(self) -> None:
        """End it without a word: the client sees 1006."""
        self.over = True
        self._transport.abort()
        self._go_on()

    def close(self, code: int, reason: str) -> None:
        """End it with a close frame, after what is queued."""
        self._goodbye = code, reason
        self._go_on()

    def leave(self) -> None:
        """The socket is gone: hold nothing more, end the writer."""
        self.over = True
        for key in list(self._keys):
            self.release(key)
        self._go_on()

    def _waits(self) -> bool:
        return not (self._queue or self.over or self._goodbye)

    def _go_on(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def write(self) -> None:
        """Send what is queued until the line is over."""
        try:
            while not self.over:
                while self._queue and not self.over:
                    frame = self._queue.popleft()
                    self.queued_bytes -= len(frame)
                    await self._socket.send_frame(frame, WSMsgType.BINARY if self.binary else WSMsgType.TEXT)
                    self.frames += 1
                    self.bytes += len(frame)
                if self._goodbye and not self.over:
                    code, reason = self._goodbye
                    await self._socket.close(code=code, message=reason.encode())
                    return
                self._wake = self._loop.create_future()
                if self._waits():
                    await self._wake
        except (ConnectionError, TimeoutError):
            self.over = True  # the client has gone; its reader sees it too
