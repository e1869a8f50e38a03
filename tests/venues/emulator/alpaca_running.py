"""An emulated Alpaca that runs in a thread of this process, for clients that block."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from daemon.emulate import Where
from daemon.emulate_alpaca import asked_alpaca, emulator_of_alpaca, secret_of
from tests.venues.emulator.running import Running, serving

KEY, OTHER = "PKEMULATED1", "PKEMULATED2"
SEED = 1
SECRET, OTHER_SECRET = secret_of(KEY, SEED), secret_of(OTHER, SEED)
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD", "CRM", "PLTR", "COST")
RTH = "2026-01-05T15:00Z"  # a Monday, 10:00 in New York


@contextmanager
def running_alpaca(
    symbols: Sequence[str] = SYMBOLS,
    speed: float | None = None,
    faults: str = "none",
    start: str = RTH,
    plan: str = "basic",
    accounts: Sequence[str] = (f"{KEY}:100000", f"{OTHER}:100000"),
    fees: bool = True,
) -> Iterator[Running]:
    """Serve until the block is over; without a speed time is stepped."""
    told = asked_alpaca(
        where=Where("127.0.0.1", 0),
        seed=SEED,
        speed=speed,
        start=start,
        faults=faults,
        accounts=accounts,
        symbols=tuple(symbols),
        plan=plan,
        fees=fees,
    )
    with serving(lambda clock: emulator_of_alpaca(told, clock), speed, told.start_ns) as server:
        yield server
