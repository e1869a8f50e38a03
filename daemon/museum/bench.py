"""Our actors' minds by plain calls, for exhibits: a ledger, a gate, a signal and a watchdog, ready for orders."""

from collections.abc import Sequence
from itertools import count
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from actors.ledger import LedgerMind
from actors.ledger_recovery import recover
from actors.maker_watchdog import MakerWatchdog
from actors.messages import BarHistory, Imbalance, OrderChanged, PositionChanged, RunStarted
from actors.records import written
from actors.signal import Signal
from config.load import load_profile
from config.profile import Profile
from config.universe import load_universe
from daemon.markets import instrument_of
from risk.circuit_breaker import Breaker, observe
from risk.gate_state import GateState, new_state
from risk.intent import Evidence, Intent, Purpose
from risk.order import OrderState
from risk.session import NO_DAYS
from venues.market import MINOR_PER_USD, Bar, Fill, Instrument, OrderRequest, Side, TimeInForce

ENGINE = "perps"
S = 1_000_000_000
MINUTE_NS = 60 * S
NOW_NS = 1_767_600_000 * S
"""A Monday morning of 2026; New York is asleep."""
PRICE = 100_000.0
"""Of BTC here."""
EQUITY_MINOR = 10_000 * MINOR_PER_USD
EVIDENCE = Evidence(
    bar_start_ns=0,
    close=PRICE,
    z=-2.0,
    z_bound=-1.25,
    obi=0.4,
    obi_bound=0.0,
    obi_at_ns=0,
    obi_age_ns=0,
    trend=PRICE,
    facade=False,
)


def instrument(symbol: str = "BTC") -> Instrument:
    """A perpetual as the packaged universe has it."""
    return instrument_of(load_universe(ENGINE)[symbol])


def profile(**risk: Any) -> Profile:
    """The packaged profile, some bounds changed."""
    packaged = load_profile("perps")
    return packaged.model_copy(update={"risk": packaged.risk.model_copy(update=risk)})


def ticks(price: float, symbol: str = "BTC") -> int:
    """A price in ticks."""
    return instrument(symbol).ticks(price)


# --- orders and what is said of them ----------------------------------------------------------------------------------


def intent(lots: int, purpose: Purpose = Purpose.ENTRY, symbol: str = "BTC", price: float = PRICE) -> Intent:
    """A wish for signed lots."""
    return Intent(
        id="i1",
        engine=ENGINE,
        symbol=symbol,
        side=Side.BUY if lots > 0 else Side.SELL,
        lots=abs(lots),
        ticks=ticks(price, symbol),
        time_in_force=TimeInForce.ALO,
        purpose=purpose,
        reason="z_entry" if purpose is Purpose.ENTRY else "z_revert",
        at_ns=NOW_NS,
        evidence=EVIDENCE,
    )


def request(lots: int, order_id: str = "o1", **more: Any) -> OrderRequest:
    """An order for signed lots of BTC."""
    said: dict[str, Any] = {
        "id": order_id,
        "intent_id": "i1",
        "engine": ENGINE,
        "symbol": "BTC",
        "side": Side.BUY if lots > 0 else Side.SELL,
        "lots": abs(lots),
        "ticks": ticks(PRICE),
        "time_in_force": TimeInForce.ALO,
    }
    return OrderRequest(**(said | more))


def filled(lots: int, fill_id: str, order_id: str = "o1", price: float = PRICE) -> Fill:
    """A fill of signed lots of BTC."""
    side = Side.BUY if lots > 0 else Side.SELL
    return Fill(ENGINE, fill_id, order_id, "BTC", side, abs(lots), ticks(price), 0, True, NOW_NS)


def moved(state: OrderState, lots: int = 250, **more: Any) -> OrderChanged:
    """News of an order for signed lots of BTC."""
    changed = OrderChanged(
        engine=ENGINE,
        order_id="o1",
        intent_id="i1",
        symbol="BTC",
        side=Side.BUY if lots > 0 else Side.SELL,
        state=state,
        lots=abs(lots),
        lots_filled=0,
        ticks=ticks(PRICE),
        time_in_force=TimeInForce.ALO,
        entry=True,
        reason="",
        fence_ns=0,
        at_ns=NOW_NS,
    )
    return replace(changed, **more)


# --- minds ------------------------------------------------------------------------------------------------------------


