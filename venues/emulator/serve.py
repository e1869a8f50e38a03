"""A venue on a port: HTTP and WebSocket in front of a synchronous core, with faults, in real time or stepped by hand.

The server is an actor's body: a supervisor starts it, and whatever it starts ends with it. The venue and its accounts
live outside, so that a crash of the server costs its clients their connections and nothing else.

Time moves in steps of STEP_NS (or of what the clock's speed allows): each moves the market on, lets faults happen,
tells sockets, and does what was put off. With `stepped` time, steps are taken only when the control door says so.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import WSMsgType, hdrs, web
from msgspec import Struct

from supervisor.actor import Post
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from venues.emulator.agenda import Agenda, VenueTime
from venues.emulator.doors import TEXT, Answer, Around, Ask, Delivery, Doors, HangUp, Outcome, Question, Session
from venues.emulator.faults import ABNORMAL, Fault
from venues.emulator.line import CLOSE_S_MAX, Hub, Line
from venues.emulator.schedule import Faults

STEP_NS = 100 * NS_PER_MS
"""How often the market moves: a core must hear of the time at least this often."""
STEP_WALL_S_MIN = 0.002
"""Faster than this the machine's timers don't go: at a high speed the steps are longer."""
SHUTDOWN_S = 0.2
"""What requests under way may take to end when the server stops."""
HOLD_S = 300.0
"""A request that is never answered is held this long, then its connection is cut."""
GOODBYE_NS = 5 * NS_PER_S
"""A client that has not taken its close frame by then is cut off."""
MESSAGE_BYTES_MAX = 1024 * 1024
DRAIN_TURNS_MAX = 50
"""Stepping by hand waits at most so many milliseconds a step for clients to read."""
DOWN = Answer(b"<html><body><h1>502 Bad Gateway</h1></body></html>", 502, "text/html")
GATEWAY = Answer(b"<html><body><h1>504 Gateway Time-out</h1></body></html>", 504, "text/html")
GARBLE = b"<html><body>upstream connect error or disconnect/reset before headers</body></html>"


class PortTaken(OSError):
    """Somebody else listens there, or this user may not."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket, made before anything runs so that a taken port is one clear error. Raises PortTaken."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise PortTaken(error.errno, error.strerror) from error
    return listener


class Held(Struct):
    """A frame with fills that waits for the next one."""

    delivery: Delivery
    gone: bool = False


