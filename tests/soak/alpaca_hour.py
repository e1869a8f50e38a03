"""Coins and shares against the emulated Alpaca with default faults: do venue, ledger and memory end as one.

    python -m tests.soak.alpaca_hour [--minutes 60] [--seed 7] [--speed 1] [--start 2026-11-30T20:05Z] [--dir var/...]

Both engines in one daemon (`obid run --mode paper`) and `obid emulate alpaca --faults default`. The venue's time begins
55 minutes before a close: shares are entered, flattened and shut out within an hour; 1140 minutes reach the next open.
Exit code 0: positions are equal, no order is alive, no share was filled or held outside the session, every limit was
kept, and every kind of fault fired.
"""

import sys
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from daemon.modes import session_calendar
from risk.session import session_at
from supervisor.clock import NS_PER_S
from tests.soak import hour
from tests.soak.hour import Ended, Hour

START = "2026-11-30T20:05Z"
"""A Monday, 15:05 in New York: entries end at 15:25, shares are sold at 15:55, the session ends at 16:00."""

COINS = ("BTC/USD", "ETH/USD", "SOL/USD", "DOGE/USD", "LINK/USD", "SHIB/USD")
SHARES = ("LDOS", "GD", "EXE", "SLB", "USO", "URA", "KLAC", "LRCX", "MRVL", "INTC", "NOW", "PTC", "CRM", "ORCL", "COST")
"""Some of both, within the free plan: ten books of coins and thirty names on a stream; of capped sectors too many."""

EAGER = """
[crypto.signal]
trend_gate = false
[crypto.tier_default]
z_entry = 0.6
z_exit = 0.2
[equities.signal]
trend_gate = false
time_stop_rth_s = 7200
[equities.tier_default]
z_entry = 0.3
z_exit = 0.1
"""
"""The strategy as it is, but impatient; shares are held for so long that the close finds some."""


def at_ns_of(text: str) -> int:
    """A time of the venue's; a fraction of a second matters to no session."""
    return int(datetime.fromisoformat(text).timestamp()) * NS_PER_S


def shares_outside(ended: Ended) -> list[str]:
    """Shares filled while the session is shut, held over its close, or held at the end outside it."""
    wrongs, calendar = [], session_calendar()
    held: dict[str, Decimal] = defaultdict(Decimal)
    last_ns = 0
    shares = [row for row in ended.truth["fills"] if "/" not in row["symbol"]]
    for row in sorted(shares, key=lambda row: at_ns_of(row["transaction_time"])):
        at_ns = at_ns_of(row["transaction_time"])
        session = session_at(at_ns, calendar)
        if session is None:
            wrongs.append(f"{row['symbol']} was filled at {row['transaction_time']}, outside the session")
        elif session.opens_ns > last_ns and any(held.values()):
            wrongs.append(f"{[name for name, size in held.items() if size]} were held over the close before")
        last_ns = at_ns
        held[row["symbol"]] += Decimal(row["qty"]) * (1 if row["side"] == "buy" else -1)
    left = {name: str(size) for name, size in held.items() if size}
    if left and session_at(ended.now_ns, calendar) is None:
        wrongs.append(f"{left} are held at the end, outside the session")
    return wrongs


def over_limits(ended: Ended) -> list[str]:
    """Limits of requests and connections that were not kept, and faults that never came."""
    venue = ended.statistics["venue"]
    plan = venue["plan"]
    wrongs = []
    for name, meter in venue["requests"].items():
        if meter["refused"]:
            wrongs.append(f"{meter['refused']} requests of {name} were over the limit")
    most = max(venue["connections_highest"].values(), default=0)
    if most > plan["connections"]:
        wrongs.append(f"{most} connections at once, where the plan has {plan['connections']}")
    idle = [kind for kind, count in ended.statistics["faults"].items() if not count]
    return wrongs + ([f"faults that never fired: {idle}"] if idle else [])


def differs(ended: Ended) -> list[str]:
    """What of positions, sessions and limits is wrong."""
    here = {symbol.replace("/", ""): size for (_, symbol), size in hour.held_by(ended.mind).items()}
    there = {symbol: Decimal(size) for symbol, size in ended.truth["positions"].items()}
    return [*hour.unequal(here, there), *shares_outside(ended), *over_limits(ended)]


def figures(ended: Ended) -> dict[str, Any]:
    """The use of limits, and how many fills were of shares."""
    shares = sum("/" not in row["symbol"] for row in ended.truth["fills"])
    return {"fills_of_shares": shares, "limits": ended.statistics["venue"]}


def keys(told: dict[str, Any]) -> dict[str, str]:
    """The throw-away keys, as the daemon looks for them."""
    return {
        "OBID_ALPACA_PAPER_KEY_ID": told["throw_away_key_id"],
        "OBID_ALPACA_PAPER_SECRET": told["throw_away_secret"],
    }


def main() -> int:
    """Run both and judge."""
    parser = hour.parser_of(__doc__.splitlines()[0], "alpaca_hour")
    parser.add_argument("--start", default=START, help="venue's time at the start")
    asked = parser.parse_args()
    asked.symbols = asked.symbols or ",".join((*COINS, *SHARES))
    told = Hour(
        venue="alpaca",
        mode="paper",
        engines=("crypto", "equities"),
        environment=keys,
        config=EAGER,
        emulated=("--start", asked.start),
        differs=differs,
        figures=figures,
    )
    return hour.run(told, asked)


if __name__ == "__main__":
    sys.exit(main())
