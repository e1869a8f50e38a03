"""Exhibits of equities: sessions, sectors, day trades, and breakers that never fired, or at nothing."""

from collections.abc import Sequence
from math import nan
from typing import Any, Final

from msgspec.structs import replace

from actors.feed import FeedMind, Stream
from actors.messages import OrderChanged, PositionChanged, Reconciled, Restated
from actors.reconciler import Reconciler, ReconcilerMind, Told
from actors.sector_guard import SectorGuard
from config.load import load_profile
from config.universe import load_universe
from daemon.markets import instrument_of
from daemon.modes import session_calendar
from daemon.museum.alpaca_desk import RTH, at_ns
from daemon.museum.bench import (
    EQUITY_MINOR,
    EVIDENCE,
    MINUTE_NS,
    NOW_NS,
    S,
    Trader,
    breaker,
    moved,
    open_gate,
    profile,
)
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import PaperVenue, papers, perform
from risk.circuit_breaker import Breaker, observe
from risk.gate import judge
from risk.gate_state import GateState, new_state
from risk.intent import Intent, Purpose, Refused
from risk.order import OrderState
from venues.market import MINOR_PER_USD, Book, Level, Side, TimeInForce

SHARES: Final = "equities"
OPEN_NS = at_ns(RTH)
"""Ten in the morning of a Monday, New York's time."""
DEFENCE = ("GD", "LDOS", "AXON")
PRICE_USD = 100.0


def _gate(names: Sequence[str] = ("GD", "CRM"), equity_usd: int = 100_000, **risk: Any) -> GateState:
    """The gate of the equities engine, through which everything may pass that its bounds allow."""
    known = load_universe(SHARES)
    packaged = load_profile(SHARES)
    own = packaged.model_copy(update={"risk": packaged.risk.model_copy(update=risk)})
    instruments = [instrument_of(known[name]) for name in names]
    state = new_state(own, instruments, session_calendar())
    day = Breaker()
    for step in range(3):
        day, _ = observe(day, state.breaker_limits, equity_usd * MINOR_PER_USD, OPEN_NS - (3 - step) * S)
    marks = {one.symbol: float(one.ticks(PRICE_USD)) for one in instruments}
    return replace(
        state, breaker=day, reconciled=True, compared=True, fresh=state.symbols, macro_shut=False, marks=marks
    )


def _wish(name: str, lots: int, purpose: Purpose = Purpose.ENTRY) -> Intent:
    one = instrument_of(load_universe(SHARES)[name])
    return Intent(
        id=f"i-{name}",
        engine=SHARES,
        symbol=name,
        side=Side.BUY if lots > 0 else Side.SELL,
        lots=abs(lots),
        ticks=one.ticks(PRICE_USD),
        time_in_force=TimeInForce.ALO,
        purpose=purpose,
        reason="z_entry",
        at_ns=OPEN_NS,
        evidence=EVIDENCE,
    )


def _said(state: GateState, wish: Intent, at_time_ns: int = OPEN_NS) -> str:
    verdict = judge(wish, state, at_time_ns)[0]
    return verdict.rule if isinstance(verdict, Refused) else "passed"


# --- gates ------------------------------------------------------------------------------------------------------------


def _on_an_empty_book(theta: float) -> int:
    """Entries on a book that leans to nobody, because nobody has heard it."""
    own = profile()
    return len(Trader(own.model_copy(update={"signal": own.signal.model_copy(update={"obi_theta": theta})})).dip(obi=0))


VACUOUS_GATE = Exhibit(
    name="readme-vacuous-gate",
    story="The bound of the imbalance was -0.001, so that a name without any quotes passed on both sides.",
    sources=("README",),
    stake="a filter that is configured, documented and never there",
    right=lambda: _on_an_empty_book(load_profile(SHARES).signal.obi_theta),
    wrong=lambda: _on_an_empty_book(-0.001),
    check=lambda entries: entries == 0,
)

EVENING_NS, SUNDAY_NS = OPEN_NS + 8 * 60 * MINUTE_NS, OPEN_NS - 24 * 60 * MINUTE_NS
HOLIDAY_NS = at_ns("2026-01-19T15:00:00+00:00")
"""Martin Luther King's day, at ten in the morning."""
TIMES = (OPEN_NS, EVENING_NS, SUNDAY_NS, HOLIDAY_NS)

OUTSIDE = Exhibit(
    name="readme-outside-the-session",
    story="Weekdays from half past nine to four were the session, on holidays and half days as well.",
    sources=("README",),
    stake="orders that wait for the next open, and fill in its gap",
    right=lambda: [_said(_gate(), _wish("CRM", 1), at_time_ns) for at_time_ns in TIMES],
    wrong=lambda: ["passed", "session", "session", "passed"],
    check=lambda said: said == ["passed", "session", "session", "session"],
)


def _fourth() -> list[str]:
    """An account of 10,000 dollars, whose third day trade of the week is done or open."""
    traded = frozenset({("CRM", OPEN_NS - n * MINUTE_NS) for n in range(1, 4)})
    return [_said(_gate(equity_usd=10_000), _wish("GD", 1)), _said(_day_traded(traded), _wish("GD", 1))]


