"""Exhibits: exits that never came."""

from actors.circuit_breaker import Purse
from actors.messages import BalanceChanged, BreakerChanged, Mark, PositionChanged, TradingState
from actors.symbol_state import ANSWER_NS_MAX
from daemon.museum.bench import (
    ENGINE,
    EQUITY_MINOR,
    NOW_NS,
    PRICE,
    Bookkeeper,
    S,
    Trader,
    breaker,
    instrument,
    moved,
    open_gate,
    request,
    watchdog,
)
from daemon.museum.desk import BTC, Desk, limit, placed
from daemon.museum.exhibit import Exhibit
from risk.circuit_breaker import observe
from risk.intent import Cancel, Intent, Reprice, Trading
from risk.order import OrderState
from venues.market import MINOR_PER_USD, Accepted, Book, Cancelled, Fill, Level, TimeInForce
from venues.matching import MatchingEngine

LOTS = 250


def _short_in_a_trend() -> list[str]:
    """Short at 100,000, and the price climbs two per cent; z says to stay."""
    trader = Trader()
    trader.hold(-LOTS)
    said = trader.book(PRICE * 1.02, at_ns=trader.now_ns + S)
    return [wish.reason for wish in said if isinstance(wish, Intent)]


def _z_alone() -> list[str]:
    """Out when z is back: a price that climbs on keeps z high."""
    z, z_exit = 6.0, 0.5
    return ["z_revert"] if z < z_exit else []


NO_FLOOR = Exhibit(
    name="l15-no-floor",
    story="A short was to be left when z came back; the trend went on, z climbed with it, and so did the loss.",
    sources=("L15",),
    stake="3.44 % of a position, and no end to it",
    right=_short_in_a_trend,
    wrong=_z_alone,
    check=lambda reasons: reasons == ["stop_loss"],
)


def _refused_as_it_crosses(how: str) -> str:
    """What the exchange says to an exit that is priced through the bid."""
    desk = Desk(("BTC",))
    desk.trade(BTC, "buy", "66100", "0.01")
    desk.wait(1)
    return desk.post(placed(limit(BTC, "sell", "65900", "0.01", how, reduce_only=True))).decode()


def _escalates() -> str:
    """A post-only exit is refused because it would match at once: how the next one travels."""
    mind = watchdog()
    mind.hear(Mark("BTC", NOW_NS, PRICE, PRICE + 1))
    leave = {"lots": -LOTS, "entry": False}
    mind.hear(moved(OrderState.SENT, **leave))
    said = mind.hear(moved(OrderState.REJECTED, **leave))
    hows = [wish.time_in_force for wish in said if isinstance(wish, Reprice)]
    return _refused_as_it_crosses("Ioc" if hows == [TimeInForce.IOC] else "Alo")


POST_ONLY_EXIT = Exhibit(
    name="l18-post-only-exit",
    story='A post-only exit "would have immediately matched", was refused, and was sent again the same way for ever.',
    sources=("L18",),
    stake="a position that cannot be left while the market runs",
    right=_escalates,
    wrong=lambda: _refused_as_it_crosses("Alo"),
    check=lambda answer: '"filled"' in answer,
)


def _adopted_with_an_exit() -> int:
    """A position that no order of ours made, with an exit under way: how many more exits a bar asks for."""
    trader = Trader()
    trader.hold(LOTS)
    leave = moved(OrderState.RESTING, lots=-LOTS, entry=False, intent_id="of another run", at_ns=trader.now_ns + 30 * S)
    trader.signal.hear(leave)
    trader.book(PRICE * 1.01)
    return sum(isinstance(wish, Intent) for wish in trader.bar(PRICE * 1.01))


def _by_tag() -> int:
    """Exits under way are looked up by the tag of the entry that they belong to."""
    under_way = {"of another run": "exit"}
    return 0 if "z_BTC" in under_way else 1


EXIT_BY_TAG = Exhibit(
    name="l18-exit-by-tag",
    story="Exits under way were looked for under one tag alone, so an adopted position had two.",
    sources=("L18",),
    stake="exits that turn the position over",
    right=_adopted_with_an_exit,
    wrong=_by_tag,
    check=lambda exits: exits == 0,
)


def _stop_after_silence() -> int:
    """A stop is wanted and its answer is lost; a few seconds later the price is still worse."""
    trader = Trader()
    trader.hold(LOTS)
    trader.book(PRICE * 0.98, at_ns=trader.now_ns + S)
    later = trader.book(PRICE * 0.97, at_ns=trader.now_ns + 2 * S + ANSWER_NS_MAX)
    return sum(isinstance(wish, Intent) for wish in later)


