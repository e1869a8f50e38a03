"""A service manager's watchdog over the real daemon: seconds from a hang to silence, to its end, and to trading again.

    python -m tests.soak.watchdog [--actor NAME --way await|spin] [--deadlines 1.0]

What stands in for systemd listens on NOTIFY_SOCKET, aborts a service (SIGABRT) that has not fed its watchdog for
WatchdogSec, and starts it again after RestartSec, as the units that ship have them (daemon/service_units.py). Before
the hang an operator has halted the engine; after it the halt must stand, the books must be those that were left, and
no order of the dead life may be open.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from daemon.books import recover_from
from daemon.control_client import ControlClient
from daemon.errors import DaemonAbsent, Failed
from daemon.options import JOURNAL_NAME
from daemon.service_units import RESTART_S, WATCHDOG_S
from tests.daemon.runs import ROOT, eager
from tests.soak.watchdog_life import AWAITS, KINDS

SPINS = ("obi_pump", "gate", "recorder", "perps.signal", "perps.bars", "circuit_breaker")
CASES = [*((name, "await") for name in (*AWAITS, *KINDS)), *((name, "spin") for name in SPINS)]
UP_S, GONE_S = 60.0, 120.0
"""On a busy machine."""
TRADED_S = 3.0
"""So long it trades before it hangs."""
PROVEN_S = 40.0
"""An order's fence lies 15 s behind its sending; then a question proves what became of it, asked every few seconds."""


class Measured(NamedTuple):
    """One drill, in seconds from the hang on; `wrongs` is empty where all is as it must be."""

    actor: str
    way: str
    fed_every: float  # the longest between two signs of life before it
    silent: float  # the last sign of life
    ended: float  # killed and gone
    again: float  # the next life says READY
    wrongs: tuple[str, ...]

    def __str__(self) -> str:
        told = f"{self.actor:<18} {self.way:<6} fed every {self.fed_every:4.1f}  silent {self.silent:5.1f}"
        return f"{told}  ended {self.ended:5.1f}  up again {self.again:5.1f}  {'; '.join(self.wrongs) or 'right'}"


