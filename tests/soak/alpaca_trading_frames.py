"""Frames of trade_updates and answers of Alpaca's trading REST to be damaged, with what reads them.

A reader does with what it reads what the adapter does: executions become fills of orders and of none, rows are bound to
orders, days a calendar, assets instruments, cash rows amounts; so that what a damaged row leads to is judged, too.
"""

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from msgspec import Raw

from config.sessions import load_sessions
from config.universe import load_universe
from tests.soak.alpaca_frames import WIRE
from venues.alpaca import rules
from venues.alpaca.calendar import VenueCalendar
from venues.alpaca.cash import Bearer, CashRow, part_minor
from venues.alpaca.orders import Orders, Translator, open_order
from venues.alpaca.trading_wire import (
    Account,
    Asset,
    Day,
    MarketClock,
    Order,
    Position,
    Update,
    activity,
    executed,
    execution,
    read,
    read_frame,
    read_refusal,
)
from venues.alpaca.watch import Hours, why_untradable
from venues.chains import Restored
from venues.market import Instrument, OrderRequest, Side, TimeInForce
from venues.venue import VenueMisspoke

NOW_NS = 1_773_000_000_000_000_000
STAMP = "2026-03-12T10:38:50.79613221Z"
SYMBOLS = ("BTC/USD", "COST")
ROW_ID, OUR_ID = "61e69015-8549-4bfd-b9c3-01e75843f47d", "obid-1"
AMOUNT_MAX = 10**40
"""No count of lots, ticks or minor units that is made of an amount below 10^18 comes near it."""