def _pending_for_ever() -> int:
    """A flag is set with the first exit; an error on the way does not clear it."""
    asked, pending = 0, False
    for price in (0.98, 0.97):
        if price < 0.99 and not pending:
            asked, pending = asked + 1, True
    return asked - 1


PENDING_FOR_EVER = Exhibit(
    name="d3-pending-for-ever",
    story="A question on the way of an exit failed, the exit counted as under way, and no stop ever came again.",
    sources=("D3", "bbgo-1764"),
    stake="a position without a stop, until somebody looks",
    right=_stop_after_silence,
    wrong=_pending_for_ever,
    check=lambda exits: exits == 1,
)


def _shadow_cancel() -> str:
    """An order of a shadow rests, and is cancelled: how it ends."""
    engine = MatchingEngine(ENGINE, (instrument(),), {"native": (1.5, 4.5)}, EQUITY_MINOR)
    bids, asks = (Level(PRICE - 1, 1.0),), (Level(PRICE + 1, 1.0),)
    engine.on_book(Book("BTC", NOW_NS, NOW_NS, bids, asks))
    said = [*engine.submit(request(LOTS), NOW_NS), *engine.cancel("o1", NOW_NS + S)]
    return " ".join(type(event).__name__ for event in said if isinstance(event, Accepted | Cancelled))


def _unknown_word() -> str:
    """The end of an order is looked up in a list of words, which this one is not in."""
    said = ["Accepted"]
    if "shadow_cancelled" in ("success", "never placed", "already canceled", "already filled"):
        said.append("Cancelled")
    return " ".join(said)


SHADOW_NEVER_ENDS = Exhibit(
    name="d5-shadow-never-ends",
    story='In shadow a cancel was answered "shadow_cancelled", which was no known end; the symbol was gated for ever.',
    sources=("D5",),
    stake="a rehearsal that stops after one order a symbol",
    right=_shadow_cancel,
    wrong=_unknown_word,
    check=lambda said: said == "Accepted Cancelled",
)


def _shadow_taker() -> int:
    """An order that crosses, in shadow: lots that its position is told of."""
    engine = MatchingEngine(ENGINE, (instrument(),), {"native": (1.5, 4.5)}, EQUITY_MINOR)
    engine.on_book(Book("BTC", NOW_NS, NOW_NS, (Level(PRICE - 1, 1.0),), (Level(PRICE + 1, 1.0),)))
    order = request(LOTS, time_in_force=TimeInForce.IOC, ticks=instrument().ticks(PRICE + 10))
    return sum(event.lots for event in engine.submit(order, NOW_NS) if isinstance(event, Fill))


def _by_stream_alone() -> int:
    """Fills come by the venue's stream, and the venue knows nothing of a shadow's orders."""
    heard: list[int] = []
    return sum(heard)


SHADOW_TAKER = Exhibit(
    name="d5-shadow-taker",
    story="In shadow an order that crosses was announced, and no fill of it ever was.",
    sources=("D5", "tracequant-24", "autofx-v2-27"),
    stake="a rehearsal without positions",
    right=_shadow_taker,
    wrong=_by_stream_alone,
    check=lambda lots: lots == LOTS,
)

# --- halts ------------------------------------------------------------------------------------------------------------


def _halted_then_restarted() -> str:
    books = Bookkeeper()
    books.tell(TradingState(ENGINE, Trading.HALTED, "daily_loss", "circuit_breaker", NOW_NS))
    return str(books.restarted().mind.trading[ENGINE].state)


def _started_anew() -> str:
    """A new process, which knows of no halt."""
    return str(open_gate().trading_now())


HALT_UNDONE = Exhibit(
    name="d14-halt-undone",
    story="A watchdog stopped the engine for its losses, and the supervisor started it again within half a minute.",
    sources=("D14",),
    stake="a halt that lasts 30 seconds",
    right=_halted_then_restarted,
    wrong=_started_anew,
    check=lambda state: state == Trading.HALTED,
)


def _loss_after_restart() -> int:
    """Forty dollars are lost, the engine restarts and reads its equity: the day's loss, in dollars."""
    state = open_gate()
    lost = EQUITY_MINOR - 40 * MINOR_PER_USD
    before = breaker(EQUITY_MINOR, EQUITY_MINOR, EQUITY_MINOR, lost, lost, lost)
    books = Bookkeeper()
    books.tell(BreakerChanged(ENGINE, before, NOW_NS))
    after, _ = observe(books.restarted().mind.breakers[ENGINE].breaker, state.breaker_limits, lost, NOW_NS + 60 * S)
    return after.loss_minor // MINOR_PER_USD


