"""Lives of a ledger: what it journals of orders, fills, doubt, money, halts and restarts of chance."""

from decimal import Decimal

from msgspec import Struct

from actors.ledger import LedgerMind
from actors.messages import (
    BooksAsked,
    BreakerChanged,
    CancelSent,
    Drift,
    OrderPlanned,
    RunStarted,
    TradingState,
    Tune,
    Unanswered,
)
from risk.circuit_breaker import Breaker
from risk.intent import Trading
from risk.ledger.postings import Deposit
from tests.risk.given import BTC, COST, DAY_NS, SOL, fill, request
from venues.market import Accepted, Cancelled, FundingPaid, Instrument, MoneyMoved, Rejected, Side

INSTRUMENTS = (BTC, SOL, COST)
START_NS = 1_767_571_200_000_000_000
RATE = Decimal("0.0001")


def run_started(number: int, at_ns: int) -> RunStarted:
    return RunStarted(
        number=number,
        run_id=f"r{number}",
        mode="synthetic",
        seed=1,
        version="0",
        engines=("perps", "equities"),
        instruments=INSTRUMENTS,
        at_ns=at_ns,
    )


def drift(mind: LedgerMind, one: Instrument, lots: int, at_ns: int) -> Drift:
    """Something else is held than the books say."""
    held = mind.books.position(one.engine, one.symbol).lots
    there = held + lots if lots != 9 else 0
    return Drift(one.engine, one.symbol, there, held, "adopted", at_ns, 1000, at_ns - lots)


def story(draws: list[tuple[int, int, int]]) -> list[Struct]:  # noqa: PLR0912, PLR0915
    """What a ledger journals of a life of chance: orders, fills, doubt, money, halts and restarts."""
    mind, records, known = LedgerMind(), [], []
    at_ns = START_NS

    def tell(message: Struct) -> None:
        if isinstance(message, RunStarted):
            mind.fold(message)
            records.append(message)
        else:
            records.extend(mind.hear(message)[0])

    def replaced(lots: int) -> str:
        return known[-1] if known and lots == 6 else ""

    tell(run_started(1, at_ns))
    tell(Deposit("perps", "opening", 10**10, at_ns))
    for number, (what, which, lots) in enumerate(draws):
        at_ns += lots * DAY_NS // 80
        one = INSTRUMENTS[which % len(INSTRUMENTS)]
        side = (Side.BUY, Side.SELL)[lots % 2]
        order_id = known[which % len(known)] if known else "none"
        old = mind.orders.get(order_id)
        symbol = old.request.symbol if old else one.symbol
        engine = old.request.engine if old else one.engine
        match what % 12:
            case 0 | 1 | 2:
                made = request(one, lots, id=f"o{number}", intent_id=f"i{number}", side=side, replaces=replaced(lots))
                known.append(made.id)
                tell(OrderPlanned(one.engine, made, True, at_ns))
            case 3:
                tell(Accepted(engine, order_id, symbol, at_ns))
            case 4 | 5 if old:
                its = next(i for i in INSTRUMENTS if i.symbol == symbol)
                part = max(1, min(lots, old.lots_left))
                tell(
                    fill(
                        its, part, 1000 + which, id=f"f{number}", order_id=order_id, side=old.request.side, at_ns=at_ns
                    )
                )
            case 6 if which % 8 == 1:
                tell(BooksAsked(engine, number, at_ns))
            case 6 if which % 4 == 3:
                tell(drift(mind, one, lots, at_ns))
            case 6:
                tell(fill(one, lots, 1000, id=f"m{which % 5 or number}", order_id="", side=side, at_ns=at_ns))
            case 7:
                tell(Cancelled(engine, order_id, symbol, 0, "asked", at_ns))
            case 8 if known:
                newest = mind.orders.get(known[-1])
                if lots % 2 and newest:
                    tell(CancelSent(newest.request.engine, known[-1], at_ns))
                else:
                    tell(Rejected(engine, order_id, symbol, "no", at_ns))
            case 9:
                tell(Unanswered(engine, order_id, at_ns + lots, "lost", at_ns))
            case 10 if lots % 4 == 2:
                told = {"symbol": one.symbol, "source": "operator", "reason": "", "at_ns": at_ns}
                tell(Tune(engine="perps", name="notional_usd", value=("", "50")[which % 2], keep=lots == 6, **told))
            case 10:
                tell(
                    (
                        FundingPaid("perps", f"p{which}", "BTC", lots, RATE, at_ns),
                        MoneyMoved("perps", f"d{which}", lots, "deposit", at_ns),
                    )[lots % 2]
                )
            case 11:
                halted = TradingState(("", "perps")[which % 2], Trading.HALTED, "a reason", "operator", at_ns)
                tell(
                    (run_started(number, at_ns), halted, BreakerChanged("perps", Breaker(readings=(lots,)), at_ns))[
                        lots % 3
                    ]
                )
    return records
