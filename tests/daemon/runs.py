"""Runs of the whole program for tests: one that trades within seconds, in this process or in one of its own."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from typer.testing import CliRunner

from actors.ledger import LedgerMind
from actors.messages import RunStarted
from actors.records import written
from config.load import load_profile
from daemon import modes
from daemon.cli import app
from daemon.control_client import SOCKET_NAME, ControlClient
from daemon.errors import DaemonAbsent
from daemon.options import JOURNAL_NAME
from supervisor.journal import Journal
from venues.market import Fill, Side

ROOT = Path(__file__).resolve().parents[2]
UP_S, STOP_S, WAIT_S = 60.0, 15.0, 60.0
"""How long a start, an end and anything else that is waited for may take on a very busy machine."""

EAGER = """
[perps.signal]
window_bars = 5
trend_bars = 5
trend_gate = false
[perps.tier_default]
z_entry = 0.3
z_exit = 0.1
[perps.risk]
orders_per_minute = 6000
orders_burst = 6000
"""
"""A strategy that knows no patience: with bars of a second it trades every few of them."""


def eager(folder: Path, text: str = "") -> Path:
    """The configuration file of such a strategy."""
    path = folder / "eager.toml"
    path.write_text(EAGER + text)
    return path


def obid(*args: object, code: int | None = 0):
    """Run a command in this process."""
    result = CliRunner().invoke(app, [str(arg) for arg in args], prog_name="obid")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert code is None or result.exit_code == code, result.output
    return result


def digest_of(result) -> str:
    """The last line of a run."""
    last = result.stdout.splitlines()[-1]
    assert last.startswith("digest sha256:")
    return last


def count(result, what):
    """A number of the summary."""
    return int(re.search(rf"^{what} +([\d,]+)", result.stdout, re.MULTILINE)[1].replace(",", ""))


class Daemon:
    """`obid run` in a process of its own; whatever it prints is kept, and it never outlives the test."""

    def __init__(self, data_dir: Path, *args: object):
        command = [sys.executable, "-m", "daemon", "run", "--plain", "--data-dir", data_dir, *args]
        self.data_dir = data_dir
        self.out, self.err = data_dir.with_suffix(".out"), data_dir.with_suffix(".err")
        environment = {**os.environ, "PYTHONWARNINGS": "default"}  # a leaked socket or task would be told on stderr
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=out, stderr=err, env=environment)

    def __enter__(self) -> "Daemon":
        self.wait_for(self.is_up, UP_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def is_up(self) -> bool:
        """Whether each of its actors has begun: it answers before that, and then has nobody yet to send an order to."""
        return (self.data_dir / SOCKET_NAME).exists() and all(row["state"] == "running" for row in self.ask("ps"))

    def ask(self, verb: str, **args: object):
        """What the daemon answers, as plain data."""
        with ControlClient(self.data_dir) as client:
            return client.ask(verb, args)

    def wait_for(self, what, within_s: float = WAIT_S):
        """Wait until something is true of the daemon; gives what it was."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"it ended: {self.said()} {self.wrongs()}"
            try:
                if found := what():
                    return found
            except (DaemonAbsent, ConnectionError, FileNotFoundError):
                pass  # it is not up, or its control actor comes back just now
            time.sleep(0.05)
        raise AssertionError(f"not within {within_s} s: {self.said()[-2000:]} {self.wrongs()}")

    def end(self, how: int | None = signal.SIGTERM, code: int | None = 0) -> float:
        """Send a signal, or none, and wait for the end; gives how many seconds that took."""
        started = time.monotonic()
        if how is not None:
            self.process.send_signal(how)
        assert self.process.wait(STOP_S) == code, self.wrongs()
        return time.monotonic() - started

    def said(self) -> str:
        """Its standard output so far."""
        return self.out.read_text()

    def wrongs(self) -> str:
        """Its standard error so far."""
        return self.err.read_text()

    def entries(self) -> list[dict]:
        """New entries that risk has let pass."""
        wishes = [line for line in self.log("approved") if "evidence" in line["wish"]]
        return [line for line in wishes if line["wish"]["purpose"] == "entry"]

    def log(self, event: str) -> list[dict]:
        """The lines of one event in its log."""
        return log_of(self.data_dir, event)


def log_of(data_dir: Path, event: str) -> list[dict]:
    """The lines of one event in a log."""
    lines = []
    for path in sorted((data_dir / "log").iterdir()):
        written = path.read_text().rpartition("\n")[0]  # the last line may be half way to the disk
        lines += [json.loads(line) for line in written.splitlines() if f'"{event}"' in line]
    return [line for line in lines if line["event"] == event]


START_NS = 1_757_000_000_000_000_000
BOOK_COLUMNS = ("bid_px", "bid_sz", "ask_px", "ask_sz")


def capture(folder: Path, symbol: str = "BTC", books: int = 900, level: float = 60_000.0) -> Path:
    """A capture of a market that swings: a book every half second, the heavier side where the price will go."""
    import polars as pl

    folder.mkdir(exist_ok=True)
    rows = [_book(number, level) for number in range(books)]
    columns = {"ts": pl.Series([START_NS + number * 500_000_000 for number in range(books)], dtype=pl.Int64)}
    for place, name in enumerate(BOOK_COLUMNS):
        columns[name] = pl.Series([row[place] for row in rows], dtype=pl.Array(pl.Float64, 5))
    path = folder / f"{symbol}.book.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


def _book(number: int, level: float) -> tuple[list[float], ...]:
    """Five levels a side around a price that swings by a tenth of a per cent every 40 seconds."""
    phase = number % 80
    swing = phase / 40 if phase < 40 else (80 - phase) / 40
    middle = round(level * (1 + swing / 1000))
    heavy = 3.0 if phase < 40 else 1.0
    steps = range(1, 6)
    bids, asks = [float(middle - step) for step in steps], [float(middle + step) for step in steps]
    return bids, [heavy] * 5, asks, [4.0 - heavy] * 5


def hold(data_dir: Path, symbol: str, lots: int) -> None:
    """A journal of a former run that ended with a position."""
    instruments = modes.universe(load_profile("perps"))
    started = RunStarted(
        number=1,
        run_id="before",
        mode="synthetic",
        seed=1,
        version="0",
        engines=("perps",),
        instruments=tuple(instruments.values()),
        at_ns=START_NS,
    )
    mind = LedgerMind()
    mind.fold(started)
    fill = Fill("perps", "perps-1", "", symbol, Side.BUY, lots, 20_000, 0, False, START_NS + 1)
    records, _ = mind.hear(fill)
    data_dir.mkdir(mode=0o700)
    journal = Journal.open(data_dir / JOURNAL_NAME)
    journal.append(map(written, [started, *records]))
    journal.close()