ORDER = {
    "id": ROW_ID, "client_order_id": OUR_ID, "created_at": STAMP, "updated_at": STAMP, "submitted_at": STAMP,
    "filled_at": None, "expired_at": None, "canceled_at": None, "failed_at": None, "replaced_at": None,
    "replaced_by": None, "replaces": None, "asset_class": "crypto", "symbol": "BTC/USD", "qty": "0.25",
    "filled_qty": "0.1", "filled_avg_price": "65614.93", "type": "limit", "side": "buy", "time_in_force": "gtc",
    "limit_price": "65615", "status": "partially_filled", "legs": None,
}  # fmt: skip
SHARE = ORDER | {"client_order_id": "theirs", "id": "row-2", "symbol": "COST", "asset_class": "us_equity", "qty": "3"}
FILL = {
    "id": f"20260312103850796::{ROW_ID}", "activity_type": "FILL", "transaction_time": STAMP, "type": "partial_fill",
    "price": "65614.93", "qty": "0.1", "side": "buy", "symbol": "BTC/USD", "leaves_qty": "0.15", "order_id": ROW_ID,
    "cum_qty": "0.1", "order_status": "partially_filled",
}  # fmt: skip
CASH = {"id": "20260312000000000::a", "activity_type": "CSW", "date": "2026-03-12", "net_amount": "-500.25"}
UPDATE = {"event": "partial_fill", "timestamp": STAMP, "order": ORDER, "price": "65614.93", "qty": "0.1"}
FRAMES: dict[str, Any] = {
    "fill": {"stream": "trade_updates", "data": UPDATE | {"position_qty": "0.1", "execution_id": "e-1"}},
    "share": {"stream": "trade_updates", "data": UPDATE | {"event": "fill", "order": SHARE, "qty": "3"}},
    "replaced": {"stream": "trade_updates", "data": UPDATE | {"event": "replaced", "price": None, "qty": None}},
    "authorization": {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
    "listening": {"stream": "listening", "data": {"streams": ["trade_updates"]}},
}
BEARERS = (
    Bearer("crypto", frozenset({"BTCUSD"}), False, NOW_NS - 10**17),
    Bearer("equities", frozenset({"COST"}), True, NOW_NS - 10**17),
)


class Wrong(Exception):
    """What was read leads to something that must not be."""


def instruments() -> dict[str, Instrument]:
    """A coin and a share on the venue's grid."""
    facts = load_universe("crypto") | load_universe("equities")
    listed = {one: Asset(symbol=one, tradable=True) for one in SYMBOLS}
    return {one: rules.instrument_of(listed[one], facts[one], may_short=True) for one in SYMBOLS}


def translator() -> Translator:
    """An engine with one order of its own."""
    request = OrderRequest(
        id=OUR_ID, intent_id="i", engine="crypto", symbol="BTC/USD", side=Side.BUY, lots=250_000_000,
        ticks=65_615_000_000_000, time_in_force=TimeInForce.GTC,
    )  # fmt: skip
    return Translator("crypto", instruments(), Orders([Restored(request, 0, (), False, True)]), (15.0, 25.0))


def bounded(*numbers: int) -> tuple[int, ...]:
    """Numbers that are none of a fault. Raises Wrong."""
    if any(abs(one) > AMOUNT_MAX for one in numbers):
        raise Wrong(f"a number of {max(len(str(abs(one))) for one in numbers)} digits")
    return numbers


def frame(said: bytes | str) -> Any:
    """A frame of the stream, and what an engine makes of it."""
    heard = read_frame(said)
    return (heard, _update(heard)) if isinstance(heard, Update) else heard


def _update(update: Update) -> Any:
    engine = translator()
    made = [_order(engine, update.order), update.at_ns]
    told = executed(update)
    if told is not None and (found := engine.fill(told)) is not None:
        fill, _, _ = found
        made += [fill, engine.coin_fee(told, fill, None), *bounded(fill.lots, fill.ticks, fill.fee_minor)]
    return made


def _order(engine: Translator, row: Order) -> Any:
    tracked, instrument = engine.orders.bind(row), engine.instrument(row.symbol)
    made = [row.fate, row.at_ns, row.created_ns]
    return made if instrument is None else [*made, open_order(tracked, row, instrument)]


def orders(said: bytes | str) -> Any:
    """Rows of /v2/orders."""
    engine = translator()
    return [_order(engine, row) for row in read(tuple[Order, ...], _bytes(said))]


def fills(said: bytes | str) -> Any:
    """Rows of activities: one that cannot be read hides no other."""
    rows, engine, made = read(tuple[Raw, ...], _bytes(said)), translator(), []
    flaw: VenueMisspoke | None = None
    for row in rows:
        try:
            told = execution(activity(bytes(row)))
        except VenueMisspoke as error:
            flaw = error
            continue
        if (found := engine.fill(told)) is not None:
            made.append((found[0], engine.coin_fee(told, found[0], None)))
            bounded(found[0].lots, found[0].ticks, found[0].fee_minor)
    if flaw is not None:
        raise flaw
    return made


def cash(said: bytes | str) -> Any:
    """Rows of money: the parts of two engines are the whole."""
    made = []
    for row in (read(CashRow, bytes(one)) for one in read(tuple[Raw, ...], _bytes(said))):
        parts = bounded(*(part_minor(row, one.engine, BEARERS) for one in BEARERS))
        if sum(parts) not in (0, row.amount_minor):
            raise Wrong(f"{parts} of {row.amount_minor}")
        made.append((row.at_ns, row.of_coins, parts))
    return made


def positions(said: bytes | str) -> Any:
    """Rows of /v2/positions."""
    known, made = translator(), []
    for row in read(tuple[Position, ...], _bytes(said)):
        instrument = known.instrument(row.symbol)
        if instrument is not None:
            lots = rules.whole_lots(instrument, row.signed)
            made.append(bounded(lots, round(row.avg_entry_price / instrument.tick)))
            made.append((float(row.avg_entry_price / instrument.tick), row.signed - instrument.size(lots)))
    return made


def assets(said: bytes | str) -> Any:
    """Rows of /v2/assets."""
    facts = load_universe("crypto")["BTC/USD"]
    rows = read(tuple[Asset, ...], _bytes(said))
    return rows, [(why_untradable(row), rules.instrument_of(row, facts, may_short=True)) for row in rows]


def days(said: bytes | str) -> Any:
    """The venue's calendar, held against ours."""
    there, ours = VenueCalendar(read(tuple[Day, ...], _bytes(said)), "America/New_York"), load_sessions()
    span = date(2026, 3, 9), date(2026, 3, 13)
    hours = Hours("equities", lambda text: None)
    return list(there.differences(ours, *span)), there.is_open(NOW_NS), hours.moved(there, None, NOW_NS)


def clock(said: bytes | str) -> Any:
    """The venue's clock, held against our calendar."""
    told = read(MarketClock, _bytes(said))
    return told.at_ns, Hours("equities", lambda text: None).moved(VenueCalendar([], "America/New_York"), told, NOW_NS)


def account(said: bytes | str) -> Any:
    """The account."""
    told = read(Account, _bytes(said))
    return told, told.shut, bounded(round(told.cash * 10**6), round(told.equity * 10**6))


def refusal(said: bytes | str) -> Any:
    """A refusal is read whatever it is."""
    told = read_refusal(_bytes(said))
    return told, rules.shuts(told.code, told.message)


ACCOUNT = {
    "id": "a", "status": "ACTIVE", "crypto_status": "ACTIVE", "cash": "10000.5", "equity": "12000", "buying_power": "1",
    "trading_blocked": False, "account_blocked": False, "trade_suspended_by_user": False, "shorting_enabled": True,
}  # fmt: skip
ASSET = {"id": "x", "class": "crypto", "symbol": "BTC/USD", "status": "active", "tradable": True}
ASSET |= {"min_order_size": "0.0001", "min_trade_increment": "0.000000001", "price_increment": "0.001"}
HELD = {"symbol": "BTCUSD", "qty": "0.1", "side": "long", "avg_entry_price": "65614.93", "cost_basis": "6561.49"}
ANSWERS: tuple[tuple[str, Any, Callable[[bytes | str], Any]], ...] = (
    ("orders", [ORDER, SHARE | {"symbol": None}], orders),
    ("fills", [FILL, FILL | {"symbol": "COST", "qty": "3", "cum_qty": "3", "order_id": "row-2"}], fills),
    ("cash", [CASH, CASH | {"activity_type": "FEE", "net_amount": "-0.02", "created_at": STAMP}], cash),
    ("positions", [HELD, HELD | {"symbol": "COST", "qty": "-3", "side": "short"}], positions),
    ("assets", [ASSET, ASSET | {"symbol": "ETH/USD", "price_increment": None}], assets),
    ("calendar", [{"date": f"2026-03-{day:02}", "open": "09:30", "close": "16:00"} for day in range(9, 14)], days),
    ("clock", {"timestamp": STAMP, "is_open": True, "next_close": "2026-03-12T13:00:00-04:00"}, clock),
    ("account", ACCOUNT, account),
    ("refusal", {"code": 40310000, "message": "insufficient balance for BTC"}, refusal),
)


def seeds() -> tuple[tuple[str, bytes, Callable[[bytes | str], Any]], ...]:
    """(name, whole frame or answer, what reads it)."""
    found: list[tuple[str, bytes, Callable[[bytes | str], Any]]] = []
    for name, said in [*FRAMES.items(), *recorded()]:
        found.append((f"alpaca trade_updates {name}", json.dumps(said).encode(), frame))
    found += [(f"alpaca {name}", json.dumps(said).encode(), reader) for name, said, reader in ANSWERS]
    return tuple(found)


def recorded() -> Iterator[tuple[str, Any]]:
    """Documented frames of the stream, none where there are none."""
    file: Path = WIRE / "alpaca_docs" / "alpaca" / "api-references_trading-api_streaming.jsonl"
    for number, line in enumerate(map(json.loads, file.read_text().splitlines() if file.is_file() else ())):
        said = json.loads(line["raw"])
        if isinstance(said, dict) and "stream" in said:
            yield f"{file.name}:{number}", said


def _bytes(said: bytes | str) -> bytes:
    return said.encode("utf-8", "replace") if isinstance(said, str) else said
