"""`make deadman-drill`: 20 resting orders, a daemon that dies, hangs or is cut off, and seconds until none rests.

    python -m tests.soak.deadman [--runs 3] [--venue hyperliquid|alpaca] [--layer NAME] [--cause NAME] [--seed 1]
    python -m tests.soak.deadman --healthy 30        minutes of a healthy daemon under load, then a clean stop: no sweep

Layers: who is there to cancel. `deadman` alone (the venue's own switch refuses below a million of volume, as it does
in life); `switch` alone (no dead man was started, which a daemon in live would not trade without); `both`; `once`, as
systemd's ExecStopPost calls it; and `nobody`, the control: there the orders must still rest, or this proves nothing.
Each of them in a process of its own, with its own key, over its own line.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from daemon.heartbeat import AGE_S_DEFAULT
from tests.soak.deadman_line import LineToVenue
from tests.soak.deadman_venue import SYMBOLS, environment_of
from tests.soak.hour import ROOT, post

ORDERS = 20
READY_S, GONE_S = 90.0, 40.0
"""For the orders to rest, and for all to be gone."""

LATE_S, STILL_S = 25.0, 3.0
"""None may come back for so long: where a daemon died, requests of his are under way for as long as an order lives."""

VOLUME = 2_000_000
POLL_S = 0.05
LOGGED_S = 10.0
"""A deed is in the log by then, on a machine that has much else to do."""
SIGNALS = {
    "killed": signal.SIGKILL,
    "stopped": signal.SIGSTOP,
    "spinning": signal.SIGUSR1,
    "awaiting": signal.SIGUSR2,
}
CAUSES = (*SIGNALS, "cut")
LAYERS = ("deadman", "switch", "both", "once", "nobody")
ENGINES = {"hyperliquid": ("live", "perps"), "alpaca": ("paper", "crypto")}
CONFIG = """
[{engine}.routes.{route}]
entry = "maker"
lifetime_s = 3600
reprices_max = 0
reprice_bps_min = 1000000.0
[{engine}.risk]
orders_per_minute = 6000
orders_burst = 6000
sector_cap_default = 1000
net_cap_usd = 100000
symbol_cap_usd = 100000
daily_loss_usd = 1000000
drawdown_max = 0.9
[{engine}.signal]
trend_gate = false
"""
"""What lets twenty orders rest."""


class Case(NamedTuple):
    """One drill."""

    venue: str
    layer: str
    cause: str
    seed: int
    age_s: float = AGE_S_DEFAULT

    @property
    def sense(self) -> str:
        """Why it is no case; empty: it is one."""
        if self.venue == "alpaca" and self.layer in ("switch", "both"):
            return "Alpaca has no switch"
        return "ExecStopPost runs when a process has ended" if self.layer == "once" and self.cause != "killed" else ""


class Stage:
    """Processes and files of one drill."""

    def __init__(self, case: Case, folder: Path):
        self.case, self.folder, self.data = case, folder, folder / "data"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.processes: list[subprocess.Popen[str]] = []
        self.outs: list[IO[str]] = []
        volume = VOLUME if case.layer in ("switch", "both") else 0
        venue = self.start("venue", "tests.soak.deadman_venue", case.venue, "--seed", case.seed, "--volume", volume)
        assert venue.stdout is not None
        self.told = json.loads(venue.stdout.readline())
        self.url = self.told["url"]
        self.line = LineToVenue(self.url)
        self.daemon: subprocess.Popen[str] | None = None

    def start(
        self, name: str, module: str, *args: object, environ: dict[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Another process, of which only the venue's output is read."""
        out = subprocess.PIPE if name == "venue" else self._out(name)
        started = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, args)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environ or {})},
            stdout=out,
            stderr=None if name == "venue" else subprocess.STDOUT,
            text=True,
        )
        self.processes.append(started)
        return started

    def _out(self, name: str) -> IO[str]:
        self.outs.append((self.folder / f"{name}.txt").open("a"))
        return self.outs[-1]

    def configured(self, name: str, url: str, policy: str) -> Path:
        """A configuration file: the daemon's leads over the line, the dead man's does not."""
        _, engine = ENGINES[self.case.venue]
        route = "native" if engine == "perps" else "spot"
        text = self.told["config"].replace(self.url, url).replace('deadman = "off"\n', "")
        path = self.folder / f"{name}.toml"
        text = text.replace("[daemon]", f'[daemon]\ndeadman = "{policy}"\ndeadman_age_s = {self.case.age_s}')
        path.write_text(text + "\n" + CONFIG.format(engine=engine, route=route))
        return path

    def run_daemon(self) -> None:
        """The daemon, over the line."""
        watched = self.case.layer in ("deadman", "both")
        config = self.configured("daemon", self.line.url, "required" if watched else "optional")
        mode, engine = ENGINES[self.case.venue]
        keys, _ = environment_of(self.case.venue, self.told, self.case.seed)
        self.daemon = self.start("daemon", "tests.soak.deadman_life", mode, engine, config, self.data, environ=keys)

    def run_deadman(self, *more: str) -> subprocess.Popen[str]:
        """The dead man, past it."""
        config = self.configured("deadman", self.url, "required")
        mode, engine = ENGINES[self.case.venue]
        _, keys = environment_of(self.case.venue, self.told, self.case.seed)
        args = ("deadman", "--mode", mode, "--engine", engine, "--config", config, "--data-dir", self.data, *more)
        return self.start("deadman", "daemon", *args, environ=keys)

    def resting(self) -> int:
        """Orders in the venue's book."""
        (truth,) = post(self.url, "truth").values()
        return len(truth["open_orders"])

    def cause(self) -> None:
        """Let it happen."""
        assert self.daemon is not None
        if self.case.cause == "cut":
            self.line.cut()
        else:
            self.daemon.send_signal(SIGNALS[self.case.cause])
            if self.case.layer == "once":
                self.daemon.wait()
                self.run_deadman("--once")

    def wait(self, seconds: float, what: Any) -> float | None:
        """Seconds until it is so, or None."""
        started_s = time.monotonic()
        while time.monotonic() - started_s < seconds:
            if what():
                return time.monotonic() - started_s
            time.sleep(POLL_S)
        return None

    def events(self, name: str = "obid") -> list[dict[str, Any]]:
        """Lines of a log."""
        path = self.data / "log" / f"{name}.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def judged_order(self, before: int) -> str:
        """What a resumed daemon did out of turn, once its log has it: a line is written some time after its deed."""
        self.wait(LOGGED_S, lambda: not judged_order(self.events()[before:]))
        return judged_order(self.events()[before:])

    def end(self) -> None:
        """Nothing of it lives on."""
        for one in reversed(self.processes):
            if one.poll() is None:
                one.send_signal(signal.SIGCONT)
                one.kill()
            one.wait()
            if one.stdout is not None:
                one.stdout.close()
        for out in self.outs:
            out.close()
        self.line.close()