def _day_traded(traded: frozenset[tuple[str, int]]) -> GateState:
    return replace(_gate(equity_usd=10_000), day_trades=traded)


FOURTH_DAY_TRADE = Exhibit(
    name="l7-fourth-day-trade",
    story="Bars of a minute made round trips within a day; the fourth was refused, and its position stayed: 40310100.",
    sources=("L7",),
    stake="a position that may not be left before tomorrow",
    right=_fourth,
    wrong=lambda: ["passed", "passed"],
    check=lambda said: said == ["passed", "day_trades"],
)


def _leaves(lots: int) -> str:
    """Held far over every cap of worth: may it be left?"""
    state = replace(_gate(order_notional_usd_max=100, symbol_cap_usd=100), positions={"CRM": lots})
    return _said(state, _wish("CRM", -lots, Purpose.EXIT))


EXIT_CAPPED = Exhibit(
    name="l7-exit-capped",
    story="Caps on what an order may be worth were asked about exits too, and what was too large could not be left.",
    sources=("L7",),
    stake="the largest position is the one that stays",
    right=lambda: _leaves(500),
    wrong=lambda: "order_notional" if 500 * PRICE_USD > 100 else "passed",
    check=lambda said: said == "passed",
)

# --- sectors ----------------------------------------------------------------------------------------------------------


def _guard() -> SectorGuard:
    known = load_universe(SHARES)
    return SectorGuard({name: known[name].sector for name in DEFENCE}, {SHARES: 0})


def _counted(guard: SectorGuard, *messages: PositionChanged | OrderChanged) -> dict[str, str]:
    """Who holds a slot after these."""
    said = [one for message in messages for one in guard.hear(message)]
    return said[-1].members if said else {}


def _of(name: str, state: OrderState, **more: Any) -> OrderChanged:
    return moved(state, lots=1, engine=SHARES, symbol=name, intent_id=f"i-{name}", order_id=f"o-{name}", **more)


def _held(name: str, lots: int) -> PositionChanged:
    return PositionChanged(SHARES, name, lots, 1_000_000.0, 0, OPEN_NS, OPEN_NS)


def _second_of_a_sector(members: dict[str, str]) -> str:
    return _said(replace(_gate(DEFENCE), sector_members=members), _wish("LDOS", 1))


def _restarted() -> str:
    """GD is held from before the restart; the ledger tells it again; another name of defence is wanted."""
    return _second_of_a_sector(_counted(_guard(), _held("GD", 5)))


SECTOR_FORGOTTEN = Exhibit(
    name="d15-sector-forgotten",
    story="The counter of a sector was zero after each restart, whatever was held.",
    sources=("D15",),
    stake="twice the names of one war, and three times after the next restart",
    right=_restarted,
    wrong=lambda: _second_of_a_sector({}),
    check=lambda said: said == "sector_cap",
)


def _unfilled() -> str:
    """An entry in GD ends at the close with nothing filled; the next morning LDOS is wanted."""
    guard = _guard()
    members = _counted(guard, _of("GD", OrderState.RESTING), _of("GD", OrderState.CANCELLED, reason="expired"))
    return _second_of_a_sector(members)


SLOT_LEAKED = Exhibit(
    name="d15-slot-leaked",
    story="A slot was taken when an order was sent and given back when a position closed: unfilled orders kept theirs.",
    sources=("D15",),
    stake="a sector that is full of nothing",
    right=_unfilled,
    wrong=lambda: _second_of_a_sector({"GD": "Defense"}),
    check=lambda said: said == "passed",
)


def _two_at_once() -> str:
    """An entry in GD is under way and not filled; in the same second LDOS is wanted."""
    return _second_of_a_sector(_counted(_guard(), _of("GD", OrderState.SENT)))


TWO_AT_ONCE = Exhibit(
    name="d15-two-at-once",
    story="Slots that are counted from positions alone let two names of a sector in while neither was filled.",
    sources=("D15",),
    stake="a cap of one that holds two",
    right=_two_at_once,
    wrong=lambda: _second_of_a_sector({}),
    check=lambda said: said == "sector_cap",
)


def _exit_refused() -> int:
    """An exit is sent and refused: lots that are believed to be held."""
    trader = Trader()
    trader.hold(250)
    trader.book(PRICE_USD * 980, at_ns=trader.now_ns + S)
    trader.signal.hear(moved(OrderState.REJECTED, lots=-250, entry=False, at_ns=trader.now_ns + 2 * S))
    return trader.signal.symbols["BTC"].lots


EXIT_BELIEVED = Exhibit(
    name="d15-exit-believed",
    story='An exit reset what was held before it was sent, with "no rollback available" where it was refused.',
    sources=("D15",),
    stake="a position without a stop",
    right=_exit_refused,
    wrong=lambda: 0,
    check=lambda lots: lots == 250,
)

# --- breakers ---------------------------------------------------------------------------------------------------------