class Emulator:
    """All that outlives a server: the venue, its time, its faults, what is to be done later, what was counted."""

    def __init__(self, doors: Doors, time: VenueTime, faults: Faults):
        self.doors, self.time, self.faults = doors, time, faults
        self.agenda, self.hub = Agenda(), Hub()
        self.counted: Counter[str] = Counter()
        self.lines: dict[Line, Session] = {}
        self.down_until_ns = 0
        self.skew_ns = 0
        self._held: dict[str, Held] = {}

    @property
    def down(self) -> bool:
        """Whether the exchange is down for a restart."""
        return self.time.now_ns() < self.down_until_ns

    def venue_ns(self) -> int:
        """The venue's own clock, which a fault may have put off."""
        return self.time.now_ns() + self.skew_ns

    def later(self, delay_ns: int, do: Callable[[], object]) -> None:
        """Do something at once or after a while of the emulator's time."""
        if delay_ns > 0:
            self.agenda.at(self.time.now_ns() + delay_ns, do)
        else:
            do()

    # --- a step of time -------------------------------------------------------------------------------------------

    def step(self) -> None:
        """Let happen what is due now."""
        now_ns = self.time.now_ns()
        self.agenda.run(now_ns)
        for fault in self.faults.of_exchange(self.doors.symbols(), now_ns):
            self._befall(fault, now_ns)
        self._befall_sockets(now_ns)
        for line, session in list(self.lines.items()):
            try:
                session.tick(now_ns)
            except HangUp as gone:
                self.hang_up(line, gone)
        self.tell()

    def tell(self) -> None:
        """Move the market to now and tell the sockets what happened."""
        for delivery in self.doors.advance(self.venue_ns()):
            if delivery.channel:
                self._tell_fills(delivery)
            else:
                self.hub.deliver(delivery.key, delivery.frame)

    def _tell_fills(self, delivery: Delivery) -> None:
        """A frame with fills: it may be late, come twice, or after the next one."""
        now_ns = self.time.now_ns()
        fault = self.faults.of_fills(delivery.channel, delivery.symbols, now_ns)
        say = partial(self.hub.deliver, delivery.key, delivery.frame)
        before = self._held.pop(delivery.key, None)
        if fault is not None and fault.kind == "reordered_fills" and before is None:
            held = self._held[delivery.key] = Held(delivery)
            self.agenda.at(now_ns + round(fault.delay_s * NS_PER_S), partial(self._let_go, held))
            return
        if fault is not None and fault.kind == "missing_fills":
            if before is not None:
                self._let_go(before)
            return
        late_ns = round(fault.delay_s * NS_PER_S) if fault is not None and fault.kind == "late_fills" else 0
        self.later(late_ns, say)
        if fault is not None and fault.kind == "duplicate_fills":
            say()
        if before is not None:
            self._let_go(before)

    def _let_go(self, held: Held) -> None:
        if not held.gone:
            held.gone = True
            if self._held.get(held.delivery.key) is held:
                del self._held[held.delivery.key]
            self.hub.deliver(held.delivery.key, held.delivery.frame)

    # --- faults ---------------------------------------------------------------------------------------------------

    def _befall(self, fault: Fault, now_ns: int) -> None:
        """A fault of the whole exchange."""
        if fault.kind == "clock_skew":
            self.skew_ns = fault.skew_ms * NS_PER_MS
            self.agenda.at(now_ns + round(fault.for_s * NS_PER_S), partial(setattr, self, "skew_ns", 0))
            return
        if fault.kind == "restart":
            self.down_until_ns = now_ns + round(fault.for_s * NS_PER_S)
            for line in list(self.lines):
                line.abort()
        self.doors.befall(fault, self.venue_ns())

    def _befall_sockets(self, now_ns: int) -> None:
        """Faults of single sockets; those of one moment befall those that are there at it."""
        lines = [line for line in self.lines if not line.over]
        for fault, place in self.faults.of_sockets(lambda: [self.lines[line].scope() for line in lines], now_ns):
            line = lines[place]
            if fault.kind == "mute":
                line.mute(True)
                if fault.for_s:
                    self.agenda.at(now_ns + round(fault.for_s * NS_PER_S), partial(line.mute, False))
            elif fault.kind == "idle_close":
                self.lines[line].go_deaf()
            else:
                self.hang_up(line, HangUp(fault.code, "a fault of the schedule"))

    def suffer(self, question: Question, do: Callable[[], Answer], wrong: Callable[[str], Answer]) -> Outcome:
        """Let a request meet its fault, or be answered."""
        fault = self.faults.of_request(question.door, question.type, question.symbols, self.time.now_ns())
        if fault is None:
            return Outcome(do())
        delay_ns = round(fault.delay_s * NS_PER_S)
        match fault.kind:
            case "http_429":
                if fault.done:
                    do()
                return Outcome(self.doors.too_many())
            case "timeout_after_accept":
                answer = do()
                return Outcome(answer, delay_ns) if delay_ns else Outcome(None)
            case "lost_before":
                return Outcome(None, delay_ns, cut=True)
            case "inner_error":
                return Outcome(wrong(fault.text))
            case "gateway_504":
                do()
                return Outcome(GATEWAY, delay_ns)
            case "done_twice":
                do()
                return Outcome(do())
            case "garbled":
                do()
                return Outcome(Answer(GARBLE, fault.status, "text/html"))
            case _:
                return Outcome(do(), delay_ns)

    def rest(self) -> None:
        """No more faults; what they have done to sockets and clocks is undone."""
        self.faults.rest()
        self.skew_ns, self.down_until_ns = 0, min(self.down_until_ns, self.time.now_ns())
        for line in self.lines:
            line.mute(False)

    def hang_up(self, line: Line, gone: HangUp) -> None:
        """End a line the way it is to end."""
        if gone.last:
            self.later(gone.delay_ns, partial(line.say, gone.last))
        self.counted[f"closed_{gone.code}"] += 1
        if gone.code == ABNORMAL:
            self.later(gone.delay_ns, line.abort)
            return
        self.later(gone.delay_ns, partial(line.close, gone.code, gone.reason))
        self.later(gone.delay_ns + GOODBYE_NS, line.abort)

    # --- sockets --------------------------------------------------------------------------------------------------

    def greet(self, line: Line, session: Session) -> None:
        """What a new line hears first."""
        for reply in session.greet():
            self.later(reply.delay_ns, partial(line.say, reply.frame))

    def heard(self, line: Line, said: str | bytes) -> None:
        """A client's message: the session answers, and what it set off is told at once."""
        self.counted["messages"] += 1
        try:
            for reply in self.lines[line].hear(said, self.time.now_ns()):
                self.later(reply.delay_ns, partial(line.say, reply.frame))
        except HangUp as gone:
            self.hang_up(line, gone)
        self.tell()


