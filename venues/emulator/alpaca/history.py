"""Questions of market data: bars in pages, and the latest of everything."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from typing import Any

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca import errors
from venues.emulator.alpaca.bars import DAY_NS, MINUTE_NS, Bars, Sums
from venues.emulator.alpaca.errors import Refused
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.alpaca.frames import Message, row
from venues.emulator.alpaca.requests import CRYPTO, Request
from venues.emulator.alpaca.times import moment
from venues.market import Book, Level

ROWS_DEFAULT, ROWS_MAX = 1_000, 10_000
SNAPSHOT_DAYS = 10  # back to find the day before
RECENT_NS = 15 * 60 * NS_PER_S
"""So old must consolidated data be without a plan that has it."""
TIMEFRAME = re.compile(r"(\d{1,2})?(min|t|hour|h|day|d)", re.ASCII | re.IGNORECASE)
UNITS = {"m": (MINUTE_NS, 59), "t": (MINUTE_NS, 59), "h": (60 * MINUTE_NS, 23), "d": (DAY_NS, 1)}
"""Length of a unit, and the most of them, by its first letter."""


def _bad(message: str) -> Refused:
    """Market data's errors have no code."""
    return Refused(400, None, message)


class MarketData:
    """Answers for anyone whom the plan lets."""

    def __init__(self, exchange: AlpacaExchange) -> None:
        self._exchange = exchange

    def answer(self, request: Request) -> Any:
        """Answer a question. Raises Refused."""
        tape, crypto = self._exchange.tape, request.room == CRYPTO
        latest: dict[str, tuple[str, Callable[[str], Message | None]]] = {
            "quotes": ("quotes", tape.quote),
            "trades": ("trades", tape.trades.get),
            "bars": ("bars", lambda symbol: _last(tape.bars[symbol])),
        }
        if crypto:
            latest["orderbooks"] = ("orderbooks", lambda symbol: _book(tape.books.get(symbol)))
        question = request.question
        if question == "bars":
            return self._bars(request)
        if question == "snapshots":
            self._check_feed(request, self._exchange.now_ns)
            shots = {symbol: self._snapshot(symbol) for symbol in self._symbols(request)}
            return {"snapshots": shots} if crypto else shots
        parts = question.split("/")
        kind = (parts[1] if parts[0] == "latest" else "") if crypto else (parts[0] if parts[-1] == "latest" else "")
        if len(parts) != 2 or kind not in latest:
            raise Refused(404, None, "endpoint not found")
        self._check_feed(request, self._exchange.now_ns)
        name, of = latest[kind]
        found = ((symbol, of(symbol)) for symbol in self._symbols(request))
        return {name: {symbol: _bare(message) for symbol, message in found if message is not None}}

    def _symbols(self, request: Request) -> list[str]:
        """Names that are asked for and known; unknown ones are left out of the answer, as the venue does it."""
        crypto = request.room == CRYPTO
        told = [one.strip() for one in request.query.get("symbols", "").split(",") if one.strip()]
        if not told:
            raise _bad("symbols is required")
        if crypto and (wrong := [one for one in told if not re.fullmatch(r"[A-Z0-9]+/[A-Z]+", one)]):
            raise _bad(f"Invalid symbol(s): {', '.join(wrong)} does not match ^[A-Z]+/[A-Z]+$")
        known = self._exchange.listing.of_class(crypto)
        return sorted({one for one in told if one in known})

    def _check_feed(self, request: Request, end_ns: int) -> None:
        """Consolidated data of the last minutes need a plan. Raises Refused."""
        if request.room == CRYPTO or self._exchange.config.plan.sip:
            return
        feed = request.query.get("feed") or "iex"
        if feed not in ("iex", "sip", "otc", "delayed_sip", "boats", "overnight"):
            raise _bad(f"invalid feed: {feed}")
        if feed == "sip" and end_ns > self._exchange.now_ns - RECENT_NS:
            raise Refused(403, errors.UNPROCESSABLE, errors.RECENT_SIP)

    def _snapshot(self, symbol: str) -> dict[str, Any]:
        """The latest of everything of a name."""
        tape, now_ns = self._exchange.tape, self._exchange.now_ns
        bars = tape.bars[symbol]
        days = bars.days_between(bars.day_start(now_ns) - SNAPSHOT_DAYS * DAY_NS, now_ns)
        parts = {
            "latestTrade": tape.trades.get(symbol),
            "latestQuote": tape.quote(symbol),
            "minuteBar": _last(bars),
            "dailyBar": days[-1].row() if days else None,
            "prevDailyBar": days[-2].row() if len(days) > 1 else None,
        }
        return {name: None if message is None else _bare(message) for name, message in parts.items()}

    def _bars(self, request: Request) -> dict[str, Any]:
        """Bars of several names: by name, then by time, so many rows a page over all of them."""
        query, now_ns = request.query, self._exchange.now_ns
        length_ns = _timeframe(query.get("timeframe", ""))
        start_ns, end_ns = (moment(query.get(name), name) for name in ("start", "end"))
        if end_ns is None:
            end_ns = now_ns
        if start_ns is None:
            start_ns = now_ns // DAY_NS * DAY_NS  # the day so far
        self._check_feed(request, end_ns)
        limit = query.get("limit") or str(ROWS_DEFAULT)
        if not limit.isdecimal() or not 1 <= int(limit) <= ROWS_MAX:
            raise _bad(f"invalid limit: {limit} must be between 1 and {ROWS_MAX}")
        symbols, falling = self._symbols(request), query.get("sort") == "desc"
        after = _untoken(query.get("page_token"))
        page: dict[str, list[dict[str, Any]]] = {}
        left, page_end = int(limit), 0
        for symbol in symbols:
            if after is not None and symbol < after[0]:
                continue
            rows = self._rows(symbol, start_ns, min(end_ns, now_ns), length_ns)
            if falling:
                rows = rows[::-1]
            if after is not None and symbol == after[0]:
                since_ns = after[1]
                rows = [one for one in rows if (one.start_ns < since_ns if falling else one.start_ns > since_ns)]
            if not rows:
                continue
            if not left:
                last = max(page)
                return {"bars": page, "next_page_token": _token(last, page_end)}
            page[symbol] = [row(one.row()) for one in rows[:left]]
            page_end = rows[min(left, len(rows)) - 1].start_ns
            if len(rows) > left:
                return {"bars": page, "next_page_token": _token(symbol, page_end)}
            left -= len(rows)
        return {"bars": page, "next_page_token": None}

    def _rows(self, symbol: str, start_ns: int, end_ns: int, length_ns: int) -> Sequence[Sums]:
        bars = self._exchange.tape.bars[symbol]
        if length_ns >= DAY_NS:
            return bars.days_between(start_ns, end_ns)
        return bars.minutes_between(start_ns, end_ns, length_ns)