@contextmanager
def staged(case: Case, folder: Path) -> Iterator[Stage]:
    """A stage with everybody on it and 20 orders at rest."""
    stage = Stage(case, folder)
    try:
        if case.layer in ("deadman", "both"):
            stage.data.mkdir(mode=0o700)
            stage.run_deadman()
        stage.run_daemon()
        if stage.wait(READY_S, lambda: stage.resting() >= ORDERS) is None:
            raise RuntimeError(f"{case}: {stage.resting()} orders rest after {READY_S:g} s: {folder}")
        if case.layer in ("switch", "both"):
            stage.wait(READY_S, lambda: any(one["event"] == "venue_switch" for one in stage.events()))
        time.sleep(1.0)  # whatever was begun is done
        yield stage
    finally:
        stage.end()


def drill(case: Case, folder: Path) -> dict[str, Any]:
    """Seconds until nothing rests, and what was wrong."""
    with staged(case, folder) as stage:
        had = stage.resting()
        stage.cause()
        gone_s = stage.wait(GONE_S, lambda: not stage.resting())
        still_s = LATE_S if case.cause == "killed" else STILL_S
        back = stage.wait(still_s, stage.resting) if gone_s is not None and case.cause != "cut" else None
        left = stage.resting()
    wrong = "" if gone_s is not None and not left else f"{left} orders rest"
    if case.layer == "nobody":
        wrong = "" if left == had else f"{left} of {had} orders rest, and nobody was there to cancel"
    return {**case._asdict(), "orders": had, "gone_s": gone_s, "came_back_s": back, "wrong": wrong}


