"""A soak in real time: emulators and a daemon in processes of their own, over loopback, watched from outside.

The daemon is started again when it ends, as systemd does it, and killed and stopped at drawn moments. Of the mix those
kinds befall it that need no seam inside: the venues' own, `kill` and `stop`.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

from msgspec import Struct

from actors.messages import OrderPlanned
from actors.records import read
from config.universe import load_universe
from daemon.books import recover_from
from daemon.control_client import ControlClient
from daemon.emulate_alpaca import plan_for, universe
from daemon.errors import BadInput, DaemonAbsent, Failed
from daemon.log_reader import LOG_FOLDER, LOG_NAME, LogFilter
from daemon.log_reader import read as read_log
from daemon.soak.checks import plain
from daemon.soak.evidence import WELL_S_MAX, Calmed, Evidence, Sample, Told, Water
from daemon.soak.kinds import OF_VENUE, named, toml_of
from daemon.soak.place import HYPERLIQUID, VENUE_OF
from daemon.soak.plan import WorldPlan
from daemon.soak.usage import usage_of
from daemon.soak.world import RESTART_S, ROUTES
from supervisor.clock import NS_PER_S, Clock
from supervisor.draws import uniform
from supervisor.journal import Journal
from supervisor.wall import run_wall

SAMPLE_S = 60.0
LOOK_S = 0.5
STOP_S = 60.0
"""A daemon that was asked to stop has stopped by then: at a real venue it waits for proof behind fences."""
OURS = ("kill", "stop")
"""Kinds of the world that need nothing but a signal."""
ANSWER_S = 30.0
BROKEN = "invariant_broken"
"""The event of the log."""


class Venue(Struct):
    """An emulator in a process of its own."""

    name: str
    process: "subprocess.Popen[str]"
    told: dict[str, Any]

    def ask(self, door: str) -> Any:
        """Ask its control door."""
        request = urllib.request.Request(f"{self.told['url']}/emulator/{door}", b"{}", method="POST")
        with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
            return json.load(answer)


class RealSoak:
    """One soak in real time."""

    def __init__(self, plan: WorldPlan, folder: Path, evidence: Evidence, progress: TextIO | None):
        self.plan, self.folder, self.evidence, self.progress = plan, folder, evidence, progress
        self.data = folder / "data"
        self.venues: list[Venue] = []
        self.daemon: subprocess.Popen[bytes] | None = None
        self.snapshot: dict[str, Any] = {}  # the last that this life told
        self.sent: signal.Signals | None = None  # to this life
        self.slots = {one.kind: 0 for one in plan.faults if one.kind in OURS}

    async def live(self, clock: Clock) -> None:
        """From the first emulator to the last comparison."""
        plan, evidence = self.plan, self.evidence
        start_ns = clock.now_ns()
        sample_ns, end_ns = start_ns, start_ns + round(plan.hours * 3600 * NS_PER_S)
        while clock.now_ns() < end_ns:
            await self._keep_alive(clock)
            self._befall((clock.now_ns() - start_ns) / NS_PER_S)
            if clock.now_ns() >= sample_ns:
                sample_ns += round(SAMPLE_S * NS_PER_S)
                self._look((clock.now_ns() - start_ns) / NS_PER_S)
            await clock.sleep(LOOK_S)
        for venue in self.venues:
            venue.ask("rest")
        quiet_ns = clock.now_ns()
        until_ns = quiet_ns + round(2 * plan.calm_s * NS_PER_S)
        well_s: float | None = None
        while evidence.calmed.whole_s is None and clock.now_ns() < until_ns:
            await self._keep_alive(clock)
            if self._ask() and self._well():  # what it said before the last fault was over is old
                seconds = (clock.now_ns() - quiet_ns) / NS_PER_S
                well_s = seconds if well_s is None else well_s
                rows = self.snapshot["engines"]
                state = "; ".join(sorted({row["trading"] for row in rows}))
                whole = not any(row["symbols_unlearnt"] for row in rows)
                evidence.calmed = Calmed(well_s, seconds if whole else None, state)
            await clock.sleep(LOOK_S)
        self._look((clock.now_ns() - start_ns) / NS_PER_S)
        await self._stop(clock)
        self._compare()

    async def _keep_alive(self, clock: Clock) -> None:
        """Start the daemon, or start it again."""
        if self.daemon is not None and self.daemon.poll() is None:
            return
        if self.daemon is not None:
            self._buried(self.daemon.returncode)
            await clock.sleep(RESTART_S)
        self.evidence.lives += 1
        self.sent = None
        engines = [part for engine in self.plan.engines for part in ("--engine", engine)]
        told = ["--mode", "live" if "perps" in self.plan.engines else "paper", "--plain", "--data-dir", str(self.data)]
        command = [sys.executable, "-m", "daemon", "run", *told, *engines, "--config", str(self.folder / "real.toml")]
        with (self.folder / "run.txt").open("ab") as out:
            self.daemon = subprocess.Popen(command, env=self._environment(), stdout=out, stderr=out)  # noqa: ASYNC220

    def _environment(self) -> dict[str, str]:
        keys: dict[str, str] = {}
        for venue in self.venues:
            if venue.name == HYPERLIQUID:
                keys["OBID_HYPERLIQUID_AGENT_KEY"] = venue.told["throw_away_key"]
            else:
                kind = "LIVE" if "perps" in self.plan.engines else "PAPER"
                keys[f"OBID_ALPACA_{kind}_KEY_ID"] = venue.told["throw_away_key_id"]
                keys[f"OBID_ALPACA_{kind}_SECRET"] = venue.told["throw_away_secret"]
        return {**os.environ, **keys}

    def _buried(self, code: int) -> None:
        """A life is over: what it told last is kept."""
        self.evidence.told.add(told_by(self.snapshot))
        self.snapshot = {}
        self.evidence.exits["killed" if code == -signal.SIGKILL else f"code {code}"] += 1
        self.evidence.kills += code == -signal.SIGKILL
        killed = code == -signal.SIGKILL and self.sent == signal.SIGKILL  # and not for want of memory
        if not killed and code not in ((0, 1) if self.plan.faults else (0,)):
            self.evidence.failures.append(f"life {self.evidence.lives} ended with {code}: {self.folder / 'run.txt'}")

    def _befall(self, now_s: float) -> None:
        """Send the signals that are due."""
        for drawn in self.plan.faults:
            if drawn.kind not in self.slots or self.daemon is None or not self.snapshot:
                continue
            slot = self.slots[drawn.kind]
            if now_s < (slot + uniform(self.plan.seed, f"real/{drawn.kind}", slot)) * drawn.every_s:
                continue
            self.slots[drawn.kind] += 1
            self.evidence.fired[drawn.kind] += 1
            self._send(signal.SIGKILL if drawn.kind == "kill" else signal.SIGTERM)

    def _send(self, number: signal.Signals) -> None:
        """Send the daemon a signal; the worst that was sent is what it may die of."""
        assert self.daemon is not None, "who sends has looked"
        self.sent = signal.SIGKILL if signal.SIGKILL in (number, self.sent) else number
        self.daemon.send_signal(number)

    def _ask(self) -> bool:
        """What the daemon says of itself; where it does not answer, what it said last stays."""
        try:
            with ControlClient(self.data, ANSWER_S) as client:
                self.snapshot = client.ask("snapshot")
        except (DaemonAbsent, Failed, BadInput, ConnectionError):
            return False
        return True

    def _look(self, at_s: float) -> None:
        """Take a sample."""
        evidence = self.evidence
        self._ask()
        now, told = told_by(self.snapshot), evidence.told
        usage = usage_of(self.daemon.pid) if self.daemon is not None and self.snapshot else usage_of(-1)
        statistics = [venue.ask("statistics") for venue in self.venues]
        evidence.sockets_at_once = max(evidence.sockets_at_once, sum(one["open_sockets"] for one in statistics))
        faults = sum(sum(one["faults"].values()) for one in statistics) + sum(evidence.fired.values())
        rows = self.snapshot.get("engines", ())
        sample = Sample(
            at_s=at_s,
            rss_bytes=usage.rss_bytes,
            fds=usage.fds,
            books=told.books + now.books,
            fills=sum(len(_only(venue.ask("truth"))["fills"]) for venue in self.venues),
            lives=evidence.lives,
            faults=faults,
            positions=len(self.snapshot.get("positions", ())),
            equity_minor=sum(row["equity_minor"] for row in rows) if rows else None,
        )
        evidence.samples.append(sample)
        if self.progress is not None:
            said = f"{at_s / 3600:.2f} h of {evidence.hours:g}: {sample.books:,} books, {sample.fills:,} fills"
            print(f"{said}, {faults:,} faults, {sample.lives} lives", file=self.progress, flush=True)

    def _well(self) -> bool:
        rows = self.snapshot.get("engines", ())
        known = [row["symbols_fresh"] + row["symbols_unlearnt"] == row["symbols"] for row in rows if row["reconciled"]]
        return bool(rows) and len(known) == len(rows) and all(known)

    async def _stop(self, clock: Clock) -> None:
        """Stop the daemon as an operator does."""
        if self.daemon is None:
            return
        self._send(signal.SIGTERM)
        until_ns = clock.now_ns() + round(STOP_S * NS_PER_S)
        while self.daemon.poll() is None and clock.now_ns() < until_ns:
            await clock.sleep(LOOK_S)
        if self.daemon.poll() is None:
            self.evidence.failures.append(f"it did not stop within {STOP_S:g} s")
            self._send(signal.SIGKILL)
        self._buried(self.daemon.wait())
        if self.daemon.returncode not in (0, -signal.SIGKILL):
            self.evidence.failures.append(
                f"the last life ended with {self.daemon.returncode}: {self.folder / 'run.txt'}"
            )

    def _compare(self) -> None:
        """Ledger and venues, when the daemon is gone."""
        path = self.data / "journal.sqlite"
        evidence, mind = self.evidence, recover_from(path)
        with closing(Journal.read_only(path)) as journal:  # the mind forgets those that are long over
            evidence.orders = sum(isinstance(read(one), OrderPlanned) for one in journal.read())
        self._broken()
        alive = [order_id for order_id, order in mind.orders.items() if not order.over]
        evidence.failures += [f"alive in the ledger at the end: {order_id}" for order_id in alive]
        for venue in self.venues:
            truth, statistics = _only(venue.ask("truth")), venue.ask("statistics")
            engines = [engine for engine in self.plan.engines if VENUE_OF[engine] == venue.name]
            held = plain(
                {
                    symbol: mind.books.instrument(engine, symbol).size(position.lots)
                    for engine in engines
                    for symbol, position in mind.books.positions.get(engine, {}).items()
                }
            )
            there = plain({symbol: Decimal(size) for symbol, size in truth["positions"].items()})
            if held != there:
                evidence.failures.append(f"positions: {there} at {venue.name}, {held} in the ledger")
            evidence.failures += [f"orphan: {order} rests at {venue.name}" for order in truth["open_orders"]]
            evidence.fills += len(truth["fills"])
            evidence.fired.update(statistics["faults"])
            evidence.sockets += statistics["sockets"]

    def _broken(self) -> None:
        """Invariants that a life broke after it was last asked: its log has them."""
        if not any(self.data.glob(f"{LOG_FOLDER}/{LOG_NAME}*")):
            return
        for line in read_log(self.data, LogFilter(events=frozenset({BROKEN}))):
            if line.get("event") == BROKEN:
                self.evidence.told.broken.setdefault(str(line["invariant"]), str(line["what"]))


def _only(told: Mapping[str, Any]) -> Any:
    (account,) = told.values()
    return account


def told_by(snapshot: Mapping[str, Any]) -> Told:
    """What one life told of itself, as `obid ctl snapshot` has it."""
    if not snapshot:
        return Told()
    told = Told(books=snapshot["status"]["books"])
    told.checked.update(snapshot["checked"])
    told.broken.update(snapshot["broken"])
    for row in snapshot["actors"]:
        if row["restarts"]:
            told.restarts[row["name"]] = row["restarts"]
        told.waters[row["name"]] = Water(high=row["high_water"], size_max=row["size_max"])
    return told


@contextmanager
def emulated(plan: WorldPlan, venue: str, folder: Path) -> Iterator[Venue]:
    """An emulator with the venue's part of the mix."""
    rules = folder / f"{venue}.toml"
    rules.write_text("\n".join(toml_of(one) for one in plan.faults if venue in OF_VENUE.get(one.kind, ())))
    symbols = [name for name in plan.symbols if any(name in load_universe(e) for e in _engines(plan, venue))]
    told: list[object] = ["--seed", plan.seed, "--port", 0, "--json", "--symbols", ",".join(symbols)]
    told += ["--faults", rules if rules.stat().st_size else "none"]
    told += ["--plan", plan_for(symbols or list(universe()))] if venue != HYPERLIQUID else []
    told += ["--live-frames"] if venue != HYPERLIQUID and "perps" in plan.engines else []
    command = [sys.executable, "-m", "daemon", "emulate", venue, *map(str, told)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise Failed(f"the emulator of {venue} did not start")
            yield Venue(venue, process, json.loads(line))
        finally:
            process.terminate()


def _engines(plan: WorldPlan, venue: str) -> list[Any]:
    return [engine for engine in plan.engines if VENUE_OF[engine] == venue]


def config_of(plan: WorldPlan, venues: Sequence[Venue]) -> str:
    """What the daemon is told: where the venues are, and a strategy."""
    of_daemon, tables = ["[daemon]"], list[str]()
    for venue in venues:
        lines = venue.told["config"].splitlines()
        first = next(place for place, line in enumerate(lines) if place and line.startswith("["))
        of_daemon += lines[1:first]
        tables += lines[first:]
    if len(venues) > 1 or (plan.engines != ("perps",) and "perps" in plan.engines):
        of_daemon.append('alpaca_trading_mode = "live"')
    about = {"exit": plan.exit, "orders_per_minute": plan.orders_per_minute}
    tables += [plan.strategy.format(engine=engine, route=ROUTES[engine], **about) for engine in plan.engines]
    return "\n".join([*of_daemon, *tables])


def soak_real(plan: WorldPlan, faults: str, folder: Path, *, quiet: bool = False) -> Evidence:
    """Soak for so long; `folder` keeps the daemon's directory and what it printed."""
    started_s = time.monotonic()
    kinds = (named(one.kind) for one in plan.faults if one.kind in OF_VENUE or one.kind in OURS)
    evidence = Evidence(
        kind="real",
        seed=plan.seed,
        hours=plan.hours,
        engines=plan.engines,
        symbols=len(plan.symbols),
        well_s_max=WELL_S_MAX,
        whole_s_max=plan.calm_s,
        faults=faults,
        kinds=tuple(dict.fromkeys(kinds)),
    )
    soak = RealSoak(plan, folder, evidence, None if quiet else sys.stderr)
    with ExitStack() as held:
        for venue in dict.fromkeys(VENUE_OF[engine] for engine in plan.engines):
            soak.venues.append(held.enter_context(emulated(plan, venue, folder)))
        (folder / "real.toml").write_text(config_of(plan, soak.venues))
        try:
            run_wall(soak.live)
        finally:
            if soak.daemon is not None and soak.daemon.poll() is None:
                soak.daemon.kill()
                soak.daemon.wait()
    evidence.wall_s = time.monotonic() - started_s
    evidence.digest = "none: real time does not repeat"
    return evidence
