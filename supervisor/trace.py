"""Traces: everything that the world told a graph of minds, and in which order they took their turns.

Minds have no clock and no I/O, so what they decide follows from what came in from outside (bodies that speak to
venues, disks and operators; timers; the supervisor) and from when, between two rounds of turns, it came. A TracedHouse
writes just that down while it lives; a RepeatedHouse puts it in again, and real minds with real mailboxes, routes and
turns say everything else once more.

A file is chunks: length and CRC-32, then compressed records. After each chunk stands what was decided so far, as a
digest, so that a run that was killed can be compared up to its last whole chunk.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from struct import Struct as Layout
from typing import Any

import msgspec
from msgspec import Raw, Struct

from supervisor.actor import MindReader, Put
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import Clock
from supervisor.mailbox import Mailbox
from supervisor.messages import Tick
from supervisor.supervisor import House
from supervisor.turns import Reader, Turns

MAGIC = b"obid trace 1\n"
HEAD = Layout("<II")  # length and CRC-32 of a chunk, little-endian
CHUNK_BYTES = 256 * 1024
"""Of records before they are compressed: a second of a busy graph, and small enough to lose."""
COMPRESSION = 1
"""zlib's fastest: books repeat each other, and the loop must not wait."""
SUPERVISOR, OUTSIDE = "supervisor", "outside"
"""Speakers that are no actors: the supervisors' own voice, and who stands beside the graph."""


class TraceDamaged(Exception):
    """A trace cannot be read on: names the file and the place."""


class Began(Struct, array_like=True, tag="b"):
    """What the graph was made of; whoever made it knows how to read this."""

    about: Raw


class Said(Struct, array_like=True, tag="s"):
    """Somebody who is no mind said something."""

    speaker: str
    kind: str
    message: Raw


class Beat(Struct, array_like=True, tag="t"):
    """A timer beat."""

    actor: str
    at_ns: int


class Took(Struct, array_like=True, tag="k"):
    """An actor that is no mind read its mailbox."""

    actor: str
    messages: int


class Lives(Struct, array_like=True, tag="n"):
    """A mind begins to read: a new life."""

    actor: str


class Left(Struct, array_like=True, tag="x"):
    """A mind takes no more turns."""

    actor: str


class Turned(Struct, array_like=True, tag="r"):
    """A round of turns."""


class Noted(Struct, array_like=True, tag="o"):
    """Something beside the messages that an actor was told."""

    actor: str
    what: Raw


class Checked(Struct, array_like=True, tag="c"):
    """What was decided so far."""

    decisions: int
    digest: str


Record = Began | Said | Beat | Took | Lives | Left | Turned | Noted | Checked