def _reads(*readings: float) -> bool:
    """Whether these readings, a second apart, trip it."""
    limits, state, tripped = open_gate().breaker_limits, breaker(), False
    for step, reading in enumerate(readings):
        state, trip = observe(state, limits, reading, NOW_NS + (10 + step) * S)
        tripped |= trip is not None and trip.rule != "blind"
    return tripped


LOST = EQUITY_MINOR * 0.9
AFTER_NAN = (nan, nan, nan, LOST, LOST, LOST)


def _greatest() -> bool:
    """The greatest reading so far, and how far the present one is below."""
    high, tripped = float(EQUITY_MINOR), False
    for reading in AFTER_NAN:
        high = high if reading <= high else reading
        tripped |= (high - reading) / high > 0.02
    return tripped


NAN_HIGH_WATER = Exhibit(
    name="alpacatradingagent-36",
    story="One equity that was no number became the high water, and the drawdown halt could never fire again.",
    sources=("alpacatradingagent-36",),
    stake="no drawdown halt, over restarts, and nobody notices",
    right=lambda: _reads(*AFTER_NAN),
    wrong=_greatest,
    check=lambda tripped: tripped is True,
)

ONE_BAD_TICK = (EQUITY_MINOR, EQUITY_MINOR * 0.5, EQUITY_MINOR, EQUITY_MINOR)
PHANTOM_HALT = Exhibit(
    name="forven-92",
    story="One bad equity tick latched a halt for a loss that nobody had made.",
    sources=("forven-92",),
    stake="a day without trading, and positions without their strategy",
    right=lambda: _reads(*ONE_BAD_TICK),
    wrong=lambda: any((EQUITY_MINOR - reading) / EQUITY_MINOR > 0.02 for reading in ONE_BAD_TICK),
    check=lambda tripped: tripped is False,
)

MARGIN_MINOR, LOSS_MINOR = 20 * MINOR_PER_USD, 12 * MINOR_PER_USD
"""What a position at ten times leverage binds, and what it has lost."""

ONE_MARGIN = Exhibit(
    name="go-trader-1448",
    story="A kill switch measured a loss against one position's margin, and latched the whole book for twelve dollars.",
    sources=("go-trader-1448",),
    stake="all engines halted for a loss of a thousandth",
    right=lambda: _reads(*(EQUITY_MINOR - LOSS_MINOR,) * 3),
    wrong=lambda: LOSS_MINOR / MARGIN_MINOR > 0.02,
    check=lambda tripped: tripped is False,
)


def _through_an_error() -> list[str]:
    """The venue cannot be asked for half a minute; how the looks at it end."""
    told = papers(reachable=False)

    def back() -> None:
        told.reachable = True

    said = perform(
        "reconciler",
        Reconciler,
        lambda: Reconciler(ReconcilerMind("perps"), PaperVenue(told), Told(NOW_NS)),  # type: ignore[arg-type]
        ((1, Restated("perps", "reconciler")), (30, back)),
        seconds=120,
    )
    return list(dict.fromkeys("agreed" if one.ok else "not known" for one in said if isinstance(one, Reconciled)))


def _poll_dies() -> list[str]:
    """A poll in a group of tasks: what it raises ends all of them."""
    said = list[str]()
    for answer in ("error", "agreed", "agreed"):
        if answer == "error":
            said.append("not known")
            break
        said.append(answer)
    return said


POLL_DIED = Exhibit(
    name="l8-poll-died",
    story="One network error in a poll of the account cancelled every task of the engine.",
    sources=("L8",),
    stake="open positions, and nobody there",
    right=_through_an_error,
    wrong=_poll_dies,
    check=lambda said: said == ["not known", "agreed"],
)

# --- quotes that stand still ------------------------------------------------------------------------------------------


def _frozen() -> list[bool]:
    """Books come each second and say the same each time, for half an hour: is the market taken for fresh?"""
    mind = FeedMind(SHARES, {"CRM": Stream()}, 120_000)
    book = Book("CRM", OPEN_NS, OPEN_NS, (Level(190.0, 3.0),), (Level(190.1, 3.0),))
    said: list[bool] = []
    for second in range(1_800):
        now_ns = OPEN_NS + second * S
        mind.sift([replace(book, at_ns=now_ns, received_ns=now_ns)])
        said += [state.fresh for state in mind.check_ages(now_ns)]
    return said


FROZEN_QUOTES = Exhibit(
    name="qubx-390",
    story="The best prices of a paper venue never moved, and six days of fills were all at the same price.",
    sources=("qubx-390", "lean-9742"),
    stake="results that mean nothing, and a strategy that goes live on them",
    right=_frozen,
    wrong=lambda: [True],
    check=lambda said: said == [True, False],
)

EXHIBITS = (
    VACUOUS_GATE,
    OUTSIDE,
    FOURTH_DAY_TRADE,
    EXIT_CAPPED,
    SECTOR_FORGOTTEN,
    SLOT_LEAKED,
    TWO_AT_ONCE,
    EXIT_BELIEVED,
    NAN_HIGH_WATER,
    PHANTOM_HALT,
    ONE_MARGIN,
    POLL_DIED,
    FROZEN_QUOTES,
)
