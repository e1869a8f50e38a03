"""Poller: a thread that asks the daemon for one snapshot a second, and gives each order a thread of its own.

Threads, because the client waits: a daemon that hangs must not make the screen or its keys hang. They are daemonic, so
that leaving waits for nobody.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any, Protocol

import msgspec

from daemon.control_client import ControlClient
from daemon.errors import DaemonAbsent, ObidError
from daemon.snapshot import DecisionRow
from daemon.top.known import Heard, Silent, read_snapshot
from daemon.top.tail import LogTail, last_words
from supervisor.wall import now_ns

EVERY_S = 1.0
"""Between two questions, from answer to question: a daemon that is slow is asked less."""

ANSWER_S = 5.0
"""Longest wait for a snapshot: a healthy daemon takes milliseconds, a busy one a tenth of a second."""

ORDER_S = 10.0
"""Longest wait for an order to be taken, as `obid ctl` has it."""

Hear = Callable[[Heard | Silent, list[DecisionRow]], None]


class Client(Protocol):
    """What is asked."""

    def ask(self, verb: str, args: dict[str, Any] | None = None) -> Any:
        """The data of one answer. Raises ObidError."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


Connect = Callable[[float], Client]
"""A new connection, with the longest wait for an answer in seconds. Raises ObidError."""


class Poller:
    """Asks until it is stopped, over one connection as long as that holds."""

    def __init__(self, data_dir: Path, hear: Hear, connect: Connect | None = None):
        self.data_dir = data_dir
        self.hear = hear
        self.connect: Connect = connect or (lambda timeout_s: ControlClient(data_dir, timeout_s))
        self.tail = LogTail(data_dir)
        self.stopped = Event()
        self._client: Client | None = None

    def start(self) -> None:
        """Begin to ask."""
        Thread(target=self.run, name="top-poller", daemon=True).start()

    def run(self) -> None:
        """Ask until stopped."""
        while not self.stopped.is_set():
            self.hear(self.ask(), self.tail.read())
            self.stopped.wait(EVERY_S)
        self._hang_up()

    def ask(self) -> Heard | Silent:
        """One question."""
        try:
            if self._client is None:
                self._client = self.connect(ANSWER_S)
            return Heard(read_snapshot(self._client.ask("snapshot")), now_ns())
        except DaemonAbsent:
            self._hang_up()
            since_ns, words = last_words(self.data_dir)
            return Silent(False, "no daemon answers here", now_ns(), since_ns, words)
        except (ObidError, msgspec.ValidationError, ValueError, KeyError) as error:
            self._hang_up()
            return Silent(True, str(error), now_ns())

    def order(self, verb: str, args: dict[str, str], told: Callable[[str, bool], None]) -> None:
        """Give an order beside the questions; `told` hears what came of it, and whether it was taken."""
        Thread(target=self._order, args=(verb, args, told), name="top-order", daemon=True).start()

    def _order(self, verb: str, args: dict[str, str], told: Callable[[str, bool], None]) -> None:
        try:
            client = self.connect(ORDER_S)
            try:
                answer = client.ask(verb, dict(args))
            finally:
                client.close()
        except ObidError as error:
            told(f"{verb} was NOT taken: {error}", False)
        else:
            told("; ".join(map(str, answer.get("lines") or [])) or f"{verb}: nothing to change", True)

    def _hang_up(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
