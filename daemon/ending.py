"""The end of a run: stop trading, cancel what rests, see that all agree, and latch a halt when it was not our will."""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from msgspec import Struct

from actors.ledger import LedgerMind
from actors.messages import SHUTDOWN, Drift, TradingState
from actors.reconciler import GRACE_S
from actors.records import written
from daemon.board import Board
from daemon.books import known_ns, recover_from
from daemon.graph import EngineParts
from daemon.logs import Log
from risk.intent import Trading
from risk.ledger.postings import LedgerUnbalanced
from risk.order import LiveOrder
from risk.position import coin_fee_minor
from supervisor.clock import NS_PER_S, Clock
from supervisor.journal import Journal, JournalDamaged, JournalUnwritable
from supervisor.program import Ending
from supervisor.supervisor import House
from venues.market import Cancelled, CancelRefused, OpenOrder, OrderRequest, Rejected
from venues.venue import PROOF_NS, Venue, VenueMisspoke, VenueUnreachable

Differs = tuple[str, int, int]
"""A symbol, and its lots in the books and at the venue."""

FEE_ADOPTED = "adopted at the end as a fee in coins"

ALL = ""
"""The engine of a message that means all of them."""

POLL_S = 0.05
"""Between looks at whether anything still rests."""

QUIET_S = 0.5
"""After the last order is over: what is still on its way (fills, postings) has arrived by then."""

OVERLAP_NS = 60 * NS_PER_S
"""Fills are asked for once more from this long before the newest record: those known are nothing."""

SWEEP_S_MAX = 3.0
"""The last cancels, asked of the venue itself when the actors are gone, may take this long, a look again at a fee in
coins after its grace included: a stop is over in 5 s."""

REAL_SWEEP_S_MAX = 25.0
"""The same at a real venue, where it takes half a second unless questions fail or an order is in doubt: then it is
worth waiting for the proof behind that order's fence (20 s), because nobody else will close the doubt or cancel what it
left."""

AGAIN_S, AGAIN_S_MAX = 0.3, 2.0
"""Between tries where it did fail; twice as long each time: questions use up what a venue allows in a minute."""


PROOFS_MAX, PROOF_AGAIN_S = 4, 2.5
"""Alpaca's proof waits five seconds for the order to come by itself, posts, and reads back."""


async def wind_down(house: House, board: Board, clock: Clock) -> None:
    """While every actor lives: nothing new is wished for, what rests is taken back; wait until nothing rests."""
    stopping = TradingState(ALL, Trading.HALTED, "obid is stopping", SHUTDOWN, clock.now_ns())
    for put in house.route(TradingState):
        put(stopping)
    await clock.sleep(POLL_S)
    while board.orders:
        await clock.sleep(POLL_S)
    await clock.sleep(QUIET_S * min(clock.speed, 1.0))


async def close(result: Ending, engines: Mapping[str, EngineParts], clock: Clock, log: Log, journal: Path) -> list[str]:
    """When every actor is gone: sweep the venues, latch, compare, let go. Returns what is not as it should be."""
    wrongs: list[str] = []
    if result.gave_up is not None:
        wrongs.append(f"{result.reason}; trading is halted until `obid ctl resume`")
    try:
        mind, records = recover_from(journal), list(_latch(result, clock))
    except (JournalDamaged, LedgerUnbalanced) as error:
        mind, records = LedgerMind(), []
        wrongs.append(f"the books cannot be read back: {error}")
    for engine, part in engines.items():
        told, still = await _last_words(engine, part, mind, clock, whole=result.gave_up is None)
        records += told
        for drift in told:
            if isinstance(drift, Drift):
                log.log_message(drift)
        wrongs += [f"{engine}: {wrong}" for wrong in still]
        await part.venue.close()
    wrongs += _write_down(journal, records)
    for wrong in wrongs:
        log.error("wrong_at_end", what=wrong)
    return wrongs