def resumed(case: Case, folder: Path) -> dict[str, Any]:
    """A daemon that was stopped, swept and goes on: it must open nothing before it has compared."""
    with staged(case, folder) as stage:
        stage.cause()
        gone_s = stage.wait(GONE_S, lambda: not stage.resting())
        before = len(stage.events())
        assert stage.daemon is not None
        stage.daemon.send_signal(signal.SIGCONT)
        back_s = stage.wait(READY_S, lambda: stage.resting() >= ORDERS)
        wrong = stage.judged_order(before)
    return {"gone_s": gone_s, "back_s": back_s, "wrong": wrong}


def healthy(case: Case, folder: Path, minutes: float) -> dict[str, Any]:
    """A daemon that is well, on a machine that has no time for it, and that is stopped in the end: nobody sweeps."""
    with staged(case, folder) as stage:
        burners = [stage.start("load", "tests.soak.deadman_load") for _ in range(2 * (os.cpu_count() or 1))]
        stage.wait(minutes * 60, lambda: "sweep_begun" in {one["event"] for one in stage.events("deadman")})
        resting = stage.resting()
        for burner in burners:
            burner.kill()
        assert stage.daemon is not None
        stage.daemon.send_signal(signal.SIGTERM)
        code = stage.daemon.wait()
        time.sleep(2 * case.age_s)
        sweeps = [one for one in stage.events("deadman") if one["event"] == "sweep_begun"]
        silences = [one["why"] for one in stage.events() if one["event"] == "heart_silent"]
        away = [one["away_s"] for one in stage.events() if one["event"] == "awoke"]
    told = {"venue": case.venue, "minutes": minutes, "resting": resting, "code": code, "silences": silences}
    return {**told, "away_s": away, "wrong": "; ".join(one["why"] for one in sweeps) or ("" if not code else "code")}


def judged_order(told: list[dict[str, Any]]) -> str:
    """What a resumed daemon did out of turn."""
    names = [one["event"] for one in told]
    if "awoke" not in names:
        return "it did not notice"
    after = told[names.index("awoke") :]
    compared = next((at for at, one in enumerate(after) if one["event"] == "reconciled" and one["ok"]), None)
    if compared is None:
        return "it never compared"
    early = [one for one in after[:compared] if one["event"] == "approved" and one["wish"].get("purpose") == "entry"]
    return f"it let {len(early)} entries pass before it compared" if early else ""


def main() -> int:
    """Drill, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--venue", choices=tuple(SYMBOLS), default=None)
    parser.add_argument("--layer", choices=LAYERS, default=None)
    parser.add_argument("--cause", choices=CAUSES, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dir", type=Path, default=ROOT / "var" / "deadman")
    parser.add_argument("--healthy", type=float, default=0.0, help="minutes")
    asked = parser.parse_args()
    if asked.healthy:
        for venue in [asked.venue] if asked.venue else SYMBOLS:
            told = healthy(Case(venue, "deadman", "killed", asked.seed), asked.dir / f"{venue}-healthy", asked.healthy)
            print(json.dumps(told), flush=True)
            if told["wrong"]:
                return 1
        return 0
    rows: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for venue in [asked.venue] if asked.venue else SYMBOLS:
        for layer in [asked.layer] if asked.layer else LAYERS:
            for cause in [asked.cause] if asked.cause else CAUSES:
                case = Case(venue, layer, cause, asked.seed)
                runs = 1 if layer == "nobody" else asked.runs
                if case.sense or (layer == "nobody" and cause != "killed" and not asked.cause):
                    continue
                for number in range(runs):
                    told = drill(case._replace(seed=asked.seed + number), asked.dir / f"{venue}-{layer}-{cause}")
                    rows[venue, layer, cause].append(told)
                    print(json.dumps(told), flush=True)
    wrongs = [one for many in rows.values() for one in many if one["wrong"]]
    print(f"{'venue':12} {'layer':8} {'cause':9} {'seconds until none rests':>26}")
    for (venue, layer, cause), many in rows.items():
        shown = " ".join("never" if one["gone_s"] is None else f"{one['gone_s']:.1f}" for one in many)
        print(f"{venue:12} {layer:8} {cause:9} {shown:>26}")
    return 1 if wrongs else 0


if __name__ == "__main__":
    raise SystemExit(main())