def _timeframe(text: str) -> int:
    """The length of a bar. Raises Refused."""
    told = TIMEFRAME.fullmatch(text)
    unit_ns, most = UNITS[told[2][0].lower()] if told else (0, 0)
    count = int(told[1] or 1) if told else 0
    if not 1 <= count <= most:
        raise _bad(f"invalid timeframe: {text}")
    return count * unit_ns


def _token(symbol: str, at_ns: int) -> str:
    return urlsafe_b64encode(f"{symbol}|{at_ns}".encode()).decode()


def _untoken(token: str | None) -> tuple[str, int] | None:
    if not token:
        return None
    try:
        symbol, _, at = urlsafe_b64decode(token).decode().rpartition("|")
        return symbol, int(at)
    except ValueError as error:
        raise _bad("invalid page_token") from error


def _bare(message: Message) -> dict[str, Any]:
    """A message as an answer has it: without its kind and its name."""
    return {name: value for name, value in row(message).items() if name not in ("T", "S")}


def _last(bars: Bars) -> Message | None:
    newest = bars.last()
    return None if newest is None else newest.row()


def _book(book: Book | None) -> Message | None:
    if book is None:
        return None
    return {"t": book.at_ns, "b": _levels(book.bids), "a": _levels(book.asks)}


def _levels(side: Sequence[Level]) -> list[dict[str, float]]:
    return [{"p": level.price, "s": level.size} for level in side]