async def _last_words(
    engine: str, part: EngineParts, mind: LedgerMind, clock: Clock, *, whole: bool
) -> tuple[list[Struct], list[str]]:
    """Sweep one venue and compare; a real one is asked again while there is time. Gives records and what is wrong.

    `whole`: the ledger has written down all that it was told.
    """
    records: list[Struct] = []
    real = not part.venue.capabilities.simulated
    why = "no answer in time"
    taken: set[str] = set()
    pause_s = AGAIN_S
    try:
        patient = real or clock.virtual  # nobody waits for virtual time
        async with asyncio.timeout(REAL_SWEEP_S_MAX if patient else SWEEP_S_MAX):
            while True:
                try:
                    still = await _sweep(part.venue, mind, records, clock)
                    if await _settle(engine, part.venue, mind, records, clock):
                        still = await _sweep(part.venue, mind, records, clock)
                    if not mind.runs:
                        return records, still
                    if whole:
                        await _adopt_fees(engine, part, mind, records, clock)
                    still += _doubts(engine, mind)
                    return records, still + _said(await _disagreements(engine, part, mind))
                except (VenueUnreachable, VenueMisspoke) as error:
                    why = f"{type(error).__name__} {error}"
                    if not real:
                        break
                    await _take_back(part.venue, _alive(engine, mind), taken, mind, records, clock)
                    await clock.sleep(pause_s)
                    pause_s = min(2 * pause_s, AGAIN_S_MAX)
    except TimeoutError:
        why = f"TimeoutError, {why}"
    return records, [f"the venue could not be asked at the end: {why}"]


def _alive(engine: str, mind: LedgerMind) -> list[LiveOrder]:
    """Orders of an engine that the ledger still waits for."""
    return [order for order in mind.orders.values() if order.request.engine == engine and not order.over]


async def _take_back(
    venue: Venue, alive: list[LiveOrder], taken: set[str], mind: LedgerMind, records: list[Struct], clock: Clock
) -> None:
    """Where a venue does not say what rests: cancel by name what the ledger waits for, once, and hear its end.

    An order in doubt is asked about behind its fence: an adapter may have other proof than the book (`Venue.find`).
    """
    for order in alive:
        request = order.request
        proof = request.id in taken and clock.now_ns() > mind.fences_ns.get(request.id, 0) + PROOF_NS
        if request.id in taken and not proof:
            continue
        try:
            ask = venue.find if proof else venue.cancel
            found = await ask(request.symbol, request.id)
        except (VenueUnreachable, VenueMisspoke):
            continue
        taken.add(request.id)
        if isinstance(found, Cancelled | CancelRefused | Rejected):
            records += mind.hear(found)[0]


async def _settle(engine: str, venue: Venue, mind: LedgerMind, records: list[Struct], clock: Clock) -> int:
    """Ask what became of orders that the ledger still waits for; unknown there is proof only behind their fence.

    A venue of this process is proof itself: the actors are gone, and nobody is left who could bring it an order.
    Returns how many those were.
    """
    doubtful = _alive(engine, mind)
    for order in doubtful:
        request = order.request
        fence_ns, asked_ns = mind.fences_ns.get(request.id, 0), clock.now_ns()
        proof_ns = fence_ns + PROOF_NS if fence_ns else 0
        found = await venue.find(request.symbol, request.id)
        if found is None and venue.capabilities.simulated:
            reason = "it never came to the venue"
            found = Cancelled(engine, request.id, request.symbol, order.lots_filled, reason, asked_ns)
        if found is None and not proof_ns:
            found = await _proven(venue, request, clock)
        if found is None and proof_ns >= asked_ns:
            await clock.sleep_until(proof_ns + 1)
            asked_ns = clock.now_ns()
            found = await venue.find(request.symbol, request.id)
        if found is None and proof_ns and asked_ns > proof_ns:
            found = Rejected(engine, request.id, request.symbol, "the venue does not know it", asked_ns)
        if isinstance(found, Cancelled | Rejected):
            records += mind.hear(found)[0]
    return len(doubtful)


async def _proven(venue: Venue, request: OrderRequest, clock: Clock) -> OpenOrder | Cancelled | Rejected | None:
    """Go on asking a venue that brings the proof itself (`Venue.find`): it takes some questions and some seconds."""
    for _ in range(PROOFS_MAX):
        await clock.sleep(PROOF_AGAIN_S)
        if (found := await venue.find(request.symbol, request.id)) is not None:
            return found
    return None


