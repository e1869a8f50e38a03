"""How late the loop is, how long a commit takes and how fast trading stops: a daemon at rest, loaded, and hindered.

    python -m tests.soak.stalls [--rounds 30]       a row for each condition

Each is a daemon of its own, in a process of its own; nothing in it is measured that it does not measure in production
(`ctl status`: the loop's lag), but for commits, which the harness times around `Journal.append`. "halted" is from the
start of `obid ctl halt` (a new process: 0.2 s of it are Python's own start) or from a client's request to the moment at
which the state is told; "flat" until no entry is open. Latencies of a machine that others use are those of the others.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from daemon.control_client import SOCKET_NAME, ControlClient
from daemon.errors import DaemonAbsent, Failed
from risk.order import OVER
from supervisor.clock import NS_PER_S
from tests.daemon.runs import EAGER
from tests.venues.emulator.running import ADDRESS, KEY, running

ROOT = Path(__file__).resolve().parents[2]
SETTLE_S, LOOK_S = 5.0, 10.0
"""Until the daemon is warm, and for how long it is then watched."""

SLOW_DISK_S = 0.05

TIMED = """
import atexit, json, sys, time
from supervisor import journal
real, times = journal.Journal.append, []
def append(self, entries):
    began = time.perf_counter()
    {slow}
    try:
        return real(self, entries)
    finally:
        times.append(time.perf_counter() - began)
journal.Journal.append = append
atexit.register(lambda: open({out!r}, "w").write(json.dumps(times)))
from daemon.__main__ import main
sys.argv = {args!r}
main()
"""

PATIENT = """
[perps.routes.native]
lifetime_s = 3600
reprices_max = 0
reprice_bps_min = 500
"""


LOG_S = 2.0
"""By then the log is on the disk."""


class Condition(NamedTuple):
    """What a daemon is put through."""

    name: str
    options: tuple[str, ...]
    slow: str = "pass"
    fault: tuple[tuple[str, Any], ...] = ()  # of an emulated venue; none: synthetic
    knocks: bool = False


MADE = ("--bar", "1s")
CONDITIONS = (
    Condition("quiet, 2 symbols", (*MADE, "--symbols", "BTC,ETH")),
    Condition("28 symbols", MADE),
    Condition("28 symbols, ten times as fast", (*MADE, "--speed", "10")),
    Condition(
        "slow disk, 50 ms a commit", (*MADE, "--symbols", "BTC,ETH", "--speed", "10"), f"time.sleep({SLOW_DISK_S})"
    ),
    Condition("venue mute", ("--mode", "live", *MADE), fault=(("kind", "mute"), ("for_s", 60))),
    Condition("venue never answers orders", ("--mode", "live", *MADE), fault=(("kind", "timeout_after_accept"),)),
    Condition("control socket flooded", (*MADE, "--symbols", "BTC,ETH"), knocks=True),
)


class Running:
    """A daemon under a condition."""

    def __init__(self, condition: Condition, folder: Path, url: str):
        self.data, self.times = folder / "data", folder / "times.json"
        config = folder / "given.toml"
        places = f'[daemon]\nhyperliquid_url = "{url}"\nhyperliquid_chain = "testnet"\ndeadman = "off"\n' if url else ""
        config.write_text(places + EAGER + PATIENT)
        args = ["obid", "run", "--plain", "--data-dir", str(self.data), "--config", str(config), *condition.options]
        if url:
            args += ["--symbols", "BTC,ETH"]
        code = TIMED.format(slow=condition.slow, out=str(self.times), args=args)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "OBID_HYPERLIQUID_AGENT_KEY": KEY, "OBID_LIVE": "yes-play-money"}
        env["OBID_HYPERLIQUID_MASTER_ADDRESS"] = ADDRESS
        with (folder / "out").open("wb") as out:
            self.process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=env, stdout=out, stderr=out)
        while not (self.data / SOCKET_NAME).exists():
            assert self.process.poll() is None, (folder / "out").read_text()[-800:]
            time.sleep(0.05)

    def ask(self, verb: str, **args: object) -> Any:
        """What it answers, once there is a place for the question."""
        while True:
            try:
                with ControlClient(self.data) as client:
                    return client.ask(verb, args)
            except (DaemonAbsent, Failed, OSError):
                time.sleep(0.01)

    def state(self) -> str:
        """The engine's trading state."""
        return str(self.ask("status")["engines"][0]["trading"])

    def entries(self) -> list[str]:
        """Entries that are open; exits go on resting while trading is halted: they only make less of what is held."""
        return [row["order_id"] for row in self.ask("orders") if row["purpose"] == "entry"]

    def halt_by_log(self, began_s: float) -> tuple[float, float]:
        """When the halt was so, and the last entry over behind it, by the log's times: who asks waits for a place."""
        time.sleep(LOG_S)
        lines = [json.loads(line) for line in (self.data / "log" / "obid.jsonl").read_bytes().splitlines()]
        told = [line for line in lines if line["event"] == "trading_state" and line["at_ns"] / NS_PER_S >= began_s]
        halted_s = next(one["at_ns"] / NS_PER_S for one in told if one["state"] == "halted" and one["by"] == "operator")
        over = [
            line["at_ns"] / NS_PER_S
            for line in lines
            if line["event"] == "order_changed" and line["entry"] and line["state"] in OVER
        ]
        return halted_s - began_s, max([halted_s, *over]) - began_s

    def until(self, what: Callable[[], bool], within_s: float = 20.0) -> float:
        """Wait for it; gives the seconds that took, or what was allowed."""
        began = time.perf_counter()
        while not what() and time.perf_counter() - began < within_s:
            time.sleep(0.005)
        return time.perf_counter() - began

    def rss_mib(self) -> float:
        """Its memory now."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def end(self) -> list[float]:
        """Stop it; gives how long its commits took, in ms."""
        self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(60)
        self.process.kill()
        self.process.wait()
        return [1000 * one for one in json.loads(self.times.read_text())] if self.times.exists() else []


@contextmanager
def knocking(path: Path) -> Iterator[list[int]]:
    """Clients of every bad kind until the block is over: who hang up, who say nothing, who say a letter a second, who
    say a line of a mebibyte. Gives the count of connections."""
    over, count = threading.Event(), [0]

    def connect() -> socket.socket:
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(2)
        one.connect(str(path))
        count[0] += 1
        return one

    def hang_up() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError):
                connect().close()

    def say_nothing() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), connect() as one:
                one.recv(100_000)

    def dawdle() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), connect() as one:
                while not over.wait(1.0):
                    one.send(b'{"verb":"status",')

    def say_too_much() -> None:
        while not over.is_set():
            with contextlib.suppress(OSError), connect() as one:
                one.sendall(b"x" * 2**20)
                one.recv(100_000)

    kinds = (hang_up, *[say_nothing] * 10, *[dawdle] * 10, say_too_much)
    threads = [threading.Thread(target=kind, daemon=True) for kind in kinds]
    for thread in threads:
        thread.start()
    try:
        yield count
    finally:
        over.set()
        for thread in threads:
            thread.join(5)


def at(values: list[float], share: float) -> float:
    """A quantile; nan of nothing."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def switched(daemon: Running, rounds: int, *, by_command: bool, by_log: bool) -> tuple[list[float], list[float]]:
    """Trade, halt, see it halted and without orders; again and again. Gives seconds to each."""
    halted, flat = [], []
    command = [sys.executable, "-m", "daemon", "ctl", "halt", "--data-dir", str(daemon.data)]
    for _ in range(rounds):
        daemon.ask("resume")
        daemon.until(lambda: daemon.state() == "active")
        daemon.until(lambda: bool(daemon.entries()), 3.0)
        began, began_s = time.perf_counter(), time.time()
        if by_command:
            subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        else:
            daemon.ask("halt")
        daemon.until(lambda: daemon.state() != "active")
        halted.append(time.perf_counter() - began)
        daemon.until(lambda: not daemon.entries())
        flat.append(time.perf_counter() - began)
        if by_log:
            halted[-1], flat[-1] = daemon.halt_by_log(began_s)
    daemon.ask("resume")
    return halted, flat