def _baseline_at_start() -> int:
    lost = EQUITY_MINOR - 40 * MINOR_PER_USD
    return breaker(lost).loss_minor // MINOR_PER_USD


LOSS_RENEWED = Exhibit(
    name="d13-loss-renewed",
    story="The day's loss was counted from the start of the process, so each restart forgave it.",
    sources=("D13",),
    stake="the loss limit, once per restart",
    right=_loss_after_restart,
    wrong=_baseline_at_start,
    check=lambda usd: usd == 40,
)


def _equity(*, leave_out: bool) -> int | None:
    """Four thousand dollars of cash and a position of which the price is not known, worth six thousand more."""
    purse = Purse({"BTC": instrument()})
    purse.balance = BalanceChanged(ENGINE, EQUITY_MINOR * 4 // 10, 0, 0, 0, 0, NOW_NS)
    if not leave_out:
        purse.position(PositionChanged(ENGINE, "BTC", 12_000, 1.0, 0, NOW_NS, NOW_NS, EQUITY_MINOR))
    return purse.equity_minor()


def _trips(reading: int | None) -> bool:
    state = open_gate()
    now, tripped = state.breaker, False
    for number in range(3):
        now, trip = observe(now, state.breaker_limits, reading, NOW_NS + (10 + number) * S)
        tripped |= trip is not None
    return tripped


PART_OF_THE_EQUITY = Exhibit(
    name="d14-part-of-the-equity",
    story="What could not be asked was left out of the sum, and a quiet day looked like the loss of everything.",
    sources=("D14",),
    stake="a halt for a loss that nobody made",
    right=lambda: _trips(_equity(leave_out=False)),
    wrong=lambda: _trips(_equity(leave_out=True)),
    check=lambda tripped: tripped is False,
)


def _resting_when_halted() -> list[str]:
    """An entry rests, and the engine is halted: what is taken back."""
    mind = watchdog()
    mind.hear(moved(OrderState.RESTING))
    said = mind.hear(TradingState(ENGINE, Trading.HALTED, "daily_loss", "circuit_breaker", NOW_NS + S))
    return [wish.order_id for wish in said if isinstance(wish, Cancel)]


def _halts_the_process() -> list[str]:
    """The engine is told to go; what rests at the venue knows nothing of that."""
    return []


ORDERS_STAY = Exhibit(
    name="d14-orders-stay",
    story="A halt ended the process and cancelled nothing, so orders went on resting and filling.",
    sources=("D14",),
    stake="positions that grow after the halt",
    right=_resting_when_halted,
    wrong=_halts_the_process,
    check=lambda cancelled: cancelled == ["o1"],
)

DAY_NS = 86_400 * S


def _loss_of_two_days() -> int:
    """Forty dollars lost yesterday, ten today: the loss that counts, in dollars."""
    limits = open_gate().breaker_limits
    forty, fifty = (EQUITY_MINOR - usd * MINOR_PER_USD for usd in (40, 50))
    now = breaker(EQUITY_MINOR, EQUITY_MINOR, EQUITY_MINOR, forty, forty, forty)
    for step, reading in enumerate((forty, fifty, fifty, fifty)):
        now, _ = observe(now, limits, reading, NOW_NS + DAY_NS + step * S)
    return now.loss_minor // MINOR_PER_USD


def _since_the_start() -> int:
    now = breaker(*(EQUITY_MINOR - usd * MINOR_PER_USD for usd in (0, 0, 0, 40, 40, 40, 50, 50, 50)))
    return now.loss_minor // MINOR_PER_USD


DAY_NEVER_TURNS = Exhibit(
    name="d13-day-never-turns",
    story="The day of the daily loss never ended, so small losses of many days added up to a halt.",
    sources=("D13", "ft-2968"),
    stake="an engine that stops for no reason of today",
    right=_loss_of_two_days,
    wrong=_since_the_start,
    check=lambda usd: usd == 10,
)

EXHIBITS = (
    NO_FLOOR,
    POST_ONLY_EXIT,
    EXIT_BY_TAG,
    PENDING_FOR_EVER,
    SHADOW_NEVER_ENDS,
    SHADOW_TAKER,
    HALT_UNDONE,
    LOSS_RENEWED,
    PART_OF_THE_EQUITY,
    ORDERS_STAY,
    DAY_NEVER_TURNS,
)