async def _sweep(venue: Venue, mind: LedgerMind, records: list[Struct], clock: Clock) -> list[str]:
    """Cancel what still rests, asked of the venue itself. Adds what to journal of its last words; gives what stays."""
    for order in await venue.open_orders():
        records += mind.hear(await venue.cancel(order.symbol, order.order_id))[0]
    for fill in await venue.fills(known_ns(mind, clock.now_ns()) - OVERLAP_NS):
        records += mind.hear(fill)[0]
    left = await venue.open_orders()
    return [f"order {order.order_id} of {order.symbol} still rests" for order in left]


async def _adopt_fees(engine: str, part: EngineParts, mind: LedgerMind, records: list[Struct], clock: Clock) -> None:
    """Where the venue holds less than the books by no more than a fee in coins, which it may not have told yet.

    It is looked at again after a grace, as the reconciler does, and then booked as it books it. Not where the ledger
    died: a fee that it was told and did not write comes again with the next start, and would be booked twice.
    """
    found = [one for one in await _disagreements(engine, part, mind) if _is_fee(mind, engine, one)]
    if not found:
        return
    await clock.sleep(GRACE_S)
    await _sweep(part.venue, mind, records, clock)
    as_of_ns = part.venue.theirs_ns(clock.now_ns() - round(GRACE_S * NS_PER_S))
    for one in await _disagreements(engine, part, mind):
        if one in found:
            symbol, ours, theirs = one
            ticks = _ticks(mind, engine, one)
            drift = Drift(engine, symbol, theirs, ours, FEE_ADOPTED, clock.now_ns(), ticks, as_of_ns)
            records += mind.hear(drift)[0]


def _doubts(engine: str, mind: LedgerMind) -> list[str]:
    """Orders whose end nobody knows, though the venue shows none that rests."""
    alive = (order.request for order in _alive(engine, mind))
    return [f"whether order {one.id} of {one.symbol} can still come is not known" for one in alive]


def _said(found: Iterable[Differs]) -> list[str]:
    return [f"{symbol} is {ours} lots in the ledger and {theirs} at the venue" for symbol, ours, theirs in found]


async def _disagreements(engine: str, part: EngineParts, mind: LedgerMind) -> list[Differs]:
    ours = {symbol: position.lots for symbol, position in mind.books.positions.get(engine, {}).items()}
    theirs = {position.symbol: position.lots for position in await part.venue.positions()}
    lots = [(symbol, ours.get(symbol, 0), theirs.get(symbol, 0)) for symbol in sorted({*ours, *theirs})]
    return [one for one in lots if one[1] != one[2]]


def _is_fee(mind: LedgerMind, engine: str, differs: Differs) -> bool:
    """Whether it is no more than a fee in coins."""
    symbol, ours, theirs = differs
    instrument = mind.books.instruments.get((engine, symbol))
    return coin_fee_minor(instrument, ours, theirs, _ticks(mind, engine, differs)) != 0


def _ticks(mind: LedgerMind, engine: str, differs: Differs) -> int:
    """What a difference is booked at: its own cost, which makes no profit."""
    symbol, _, _ = differs
    instrument = mind.books.instruments.get((engine, symbol))
    return max(1, round(mind.books.position(engine, symbol).entry_ticks(instrument))) if instrument else 1


def _latch(result: Ending, clock: Clock) -> Iterable[Struct]:
    """A halt that was not our will is kept: the next start must not trade on as if nothing had been."""
    if result.gave_up is not None:
        yield TradingState(ALL, Trading.HALTED, result.reason, "supervisor", clock.now_ns())


def _write_down(path: Path, records: list[Struct]) -> list[str]:
    """Keep the last words; says why when that cannot be. Opening and closing also folds up SQLite's side files."""
    try:
        with closing(Journal.open(path)) as journal:
            if records:
                journal.append(map(written, records))
    except (JournalDamaged, JournalUnwritable) as error:
        return [f"the last {len(records)} records could not be written: {error}"]
    return []