def tried(condition: Condition, rounds: int) -> str:
    """A row."""
    with contextlib.ExitStack() as held:
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="stalls")))
        venue = held.enter_context(running(("BTC", "ETH"), speed=1.0)) if condition.fault else None
        daemon = Running(condition, folder, venue.url if venue else "")
        held.callback(daemon.end)
        time.sleep(SETTLE_S)
        if venue is not None:
            venue.fault(**dict(condition.fault))
        started_mib, knocked = daemon.rss_mib(), [0]
        if condition.knocks:
            knocked = held.enter_context(knocking(daemon.data / SOCKET_NAME))
        books = daemon.ask("status")["status"]["books"]
        time.sleep(LOOK_S)
        by_log = condition.knocks
        by_client = switched(daemon, rounds, by_command=False, by_log=by_log) if venue is None else ([], [])
        by_command = (
            switched(daemon, max(1, rounds // 3), by_command=True, by_log=by_log) if venue is None else ([], [])
        )
        status = daemon.ask("status")["status"]
        grown = daemon.rss_mib() - started_mib
        commits = daemon.end()
    lags = f"lag max {status['lag_ms']:6.1f} ms (since the start {status['lag_max_ms']:6.1f})"
    commit = f"commit p50 {at(commits, 0.5):5.2f} p99 {at(commits, 0.99):6.2f} ms of {len(commits)}"
    halts = "  ".join(
        f"{name} halted p99 {at(halted, 0.99):5.2f} s, flat {at(flat, 0.99):5.2f} s ({len(halted)})"
        for name, (halted, flat) in (("client", by_client), ("CLI", by_command))
        if halted
    )
    more = f"  {knocked[0]} connections, RSS {grown:+.1f} MiB" if condition.knocks else ""
    return f"{condition.name:32} {status['books'] - books:7} books  {lags}  {commit}  {halts}{more}"


def main() -> None:
    """All conditions, or one by its name."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    for condition in CONDITIONS:
        if asked.only in condition.name:
            print(f"load {os.getloadavg()[0]:.0f}  {tried(condition, asked.rounds)}", flush=True)


if __name__ == "__main__":
    main()
