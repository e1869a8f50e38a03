"""A venue of a few lines for the server's own tests: it counts, echoes, and tells of one fill for each order."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from supervisor.clock import NS_PER_S, Clock
from tests.patience import PATIENCE_S
from venues.emulator.agenda import VenueTime
from venues.emulator.doors import Answer, Around, Ask, Delivery, HangUp, Link, Question, Reply
from venues.emulator.faults import Fault, fault_of
from venues.emulator.program import nothing_to_wind_down, program_of
from venues.emulator.schedule import Faults, Scope
from venues.emulator.serve import Emulator, listen


class ToyDoors:
    """POST /exchange counts an order, POST /info says how many; a socket hears "fills", "ticks", and its own words."""

    name = "toy"
    socket_paths = ("/ws",)

    def __init__(self) -> None:
        self.done = 0
        self.befallen: list[Fault] = []
        self.sessions: list[ToySession] = []
        self._fills: list[Delivery] = []
        self.advanced_ns: list[int] = []
        self.tick = b""

    def understand(self, ask: Ask) -> Question | Answer:
        try:
            body = json.loads(ask.body)
        except ValueError:
            return Answer(b"no JSON", 400, "text/plain")
        return Question(ask.path.strip("/"), body["type"], tuple(body.get("symbols", ())), body, ask.ip)

    def answer(self, question: Question, now_ns: int) -> Answer:
        if question.type == "crash":
            raise RuntimeError("a bug of the venue's core")
        if question.door == "exchange":
            self.done += 1
            told = json.dumps({"fill": self.done}).encode()
            self._fills.append(Delivery("fills", told, "userFills", question.symbols))
        return Answer(json.dumps({"done": self.done, "now_ns": now_ns}).encode())

    def wrong(self, question: Question, text: str) -> Answer:
        return Answer(json.dumps({"status": "ok", "error": text}).encode())

    def too_many(self) -> Answer:
        return Answer(b"null", 429)

    def admits(self, ip: str, now_ns: int) -> bool:
        return len([session for session in self.sessions if not session.ended]) < 3

    def session(self, link: Link, around: Around, now_ns: int) -> "ToySession":
        self.sessions.append(ToySession(self, link, around))
        return self.sessions[-1]

    def advance(self, now_ns: int) -> Sequence[Delivery]:
        self.advanced_ns.append(now_ns)
        told, self._fills = self._fills, []
        return [*told, Delivery("ticks", self.tick)] if self.tick else told

    def befall(self, fault: Fault, now_ns: int) -> None:
        self.befallen.append(fault)

    def symbols(self) -> Sequence[str]:
        return ["BTC", "ETH"]

    def truth(self, now_ns: int) -> Any:
        return {"done": self.done}

    def statistics(self, now_ns: int) -> Any:
        return {"sockets": len(self.sessions)}


class ToySession:
    """Holds the key that a message "hold KEY" names, hangs up on "die", posts on "post", echoes the rest."""

    def __init__(self, doors: ToyDoors, link: Link, around: Around):
        self.doors, self.link, self.around = doors, link, around
        self.deaf = self.ended = False

    def greet(self) -> Iterator[Reply]:
        return iter(())

    def hear(self, said: str | bytes, now_ns: int) -> Iterator[Reply]:
        text = said if isinstance(said, str) else said.decode()
        verb, _, rest = text.partition(" ")
        if verb == "hold":
            self.link.hold(rest)
        if verb == "die":
            raise HangUp(delay_ns=NS_PER_S // 10)
        yield Reply(text.encode())

    def tick(self, now_ns: int) -> None:
        if self.deaf:
            raise HangUp(1000, "Inactive")

    def go_deaf(self) -> None:
        self.deaf = True

    def scope(self) -> Scope:
        return Scope(frozenset(), frozenset())

    def end(self) -> None:
        self.ended = True


class Served:
    """A toy venue that is served on a port, and a client for it."""

    def __init__(self, emulator: Emulator, doors: ToyDoors, port: int, client: aiohttp.ClientSession):
        self.emulator, self.doors, self.client = emulator, doors, client
        self.base = f"http://127.0.0.1:{port}"

    async def post(self, path: str, body: Any = None, timeout_s: float = 5.0) -> tuple[int, Any]:
        limit = aiohttp.ClientTimeout(total=timeout_s)
        async with self.client.post(self.base + path, json=body or {}, timeout=limit) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if answer.content_type == "application/json" else text

    async def order(self, timeout_s: float = 5.0, **more: Any) -> tuple[int, Any]:
        return await self.post("/exchange", {"type": "order", **more}, timeout_s)

    async def advance(self, seconds: float) -> None:
        status, said = await self.post("/emulator/advance", {"seconds": seconds})
        assert status == 200, said

    async def fault(self, **told: Any) -> None:
        status, said = await self.post("/emulator/fault", told)
        assert status == 200, said

    async def socket(self, *messages: str) -> aiohttp.ClientWebSocketResponse:
        ws = await self.client.ws_connect(self.base + "/ws")
        for message in messages:
            await ws.send_str(message)
            assert await ws.receive_str(timeout=PATIENCE_S) == message
        return ws


async def heard(ws: aiohttp.ClientWebSocketResponse, wait_s: float = 0.15) -> list[Any]:
    """What a socket says until it is quiet; None for its end."""
    said: list[Any] = []
    while True:
        try:
            message = await ws.receive(timeout=wait_s)
        except TimeoutError:
            return said
        if message.type is not aiohttp.WSMsgType.TEXT:
            return [*said, None]
        said.append(message.data)


@asynccontextmanager
async def served(rules: Iterable[dict[str, Any]] = (), seed: int = 1, *, stepped: bool = True) -> AsyncIterator[Served]:
    """A toy venue on a free port, its time moved by hand."""
    clock = Clock.wall(asyncio.get_running_loop())
    doors, time = ToyDoors(), VenueTime(clock, stepped=stepped)
    emulator = Emulator(doors, time, Faults([fault_of(rule) for rule in rules], seed, time.start_ns))
    listener = listen("127.0.0.1", 0)
    program = program_of(emulator, listener, clock)
    running = asyncio.create_task(program.run(nothing_to_wind_down))
    try:
        async with aiohttp.ClientSession() as client:
            yield Served(emulator, doors, listener.getsockname()[1], client)
    finally:
        program.stop("the test is over")
        await asyncio.wait_for(running, PATIENCE_S)
        listener.close()
        clock.close()
