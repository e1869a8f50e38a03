"""`make week`: three engines under one risk book through a week that has everything, in virtual time.

    python -m tests.soak.week [--seed 7] [--short] [--symbols few|all] [--dir var/week]

Real dates of the calendars, in spans of one data directory that come after each other: the week of 2026-03-05 with its
weekend, the change to daylight saving, NFP and CPI, restarted in the middle of a session; the FOMC of 2026-03-18;
Thanksgiving and the half day after it; a day on which an account loses 4 %, restarted after it was halted, and resumed.
Each run must end with ledger and venue agreeing; what else must hold is in witness.py. Exits 1 if anything did not.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from zoneinfo import ZoneInfo

from actors.messages import Command, Order
from config.load import load_profile
from config.profile import Profile
from risk.intent import Trading
from supervisor.clock import NS_PER_S
from tests.daemon.runs import obid
from tests.soak import witness as seen
from tests.soak.witness import WITNESSES, Witness

NEW_YORK = ZoneInfo("America/New_York")
ENGINES = ("perps", "crypto", "equities")
FEW = (
    *("BTC", "ETH", "SOL", "xyz:TSLA"),
    *("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD"),
    *("LDOS", "GD", "AXON", "EXE", "SLB", "USO", "URA", "KLAC", "LRCX", "MRVL", "INTC", "NOW", "PTC", "CRM", "ORCL"),
)
"""Of every engine some, of every capped sector more than may be held."""

EAGER = """
[perps.signal]
trend_gate = false
[perps.tier_default]
z_entry = 0.6
z_exit = 0.2
[crypto.signal]
trend_gate = false
[crypto.tier_default]
z_entry = 0.8
z_exit = 0.2
[crypto.risk]
daily_loss_usd = 1900
[equities.risk]
daily_loss_usd = 1900
[equities.signal]
trend_gate = false
time_stop_rth_s = 7200
[equities.tier_default]
z_entry = 0.3
z_exit = 0.1
"""
"""The strategy as it is, but impatient: what never trades keeps every law. Shares are held for so long that the close
finds some: a time stop of half an hour, after entries that end 35 minutes before it, leaves nothing to do. A day may
cost more, or fees would halt what trades so often on its second day."""

LARGE = """
[perps.signal]
trend_gate = false
[perps.tier_default]
z_entry = 0.6
z_exit = 0.2
[crypto.signal]
trend_gate = false
notional_usd = 24000
[crypto.routes.spot]
entry = "taker"
exit = "taker"
lifetime_s = 30
reprices_max = 15
[crypto.tier_default]
z_entry = 0.3
z_exit = 0.05
[crypto.risk]
daily_loss_usd = 90000
order_notional_usd_max = 26400
symbol_cap_usd = 26400
net_cap_usd = 100000
[equities.signal]
trend_gate = false
time_stop_rth_s = 7200
[equities.tier_default]
z_entry = 0.3
z_exit = 0.1
"""
"""Positions of most of the account, or no market could take 4 % of it from an engine that stops out at 1 %."""

COINS = "BTC/USD+ETH/USD+SOL/USD+DOGE/USD"


def falls(first: str, second: str) -> tuple[str, ...]:
    """Two falls of coins by a tenth from one book to the next: it buys after the first, and no stop is in time."""
    return tuple(f"{COINS}:gap@{at},size=0.1" for at in (first, second))


class Span(NamedTuple):
    """One run of the daemon."""

    name: str
    start: str  # New York's time
    length: str
    config: str = EAGER
    scenarios: tuple[str, ...] = ()
    resume_s: int = 0  # an operator resumes so long after the start; 0: none comes


WEEK = (
    Span("a week to the middle of a session: NFP", "2026-03-05 09:00", "1d5h"),
    Span("from there: a weekend, daylight saving time, CPI", "2026-03-06 14:01", "6d4h"),
    Span("FOMC", "2026-03-18 07:00", "12h"),
    Span("Thanksgiving and a half day", "2026-11-25 07:00", "3d"),
    Span("a fall of 4 %", "2026-11-30 09:00", "6h", LARGE, falls("3h", "3h3m")),
    Span("halted over a restart", "2026-11-30 15:01", "9h", LARGE, resume_s=6 * 3600),
)
SHORT = (
    Span("the end of a week", "2026-03-06 15:05", "65m"),
    Span("its Monday, an hour earlier by UTC", "2026-03-09 09:20", "40m"),
    Span("CPI", "2026-03-11 08:10", "40m"),
    Span("FOMC", "2026-03-18 13:40", "40m"),
    Span("a half day", "2026-11-27 12:10", "55m"),
    Span("a fall of 4 %", "2026-11-30 10:00", "40m", LARGE, falls("20m", "23m")),
    Span("halted over a restart", "2026-11-30 10:41", "30m", LARGE, resume_s=15 * 60),
)
"""The same in minutes: each law is at stake in one of them at least."""


class ScriptedDoor:
    """An operator who comes at a time: virtual time has no other."""

    resume_s = 0
    start_ns = 0

    async def serve(self, command: Callable[[Command], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Resume the engines, then wait for ever."""
        ready()
        if self.resume_s:
            await asyncio.sleep(self.resume_s)
            at_ns = self.start_ns + self.resume_s * NS_PER_S
            await command(Command(Order.RESUME, "", "", "looked at", at_ns))
        await asyncio.get_running_loop().create_future()