class Server:
    """The body: listens, pumps, and answers HTTP. `more` are routes beside the venue's, as the control door's."""

    def __init__(self, emulator: Emulator, listener: socket.socket, more: "list[web.RouteDef] | None" = None):
        self.emulator, self.more = emulator, more or []
        self._listener = listener
        self._post: Post | None = None

    async def run(self, post: Post) -> None:
        """Serve until cancelled."""
        self._post = post
        app = web.Application(client_max_size=MESSAGE_BYTES_MAX)
        app.add_routes(self.more)
        app.add_routes([web.get(path, self._socket) for path in self.emulator.doors.socket_paths])
        app.add_routes([web.route("*", "/{path:.*}", self._request)])
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        try:
            await web.SockSite(runner, self._listener.dup()).start()
            post.ready()
            await self._pump(post.clock)
        finally:
            for line in list(self.emulator.lines):
                line.abort()
            await runner.cleanup()

    async def _pump(self, clock: Clock) -> None:
        """Step with the clock; where time is stepped by hand, wait for ever."""
        step_ns = max(STEP_NS, round(STEP_WALL_S_MIN * clock.speed * NS_PER_S))
        while True:
            await clock.sleep_until((clock.now_ns() // step_ns + 1) * step_ns)
            if not self.emulator.time.stepped:
                self.emulator.step()

    async def advance(self, seconds: float) -> None:
        """Move stepped time on, step by step, letting clients read in between."""
        assert self._post is not None
        emulator, clock = self.emulator, self._post.clock
        end_ns = emulator.time.now_ns() + round(seconds * NS_PER_S)
        while emulator.time.now_ns() < end_ns:
            emulator.time.move_to(min(end_ns, emulator.time.now_ns() + STEP_NS))
            emulator.step()
            await self._post.pause()
            for _ in range(DRAIN_TURNS_MAX):
                if not any(line.queued_bytes for line in emulator.lines):
                    break
                await clock.sleep(0.001 * clock.speed)

    # --- HTTP -----------------------------------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        """One HTTP request, from its bytes to its answer, its fault, or its end."""
        emulator = self.emulator
        emulator.counted["requests"] += 1
        if emulator.down:
            emulator.counted["refused_down"] += 1
            return _response(DOWN)
        ip = request.remote or ""
        body = await request.read()
        asked = emulator.doors.understand(Ask(request.method, request.path, request.query, request.headers, body, ip))
        if isinstance(asked, Answer):
            return _response(asked)
        try:
            outcome = emulator.suffer(
                asked,
                lambda: emulator.doors.answer(asked, emulator.venue_ns()),
                lambda text: emulator.doors.wrong(asked, text),
            )
            emulator.tell()
        except Exception:
            emulator.counted["crashes"] += 1  # aiohttp answers 500 and logs what it was
            raise
        if outcome.delay_ns or outcome.answer is None:
            await self._wait(outcome)
        if outcome.answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)  # nobody is there to read it
        return _response(outcome.answer)

    async def _wait(self, outcome: Outcome) -> None:
        """Put an answer off; where there is none and the connection is not cut, until the client has given up."""
        assert self._post is not None
        waiter = self._post.clock.loop.create_future()
        delay_ns = outcome.delay_ns if outcome.answer or outcome.cut else round(HOLD_S * NS_PER_S)
        self.emulator.later(delay_ns, partial(_wake, waiter))
        await waiter

    # --- WebSocket ------------------------------------------------------------------------------------------------

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        """One WebSocket, from its handshake to its end."""
        emulator, ip = self.emulator, request.remote or ""
        if emulator.down:
            return _response(DOWN)
        if request.headers.get(hdrs.UPGRADE, "").lower() != "websocket":
            return _response(Answer(b"Connection header did not include 'upgrade'", 400, TEXT))
        if not emulator.doors.admits(ip, emulator.time.now_ns()):
            emulator.counted["refused_sockets"] += 1
            return _response(emulator.doors.too_many())
        return await self._talk(request)

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        """Admitted: hear the client and answer until one of the two has gone."""
        assert self._post is not None
        emulator = self.emulator
        ws = web.WebSocketResponse(timeout=CLOSE_S_MAX, compress=False, max_msg_size=MESSAGE_BYTES_MAX)
        await ws.prepare(request)
        line = Line(ws, request, emulator.hub)
        around = Around(emulator.suffer, emulator.venue_ns)
        session = emulator.doors.session(line, around, emulator.time.now_ns())
        emulator.lines[line] = session
        emulator.counted["sockets"] += 1
        self._post.spawn(line.write())
        emulator.greet(line, session)
        try:
            async for message in ws:
                if line.over:
                    break
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    emulator.heard(line, message.data)
        except ConnectionResetError:
            pass  # it went while its ping was answered: as good as any other way to go
        except Exception:
            emulator.counted["crashes"] += 1  # aiohttp logs it; the client sees its socket end
            raise
        finally:
            session.end()
            line.leave()
            del emulator.lines[line]
            emulator.counted["frames"] += line.frames
            emulator.counted["bytes"] += line.bytes
            emulator.counted["frames_unsaid"] += line.unsaid
        return ws


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _response(answer: Answer) -> web.Response:
    headers = dict(answer.headers)
    return web.Response(body=answer.body, status=answer.status, content_type=answer.content_type, headers=headers)


def figures(emulator: Emulator) -> dict[str, Any]:
    """What was counted so far, open sockets included."""
    counted = Counter(emulator.counted)
    for line in emulator.lines:
        counted.update(frames=line.frames, bytes=line.bytes, frames_unsaid=line.unsaid)
    return {"open_sockets": len(emulator.lines), **dict(sorted(counted.items()))}
