"""What a venue's core offers to the server that emulates it, so that one server serves several venues.

A core is synchronous: requests, frames and times in, answers and frames out. The server owns sockets, time and faults.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from venues.emulator.faults import ABNORMAL, Fault
from venues.emulator.schedule import Scope

JSON, TEXT = "application/json", "text/plain"


class Ask(Struct, frozen=True):
    """One HTTP request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    ip: str


class Question(Struct, frozen=True):
    """A request as far as the faults must know it: door ("info", "exchange"), type within it, symbols it names."""

    door: str
    type: str
    symbols: tuple[str, ...]
    body: Any
    ip: str


class Answer(Struct, frozen=True):
    """What is answered over HTTP."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()


class Delivery(Struct, frozen=True):
    """A frame for every socket that holds `key`. `channel` and `symbols` are set where it tells of fills."""

    key: str
    frame: bytes
    channel: str = ""
    symbols: tuple[str, ...] = ()


class Reply(Struct, frozen=True):
    """A frame for the one who asked, now or later; a fault may have it followed by the end of the socket."""

    frame: bytes
    delay_ns: int = 0


class HangUp(Exception):
    """The socket is to be closed: without a close frame (ABNORMAL) or with a code and a reason, now or later.

    `last` is a frame that is said before.
    """

    def __init__(self, code: int = ABNORMAL, reason: str = "", delay_ns: int = 0, last: bytes = b""):
        super().__init__(f"{code} {reason}")
        self.code, self.reason, self.delay_ns, self.last = code, reason, delay_ns, last


class Outcome(Struct, frozen=True):
    """What becomes of a request: the answer (None: there is none), how late, and whether the connection is cut."""

    answer: Answer | None
    delay_ns: int = 0
    cut: bool = False


Suffer = Callable[[Question, Callable[[], Answer], Callable[[str], Answer]], Outcome]
"""Let a request meet its fault: the question, what answers it, and what makes an answer with an error inside."""


class Around(Struct, frozen=True):
    """What a session is given of the server: how requests meet their faults, and the venue's own clock."""

    suffer: Suffer
    venue_ns: Callable[[], int]


class Link(Protocol):
    """What a session is given of its socket: whose it is, where and how it asked, and which frames it is to hear."""

    ip: str
    path: str
    content_type: str
    binary: bool
    """Whether frames go out as binary ones; the session may change it."""

    def hold(self, key: str) -> None:
        """Hear a key from now on."""
        ...

    def release(self, key: str) -> None:
        """Hear it no more."""
        ...


class Session(Protocol):
    """One socket's conversation with the venue."""

    def greet(self) -> Iterable[Reply]:
        """What is said before the client has said anything."""
        ...

    def hear(self, said: str | bytes, now_ns: int) -> Iterable[Reply]:
        """Take a message of the client, bytes where its frame was binary. Raises HangUp."""
        ...

    def tick(self, now_ns: int) -> None:
        """Let time pass. Raises HangUp when the socket has been idle for too long."""
        ...

    def go_deaf(self) -> None:
        """What the client sends no longer keeps the socket open."""
        ...

    def scope(self) -> Scope:
        """What it listens to."""
        ...

    def end(self) -> None:
        """The socket is gone."""
        ...


class Doors(Protocol):
    """A venue: HTTP requests, sockets, what happens meanwhile, and what may befall it."""

    name: str
    socket_paths: tuple[str, ...]

    def understand(self, ask: Ask) -> Question | Answer:
        """What a request asks for, or the answer to what can't be read."""
        ...

    def answer(self, question: Question, now_ns: int) -> Answer:
        """Do what is asked."""
        ...

    def wrong(self, question: Question, text: str) -> Answer:
        """An answer that says yes and has an error inside; nothing was done."""
        ...

    def too_many(self) -> Answer:
        """The answer to one who asks too often."""
        ...

    def admits(self, ip: str, now_ns: int) -> bool:
        """Whether one more socket of an address is let in."""
        ...

    def session(self, link: Link, around: Around, now_ns: int) -> Session:
        """Begin a conversation with a socket that was let in; it counts until its `end`."""
        ...

    def advance(self, now_ns: int) -> Sequence[Delivery]:
        """Move the market on and say what sockets hear, in order."""
        ...

    def befall(self, fault: Fault, now_ns: int) -> None:
        """Let a fault of the exchange itself happen: delist, restart, partial_fills."""
        ...

    def symbols(self) -> Sequence[str]:
        """What is listed now."""
        ...

    def truth(self, now_ns: int) -> Any:
        """Accounts, positions, open orders and fills as they are, for tests to compare with."""
        ...

    def statistics(self, now_ns: int) -> Any:
        """What was used of the venue's limits, and how much at most in any minute."""
        ...