class Systemd:
    """As much of it as one service needs."""

    def __init__(self, folder: Path, watchdog_s: float):
        self.folder, self.watchdog_s = folder, watchdog_s
        self.heard: list[tuple[float, str]] = []
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.door.bind(str(folder / "notify"))
        self.door.setblocking(False)
        self.life: subprocess.Popen[bytes] | None = None

    def start(self, *args: object) -> None:
        """Start the service."""
        told = {"NOTIFY_SOCKET": str(self.folder / "notify"), "WATCHDOG_USEC": str(round(self.watchdog_s * 1e6))}
        environ = {**os.environ, "PYTHONPATH": str(ROOT), **told}
        command = [sys.executable, "-m", "tests.soak.watchdog_life", *map(str, args)]
        with (self.folder / "said.txt").open("ab") as out:
            self.life = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)

    def listen(self) -> None:
        """Take what has come."""
        while True:
            try:
                text = self.door.recv(4096).decode()
            except BlockingIOError:
                return
            self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def times(self, line: str) -> list[float]:
        """When it was said."""
        self.listen()
        return [at for at, said in self.heard if said == line]

    def until(self, what: Callable[[], object], seconds: float) -> None:
        """Wait. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while not what():
            self.listen()
            if time.monotonic() > end:
                raise TimeoutError((self.folder / "said.txt").read_text()[-3000:])
            time.sleep(0.02)

    def rest(self, seconds: float) -> None:
        """Only listen, for a while: what is taken later would seem to be said later."""
        end = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > end, seconds + 1.0)

    def abort_when_silent(self) -> None:
        """As it does with Type=notify and WatchdogSec."""
        assert self.life is not None
        self.until(lambda: time.monotonic() - self.times("WATCHDOG=1")[-1] > self.watchdog_s, GONE_S)
        self.life.send_signal(signal.SIGABRT)

    def close(self) -> None:
        """Leave nothing behind."""
        if self.life is not None and self.life.poll() is None:
            self.life.kill()
            self.life.wait()
        self.door.close()


def ask(data: Path, verb: str, **args: object) -> Any:
    """What the daemon answers; None while it does not."""
    try:
        with ControlClient(data) as client:
            return client.ask(verb, args)
    except (DaemonAbsent, Failed, OSError):
        return None


def halted(data: Path) -> bool:
    """Whether the daemon shows the halt."""
    now = ask(data, "snapshot")
    return now is not None and all(row["trading"] == "halted" for row in now["engines"])


def held(data: Path) -> dict[str, int]:
    """Positions by the journal."""
    mind = recover_from(data / JOURNAL_NAME)
    return {symbol: one.lots for symbol, one in mind.books.positions.get("perps", {}).items() if one.lots}


def drill(folder: Path, actor: str, way: str, *, deadlines: float = 1.0, watchdog_s: float = WATCHDOG_S) -> Measured:
    """Hang one actor, and see what becomes of it."""
    data, config = folder / "data", eager(folder)
    systemd = Systemd(folder, watchdog_s)
    try:
        systemd.start(data, config, deadlines, actor, way)
        systemd.until(lambda: systemd.times("READY=1"), UP_S)
        life = systemd.life
        assert life is not None
        systemd.rest(max(TRADED_S, watchdog_s * 1.2))
        assert ask(data, "halt", engine="perps", reason="before the drill") is not None, "the halt was not answered"
        systemd.until(lambda: halted(data), UP_S)  # on its way is not there: it is shown once it is on disk
        hung_s = time.monotonic()
        life.send_signal(signal.SIGUSR2)
        systemd.abort_when_silent()
        code = life.wait(10)
        ended_s = time.monotonic()
        before = held(data)
        systemd.rest(RESTART_S)
        systemd.start(data, config, deadlines)
        systemd.until(lambda: len(systemd.times("READY=1")) == 2, UP_S)
        fed = [at for at in systemd.times("WATCHDOG=1") if at < ended_s]
        every = max((later - sooner for sooner, later in pairwise(fed)), default=0.0)
        again_s = systemd.times("READY=1")[1]
        wrongs = wrongs_of(systemd, data, code, before)
        return Measured(actor, way, every, fed[-1] - hung_s, ended_s - hung_s, again_s - hung_s, wrongs)
    finally:
        systemd.close()


def wrongs_of(systemd: Systemd, data: Path, code: int, before: dict[str, int]) -> tuple[str, ...]:
    """What is not as it must be, of a life that was aborted and of the one behind it; the latter is stopped."""
    assert systemd.life is not None
    wrongs = [] if code == -signal.SIGABRT else [f"it ended with {code}"]
    systemd.until(lambda: (now := ask(data, "snapshot")) and all(one["reconciled"] for one in now["engines"]), UP_S)
    # what was being cancelled as it hung is in doubt until its fence: the venue of the dead life died with it
    with suppress(TimeoutError):
        systemd.until(lambda: (now := ask(data, "snapshot")) and not now["orders"], PROVEN_S)
    now = ask(data, "snapshot")
    wrongs += [] if halted(data) else ["the halt is gone"]
    known = {row["symbol"]: row["lots"] for row in now["positions"]}
    grown = [symbol for symbol, lots in known.items() if abs(lots) > abs(before.get(symbol, 0))]
    wrongs += [f"{symbol} was entered under a halt" for symbol in grown]
    systemd.life.send_signal(signal.SIGTERM)
    if ended := systemd.life.wait(30):
        wrongs.append(f"the next life ended with {ended}")
    mind = recover_from(data / JOURNAL_NAME)
    mind.books.check()
    open_orders = [order.request.id for order in mind.orders.values() if not order.over]
    return (*wrongs, *(f"{one} is open" for one in open_orders))


def main() -> int:
    """Drill each, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--actor")
    parser.add_argument("--way", default="await")
    parser.add_argument("--deadlines", type=float, default=1.0)
    asked = parser.parse_args()
    cases, wrong = [(asked.actor, asked.way)] if asked.actor else CASES, 0
    for actor, way in cases:
        with tempfile.TemporaryDirectory() as folder:
            measured = drill(Path(folder), actor, way, deadlines=asked.deadlines)
            print(measured, flush=True)
            wrong += bool(measured.wrongs)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