class Bookkeeper:
    """A ledger, with the journal that a restart would read."""

    def __init__(self, *runs: RunStarted) -> None:
        self.mind = LedgerMind()
        self.journal: list[Struct] = [*(runs or (run_started(),))]
        for run in self.journal:
            self.mind.fold(run)

    def tell(self, *messages: Any) -> list[Struct]:
        """What it says of these."""
        said: list[Struct] = []
        for message in messages:
            records, news = self.mind.hear(message)
            self.journal += records
            said += news
        return said

    def held(self, symbol: str = "BTC") -> int:
        """Lots held."""
        return self.mind.books.position(ENGINE, symbol).lots

    def restarted(self) -> "Bookkeeper":
        """A new one that knows nothing but the journal."""
        other = Bookkeeper()
        other.mind = recover(map(written, self.journal), LedgerMind())
        other.journal = list(self.journal)
        return other


def run_started(number: int = 1, at_ns: int = 1) -> RunStarted:
    """The first record of a run."""
    return RunStarted(
        number=number,
        run_id=f"run-{number}",
        mode="live",
        seed=1,
        version="0",
        engines=(ENGINE,),
        instruments=(instrument(),),
        at_ns=at_ns,
    )


def breaker(*readings_minor: int, limits: GateState | None = None) -> Breaker:
    """A circuit breaker that has read these, a second apart."""
    bounds = (limits or new_state(profile(), (instrument(),), NO_DAYS)).breaker_limits
    state = Breaker()
    for step, reading in enumerate(readings_minor or (EQUITY_MINOR,) * 3):
        state, _ = observe(state, bounds, reading, NOW_NS + step * S)
    return state


def open_gate(symbols: Sequence[str] = ("BTC",), **risk: Any) -> GateState:
    """A gate through which everything may pass that its bounds allow."""
    known = [instrument(symbol) for symbol in symbols]
    state = new_state(profile(**risk), known, NO_DAYS)
    return replace(
        state,
        breaker=breaker(limits=state),
        reconciled=True,
        fresh=state.symbols,
        macro_shut=False,
        macro_event="",
        marks={symbol: float(ticks(PRICE, symbol)) for symbol in symbols},
    )


def watchdog() -> MakerWatchdog:
    """Of BTC."""
    return MakerWatchdog(profile(), {"BTC": instrument()})


class Trader:
    """A signal with a warm window of BTC around 100,000."""

    def __init__(self, own: Profile | None = None) -> None:
        ids = (f"intent-{number}" for number in count(1))
        self.signal = Signal(own or profile(), {"BTC": instrument()}, lambda: next(ids))
        self.bars = 0
        bars = range(60)
        starts = [NOW_NS - (60 - place) * MINUTE_NS for place in bars]
        closes = [PRICE * (1 + 0.0001 * (place % 2)) for place in bars]
        history = tuple(Bar("BTC", start, MINUTE_NS, c, c, c, c, 1) for start, c in zip(starts, closes, strict=True))
        self.signal.hear(BarHistory(ENGINE, "BTC", history))

    @property
    def now_ns(self) -> int:
        """The end of the last bar."""
        return NOW_NS + self.bars * MINUTE_NS

    def book(self, mid: float, obi: float = 0.0, age_ns: int = 0, at_ns: int | None = None) -> list[Any]:
        """Hear a book, which was received so long before the end of the next bar."""
        at_ns = self.now_ns + MINUTE_NS - age_ns if at_ns is None else at_ns
        return list(self.signal.hear(Imbalance("BTC", at_ns, at_ns, mid - 1, mid + 1, obi, obi, obi, False)))

    def bar(self, close: float) -> list[Any]:
        """Hear a bar."""
        start_ns = self.now_ns
        self.bars += 1
        return list(self.signal.hear(Bar("BTC", start_ns, MINUTE_NS, close, close, close, close, 9)))

    def dip(self, obi: float = 0.5, age_ns: int = 0) -> list[Any]:
        """A book and a bar one per cent below the mean, the book leaning back: an entry."""
        self.book(PRICE * 0.99, obi, age_ns)
        return self.bar(PRICE * 0.99)

    def hold(self, lots: int, entry: float = PRICE) -> None:
        """Hold a position since now."""
        opened_ns = self.now_ns if lots else 0
        self.signal.hear(
            PositionChanged(ENGINE, "BTC", lots, float(ticks(entry)) if lots else 0.0, 0, opened_ns, self.now_ns)
        )
