"""The end of a run: stop trading, cancel what rests, see that all agree, and latch a halt when it was not our will."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

from actors.ledger import SHUTDOWN, written
from actors.messages import Command, Order, TradingState
from daemon.board import Board
from daemon.books import recover_from
from daemon.graph import EngineParts
from daemon.logs import Log
from daemon.options import RunOptions
from risk.intent import Trading
from supervisor.clock import Clock
from supervisor.journal import Journal
from supervisor.program import Ending
from supervisor.supervisor import House
from venues.venue import Venue, VenueMisspoke, VenueUnreachable

ALL = ""
"""The engine of a message that means all of them."""

POLL_S = 0.05
"""Between looks at whether anything still rests."""

QUIET_S = 0.5
"""After the last order is over: what is still on its way (fills, postings) has arrived by then."""

SWEEP_S_MAX = 1.0
"""The last cancels, asked of the venue itself when the actors are gone, may take this long: a stop is over in 5 s."""


async def wind_down(house: House, board: Board, clock: Clock) -> None:
    """While every actor lives: no new entry, cancel what rests, wait until nothing does."""
    now_ns = clock.now_ns()
    for message in (
        TradingState(ALL, Trading.HALTED, "obid is stopping", SHUTDOWN, now_ns),
        Command(Order.CANCEL, ALL, ALL, "obid is stopping", now_ns),
    ):
        for put in house.route(type(message)):
            put(message)
    await clock.sleep(POLL_S)
    while board.orders:
        await clock.sleep(POLL_S)
    await clock.sleep(QUIET_S * min(clock.speed, 1.0))


async def close(
    result: Ending, engines: Mapping[str, EngineParts], clock: Clock, log: Log, journal: Path, options: RunOptions
) -> list[str]:
    """When every actor is gone: sweep the venues, latch, compare, let go. Returns what is not as it should be."""
    wrongs: list[str] = []
    for engine, part in engines.items():
        try:
            async with asyncio.timeout(SWEEP_S_MAX):
                wrongs += [f"{engine}: {wrong}" for wrong in await _sweep(part.venue)]
                wrongs += await _disagreements(engine, part, journal)
        except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
            wrongs.append(f"{engine}: the venue could not be asked at the end: {type(error).__name__} {error}")
        await part.venue.close()
    if result.gave_up is not None:
        _latch(result, journal, clock)
        wrongs.append(f"{result.reason}; trading is halted until `obid ctl resume`")
    for wrong in wrongs:
        log.error("wrong_at_end", what=wrong)
    return wrongs


async def _sweep(venue: Venue) -> list[str]:
    """Cancel what still rests, asked of the venue itself; says what stays."""
    for order in await venue.open_orders():
        await venue.cancel(order.symbol, order.order_id)
    left = await venue.open_orders()
    return [f"order {order.order_id} of {order.symbol} still rests" for order in left]


async def _disagreements(engine: str, part: EngineParts, journal: Path) -> list[str]:
    """Where the venue holds something else than the journal's fold."""
    books = recover_from(journal).books
    ours = {symbol: position.lots for symbol, position in books.positions.get(engine, {}).items()}
    theirs = {position.symbol: position.lots for position in await part.venue.positions()}
    return [
        f"{engine}: {symbol} is {ours.get(symbol, 0)} lots in the ledger and {theirs.get(symbol, 0)} at the venue"
        for symbol in sorted({*ours, *theirs})
        if ours.get(symbol, 0) != theirs.get(symbol, 0)
    ]


def _latch(result: Ending, path: Path, clock: Clock) -> None:
    """Write the halt down: the next start must not trade on as if nothing had been."""
    journal = Journal.open(path)
    journal.append([written(TradingState(ALL, Trading.HALTED, result.reason, "supervisor", clock.now_ns()))])
    journal.close()
