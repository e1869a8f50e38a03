"""A crowd at the control socket: does trading feel it, and is every command still answered within a second.

    python -m tests.soak.crowd [--connects 10000] [--phases 4] [--wrong]

One daemon trades 28 symbols ten times as fast as the market. Calm and crowd take turns, so that both meet the same
machine. The crowd: connections that hang up at once (--connects of them in all), ten that say nothing, some that say a
letter a second, one that says lines of a mebibyte. Timed inside the daemon is the tick path, from the feed's first look
at a book to the signal's; and from outside every verb, by a client that asks one after the other. When all places are
taken the urgent verbs must still get in. Exit 1 where the p99 of the tick path is more than twice that of the calm, or
an answer took a second; with --wrong it has to.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

from daemon.control_client import SOCKET_NAME, ControlClient
from daemon.errors import Failed
from tests.daemon.runs import EAGER

ROOT = Path(__file__).resolve().parents[2]
SETTLE_S, CALM_S = 6.0, 12.0
CONNECTS_ASKED = 1_000
"""Connections made while verbs are asked: those phases are about the answers."""
NICE = 15
RATIO_MAX, ANSWER_S_MAX = 2.0, 1.0

TIMED = """
import atexit, json, sys, time
from actors.feed import FeedMind
from actors.signal import Signal
now, seen, took = time.perf_counter, {{}}, []
sift, hear_stream = FeedMind.sift, Signal.hear_stream
def sifting(self, events):
    events = list(events)
    at = now()
    for event in events:
        seen[event.symbol] = at
    return sift(self, events)
def hearing(self, imbalances):
    def timed():
        for one in imbalances:
            at = now()
            took.append((at, at - seen[one.symbol]))
            yield one
    yield from hear_stream(self, timed())
FeedMind.sift, Signal.hear_stream = sifting, hearing
if {wrong!r}:
    from daemon.control_socket import ControlSocket
    connected = ControlSocket._connected
    async def slowly(self, reader, writer):
        time.sleep(0.005)
        await connected(self, reader, writer)
    ControlSocket._connected = slowly
atexit.register(lambda: open({out!r}, "w").write(json.dumps(took)))
from daemon.__main__ import main
sys.argv = {args!r}
main()
"""

QUESTIONS = {
    **{verb: {} for verb in ("status", "ps", "positions", "orders", "snapshot", "names", "get")},
    "explain": {"id": "BTC"},
    "set": {"name": "z_entry", "symbol": "BTC", "value": 2.5},
    "reload": {},
    **{verb: {} for verb in ("pause", "reduce", "halt", "flatten", "cancel", "resume")},
}
URGENT = ("halt", "pause", "reduce", "flatten", "cancel")


class Crowd:
    """Everybody at the door, until `leave`."""

    def __init__(self, path: Path, connects: int, *, silent: int):
        self.path, self.over, self.made = path, threading.Event(), 0
        kinds = [
            lambda: self._hang_up(connects),
            *[self._say_nothing] * silent,
            *[self._dawdle] * 3,
            self._say_too_much,
        ]
        self.threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
        for thread in self.threads:
            thread.start()

    def leave(self) -> None:
        """Go, once all connections were made."""
        self.threads[0].join()
        self.over.set()
        for thread in self.threads:
            thread.join(5)

    def _connect(self) -> socket.socket:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(2)
        one.connect(str(self.path))
        return one

    def _hang_up(self, connects: int) -> None:
        while self.made < connects:
            with suppress(OSError):
                self._connect().close()
                self.made += 1

    def _say_nothing(self) -> None:
        while not self.over.is_set():
            with suppress(OSError), self._connect() as one:
                one.recv(100_000)

    def _dawdle(self) -> None:
        while not self.over.is_set():
            with suppress(OSError), self._connect() as one:
                while not self.over.wait(1.0):
                    one.send(b"{")

    def _say_too_much(self) -> None:
        while not self.over.is_set():
            with suppress(OSError), self._connect() as one:
                one.sendall(b"x" * 2**20)
                one.recv(100_000)


def at(values: list[float], share: float) -> float:
    """A quantile; nan of nothing."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def asked(data: Path, verb: str) -> tuple[float, str]:
    """How long an answer took from connecting on, and what was wrong with it."""
    began = time.perf_counter()
    try:
        with ControlClient(data) as client:
            client.ask(verb, QUESTIONS[verb])
        wrong = ""
    except Failed as error:
        wrong = str(error)
    return time.perf_counter() - began, wrong