class TraceWriter:
    """Writes a trace. A disk that refuses ends the trace and not the run: what was written stays good.

    `plain` makes of messages of some kinds what can be read back, where a message holds a venue's own types.
    """

    def __init__(
        self,
        path: Path,
        about: Any,
        checked: Callable[[], Checked],
        plain: Mapping[type, Callable[[Any], Any]] | None = None,
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("xb")
        self._file.write(MAGIC)
        self._encode = msgspec.msgpack.Encoder().encode
        self._records: list[Record] = []
        self._bytes = 0
        self.checked = checked
        self.plain = plain or {}
        self.error = ""
        self.write(Began(Raw(self._encode(about))))
        self.flush()

    def write(self, record: Record, size: int = 1) -> None:
        """Add a record of about this many bytes."""
        if self.error:
            return
        if self._bytes >= CHUNK_BYTES:
            self.flush()  # now, when all that followed from the record before has been decided
        self._records.append(record)
        self._bytes += size

    def said(self, speaker: str, message: Any) -> None:
        """Add what somebody said."""
        plain = self.plain.get(type(message))
        encoded = self._encode(message if plain is None else plain(message))
        self.write(Said(speaker, type(message).__name__, Raw(encoded)), len(encoded))

    def noted(self, actor: str, what: Any) -> None:
        """Add what an actor was told beside messages."""
        self.write(Noted(actor, Raw(self._encode(what))))

    def flush(self) -> None:
        """Write what waits."""
        if self.error or not self._records:
            return
        chunk = zlib.compress(self._encode([*self._records, self.checked()]), COMPRESSION)
        self._records.clear()
        self._bytes = 0
        try:
            self._file.write(HEAD.pack(len(chunk), zlib.crc32(chunk)) + chunk)
            self._file.flush()
        except OSError as error:
            self.error = error.strerror or type(error).__name__

    def close(self) -> None:
        """Write the rest and let go of the file."""
        self.flush()
        self._file.close()


def read_trace(path: Path) -> Iterator[Record]:
    """Every record, in order. Raises TraceDamaged at the first chunk that is not whole."""
    decode = msgspec.msgpack.Decoder(list[Record]).decode
    with path.open("rb") as file:
        if file.read(len(MAGIC)) != MAGIC:
            raise TraceDamaged(f"{path}: does not open as a trace of obid")
        place = len(MAGIC)
        while head := file.read(HEAD.size):
            length, crc = HEAD.unpack(head) if len(head) == HEAD.size else (-1, 0)
            chunk = file.read(length) if length >= 0 else b""
            if len(chunk) != length or zlib.crc32(chunk) != crc:
                raise TraceDamaged(f"{path}: byte {place}: a chunk is torn or damaged; what is before it is whole")
            yield from decode(zlib.decompress(chunk))
            place += HEAD.size + length


# --- writing it down ------------------------------------------------------------------------------------------------


class _Ear:
    """Stands first among those who hear a speaker, and writes down what is said; of a mind nothing need be."""

    def __init__(self, speaker: str, trace: TraceWriter):
        self.speaker = speaker
        self.trace = trace
        self.mind = False

    def put(self, message: Any) -> None:
        if not self.mind:
            self.trace.said(self.speaker, message)

    def put_many(self, messages: Iterable[Any]) -> None:
        if not self.mind:
            for message in messages:
                self.put(message)

    async def put_wait(self, message: Any) -> None:
        self.put(message)


class _TickLane:
    """The lane of an actor's beats as its timer sees it."""

    def __init__(self, actor: str, lane: Any, trace: TraceWriter):
        self._actor, self._lane, self._trace = actor, lane, trace

    def put(self, tick: Tick) -> None:
        self._trace.write(Beat(self._actor, tick.at_ns))
        self._lane.put(tick)

    def __len__(self) -> int:
        return len(self._lane)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lane, name)


class TracedTurns(Turns):
    """Turns that are written down."""

    def __init__(self, loop: asyncio.AbstractEventLoop, trace: TraceWriter, ears: dict[str, _Ear]):
        super().__init__(loop)
        self.trace = trace
        self.ears = ears
        self._known: dict[str, MindReader] = {}

    def add(self, reader: Reader) -> None:
        """Ask for a turn; who does for the first time begins to live."""
        assert isinstance(reader, MindReader)
        actor = reader.post.mailbox.owner
        if self._known.get(actor) is not reader:
            self._known[actor] = reader
            self.ears[actor].mind = True
            self.trace.write(Lives(actor))
            stop = reader.stop

            def stopped() -> None:
                self.trace.write(Left(actor))
                stop()

            reader.stop = stopped  # type: ignore[method-assign]
        super().add(reader)

    def _run(self) -> None:
        self.trace.write(Turned())
        super()._run()