def ns(local: str) -> int:
    """New York's time as nanoseconds since 1970."""
    return round(datetime.fromisoformat(local).replace(tzinfo=NEW_YORK).timestamp()) * NS_PER_S


@contextmanager
def watched(start_ns: int, resume_s: int) -> Iterator[None]:
    """A run that begins at a time of ours, with a witness in it and an operator at the door."""
    door = type("Door", (ScriptedDoor,), {"resume_s": resume_s, "start_ns": start_ns})
    with (
        patch("daemon.modes.SYNTHETIC_START_NS", start_ns),
        patch("daemon.session.Board", Witness),
        patch("daemon.session.WaitingDoor", door),
    ):
        yield


def run(span: Span, folder: Path, seed: int, symbols: tuple[str, ...]) -> tuple[Witness, dict[str, Any]]:
    """Run one span; its exit code must be 0. Returns what was seen, and the summary."""
    config = folder / "week.toml"
    config.write_text(span.config)
    told: list[object] = [*("--mode", "synthetic", "--speed", "max", "--json", "--seed", seed, "--for", span.length)]
    told += [part for engine in ENGINES for part in ("--engine", engine)]
    told += ["--symbols", ",".join(symbols)] if symbols else []
    told += [part for scenario in span.scenarios for part in ("--scenario", scenario)]
    with watched(ns(span.start), span.resume_s):
        result = obid("run", *told, "--config", config, "--data-dir", folder / "data")
    return WITNESSES.pop(), json.loads(result.stdout.splitlines()[0])


def profiles_of(folder: Path, span: Span) -> dict[str, Profile]:
    """What the run was told."""
    config = folder / "week.toml"
    config.write_text(span.config)
    return {engine: load_profile(engine, [config]) for engine in ENGINES}  # type: ignore[arg-type]


def judged(span: Span, witness: Witness, folder: Path) -> Iterator[str]:
    """What was wrong with a span."""
    yield from seen.wrongs_of(witness, profiles_of(folder, span))
    if span.scenarios:
        yield from fallen(witness)
    if span.resume_s:
        yield from latched(witness, ns(span.start) + span.resume_s * NS_PER_S)


def fallen(witness: Witness) -> Iterator[str]:
    """The account fell by 4 %, the halt came with the third reading below the bound, and nothing was entered after."""
    money, halts = witness.money["crypto"], seen.halts_of(witness, "crypto")
    if money.lowest > 0.96:
        yield f"the account fell to {money.lowest:.2%} of its high water only"
    if money.breach is None or len(halts) != 1:
        yield f"a breach {money.breach}, {len(halts)} halts of crypto"
        return
    (halt,) = halts
    if not halt.reason.startswith("drawdown"):
        yield f"halted for {halt.reason}"
    if abs(halt.at_ns - money.breach.at_ns) > 2 * NS_PER_S:
        yield f"halted {(halt.at_ns - money.breach.at_ns) / NS_PER_S} s after the breach"
    entries = seen.entries_of(witness, "crypto")
    if not entries or entries[-1] > halt.at_ns + NS_PER_S // 10:
        yield "entries after the halt, or none before it"


def latched(witness: Witness, resumed_ns: int) -> Iterator[str]:
    """Halted from the first second of the new run until the operator came; the other engines trade on."""
    if near := seen.near(seen.entries_of(witness, "crypto"), 0, resumed_ns - 1):
        yield f"{near} entries of crypto while it was halted"
    if not seen.near(seen.entries_of(witness, "crypto"), resumed_ns, resumed_ns + 86_400 * NS_PER_S):
        yield "no entry of crypto after it was resumed"
    if not seen.near(seen.entries_of(witness, "perps"), 0, resumed_ns - 1):
        yield "perps did not trade while crypto was halted"
    states = [one.state for one in witness.of(seen.TradingState) if one.engine == "crypto"]
    if Trading.HALTED not in states[:2] or Trading.ACTIVE not in states:
        yield f"the states of crypto were {states}"


def week(spans: tuple[Span, ...], folder: Path, seed: int, symbols: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Run the spans one after the other; gives the figures of each and what was wrong."""
    before: Witness | None = None
    for span in spans:
        witness, summary = run(span, folder, seed, symbols)
        witness.opening = before.lots() if before is not None else {}
        yield {
            "span": span.name,
            "from": span.start,
            "entries": {engine: len(seen.entries_of(witness, engine)) for engine in ENGINES},
            "fills": len(witness.of(seen.Fill)),
            "left_at_the_close": len(seen.exits_of(witness, "session_close")),
            "sessions": seen.sessions_of(witness),
            "lowest": {engine: round(money.lowest, 4) for engine, money in witness.money.items()},
            "halts": [halt.reason for engine in ENGINES for halt in seen.halts_of(witness, engine)],
            "refusals": dict(witness.refusals),
            "digest": summary["digest"],
            "wrongs": list(judged(span, witness, folder)),
        }
        before = witness


def main() -> int:
    """Run and print; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--first", type=int, default=1, help="span to begin with")
    parser.add_argument("--symbols", choices=("few", "all"), default="few")
    parser.add_argument("--dir", type=Path)
    asked = parser.parse_args()
    wrongs = 0
    with tempfile.TemporaryDirectory() as made:
        folder = asked.dir or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        spans, symbols = SHORT if asked.short else WEEK, FEW if asked.symbols == "few" else ()
        for figures in week(spans[asked.first - 1 :], folder, asked.seed, symbols):
            print(json.dumps(figures, indent=1), flush=True)
            wrongs += len(figures["wrongs"])
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