def answers(data: Path, verbs: tuple[str, ...], until: threading.Event, took: dict[str, list[float]]) -> list[str]:
    """Ask verb after verb until it is over; gives what was not answered as it should."""
    wrongs = []
    while not until.is_set():
        for verb in verbs:
            seconds, wrong = asked(data, verb)
            took[verb].append(seconds)
            if wrong:
                wrongs.append(f"{verb}: {wrong}")
        time.sleep(0.05)
    return wrongs


def phase(data: Path, connects: int, silent: int, verbs: tuple[str, ...], took: dict[str, list[float]]) -> list[str]:
    """A crowd for as long as its connections take, and at least as long as a calm."""
    crowd, over, wrongs = Crowd(data / SOCKET_NAME, connects, silent=silent), threading.Event(), []
    asker = threading.Thread(target=lambda: wrongs.extend(answers(data, verbs, over, took)))
    asker.start()
    began = time.monotonic()
    crowd.threads[0].join()
    time.sleep(max(0.0, CALM_S - (time.monotonic() - began)))
    over.set()
    asker.join()
    crowd.leave()
    return wrongs


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--connects", type=int, default=10_000)
    parser.add_argument("--phases", type=int, default=4)
    parser.add_argument("--wrong", action="store_true", help="the control: a door that takes 5 ms of the loop")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crowd") as folder:
        data, out, config = Path(folder, "data"), Path(folder, "took.json"), Path(folder, "given.toml")
        config.write_text(EAGER)
        args = [
            "obid",
            "run",
            "--plain",
            "--data-dir",
            str(data),
            "--config",
            str(config),
            "--speed",
            "10",
            "--bar",
            "5s",
        ]
        code = TIMED.format(out=str(out), args=args, wrong=given.wrong)
        with Path(folder, "said").open("wb") as said:
            env = {**os.environ, "PYTHONPATH": str(ROOT)}
            process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdout=said, stderr=said)
        while not (data / SOCKET_NAME).exists():
            assert process.poll() is None, Path(folder, "said").read_text()[-800:]
            time.sleep(0.05)
        os.nice(NICE)  # what the crowd takes of the processors is not what it does to the daemon
        time.sleep(SETTLE_S)
        times: dict[str, list[tuple[float, float]]] = {"calm": [], "crowd": [], "asked": []}
        everything: dict[str, list[float]] = defaultdict(list)
        urgent: dict[str, list[float]] = defaultdict(list)
        wrongs: list[str] = []
        for number in range(given.phases):
            full = number % 2 == 1  # every place is taken
            verbs, took = (URGENT, urgent) if full else (tuple(QUESTIONS), everything)
            for name, asks in (("calm", None), ("crowd", ()), ("asked", verbs)):
                began = time.perf_counter()
                if asks is None:
                    time.sleep(CALM_S)
                else:
                    connects = given.connects // given.phases if name == "crowd" else CONNECTS_ASKED
                    wrongs += phase(data, connects, 20 if full else 6, asks, took)
                times[name].append((began, time.perf_counter()))
        process.send_signal(signal.SIGTERM)
        code_at_end = process.wait(60)
        took_all = json.loads(out.read_text())
    ticks = {
        name: [1e6 * one for when, one in took_all if any(a <= when <= b for a, b in spans)]
        for name, spans in times.items()
    }
    print(
        f"load {os.getloadavg()[0]:.0f}, {given.connects} connections, exit {code_at_end}, wrong answers {len(wrongs)}"
    )
    for name, values in ticks.items():
        print(
            f"tick path, {name:5}: p50 {at(values, 0.5):6.0f} us, p99 {at(values, 0.99):7.0f} us of {len(values)} books"
        )
    worst = 0.0
    for name, each in (("all verbs, places left", everything), ("urgent verbs, no place left", urgent)):
        values = [one for many in each.values() for one in many]
        worst = max(worst, *values) if values else worst
        slowest = max(each, key=lambda verb: max(each[verb])) if each else ""
        shown = f"p50 {at(values, 0.5):.3f} p99 {at(values, 0.99):.3f} max {max(values):.3f} s ({slowest})"
        print(f"{name}: {shown} of {len(values)}")
    for wrong in sorted(set(wrongs))[:5]:
        print(f"wrong: {wrong}")
    ratio = at(ticks["crowd"], 0.99) / at(ticks["calm"], 0.99)
    print(f"p99 of the tick path times {ratio:.2f}")
    return int(ratio > RATIO_MAX or worst > ANSWER_S_MAX or code_at_end != 0 or bool(wrongs))


if __name__ == "__main__":
    sys.exit(main())