class TracedHouse(House):
    """A house that writes down what the world tells its minds."""

    def __init__(
        self,
        root: SupervisorSpec,
        clock: Clock,
        seed: int,
        outside: Iterable[type],
        trace: TraceWriter,
    ):
        super().__init__(root, clock, seed, outside)
        if self.turns.pick is not None:
            raise ValueError("a loop that shuffles cannot be traced: who has the next turn is not in the trace")
        self.trace = trace
        self.ears = {key: _Ear(key, trace) for key in (*self.mailboxes, SUPERVISOR, OUTSIDE)}
        self.turns = TracedTurns(clock.loop, trace, self.ears)
        for key, routes in self.routes.items():
            for kind, puts in routes.items():
                routes[kind] = (self.ears[key].put, *puts)
            self._listen(key, self.mailboxes[key])
        for kind, puts in self._voice.items():
            self._voice[kind] = (self.ears[SUPERVISOR].put, *puts)

    def route(self, message: type) -> tuple[Put, ...]:
        """Every mailbox that hears a type, and before them the trace."""
        return (self.ears[OUTSIDE].put, *super().route(message))

    def _listen(self, key: str, box: Mailbox) -> None:
        if (lane := box.lanes.get(Tick)) is not None:
            box.lanes[Tick] = _TickLane(key, lane, self.trace)  # type: ignore[assignment]
        take, ear = box.take, self.ears[key]

        def taken() -> list[Any]:
            batch = take()
            if batch and not ear.mind:
                self.trace.write(Took(key, len(batch)))
            return batch

        box.take = taken  # type: ignore[method-assign]


# --- putting it in again --------------------------------------------------------------------------------------------


class Diverged(Exception):
    """The minds did something else than was recorded."""


class StillLoop(asyncio.SelectorEventLoop):
    """A loop that nothing runs on: turns are taken when the trace says so."""

    def call_soon(self, *_: Any, **__: Any) -> Any:  # type: ignore[override]
        """Forget it."""
        return None


class RepeatedHouse(House):
    """A house whose world is a trace."""

    def __init__(
        self,
        root: SupervisorSpec,
        seed: int,
        outside: Iterable[type],
        plain: Mapping[type, Callable[[Raw], Any]] | None = None,
    ):
        self.loop = StillLoop()
        super().__init__(root, Clock(self.loop, 0, virtual=True), seed, outside)
        self.specs: dict[str, ChildSpec] = {actor.key: actor for actor in self.actors}
        self.readers: dict[str, MindReader] = {}
        every = {kind for actor in self.actors for kind in (*actor.says, *(h.message for h in actor.hears))}
        self._kinds = {kind.__name__: kind for kind in every}
        self._decoders: dict[str, Callable[[Raw], Any]] = {kind.__name__: read for kind, read in (plain or {}).items()}

    def message(self, said: Said) -> Any:
        """What was said, as the message it was. Raises Diverged for a kind that this graph does not have."""
        decoder = self._decoders.get(said.kind)
        if decoder is None:
            if said.kind not in self._kinds:
                raise Diverged(f"{said.speaker} said a {said.kind}, which this graph does not know")
            decoder = self._decoders[said.kind] = msgspec.msgpack.Decoder(self._kinds[said.kind]).decode
        return decoder(said.message)

    def put(self, said: Said, message: Any) -> None:
        """Let those hear it who heard it."""
        kind = type(message)
        if said.speaker == SUPERVISOR:
            puts = self._voice.get(kind, ())
        else:
            puts = self.route(kind) if said.speaker == OUTSIDE else self.routes[said.speaker].get(kind, ())
        for put in puts:
            put(message)

    def beat(self, beat: Beat) -> None:
        """Let a timer beat."""
        box = self.mailboxes[beat.actor]
        box.lanes[Tick].put(Tick(beat.at_ns))
        box.wake_now()

    def begin(self, actor: str) -> None:
        """Let a mind begin to read."""
        spec = self.specs[actor]
        body: Any = spec.start()
        self.readers[actor] = MindReader(body.mind, self.post(spec))

    def leave(self, actor: str) -> None:
        """Let a mind take no more turns."""
        self.readers[actor].stop()

    def turn(self) -> None:
        """One round of turns."""
        self.turns._run()

    def take(self, took: Took) -> list[Any]:
        """What an actor that is no mind has read. Raises Diverged where it is more or less than was recorded."""
        batch = self.mailboxes[took.actor].take()
        if len(batch) != took.messages:
            raise Diverged(f"{took.actor} read {took.messages} messages, and now it would read {len(batch)}")
        return batch

    def close(self) -> None:
        """Let go of the loop."""
        self.loop.close()


def crashed(reader: MindReader) -> BaseException | None:
    """What a mind died of, if it did."""
    done = reader.crashed.done() and not reader.crashed.cancelled()
    return reader.crashed.exception() if done else None
