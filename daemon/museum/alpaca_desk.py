"""An emulated Alpaca by plain calls, for exhibits: books that stand still, keys that everybody has, time by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from config.sessions import load_sessions
from config.universe import SymbolFacts, load_universe
from daemon.markets import model_of
from daemon.museum.bench import S
from venues.aleatoric.model import SymbolModel
from venues.emulator.alpaca.config import AccountConfig, ExchangeConfig
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.doors import Answer, Ask
from venues.market import Book, Level, MarketEvent, Side, Trade

STEP_NS = S // 2
LEVELS = 20
COIN, SHARE, NO_SHORT = "BTC/USD", "CRM", "PLTR"
MIDS = {COIN: (66_000.0, 1.0), "ETH/USD": (2_000.0, 0.1), SHARE: (190.0, 0.01), NO_SHORT: (135.0, 0.01)}
"""Name -> mid and distance of the levels, in dollars. PLTR is lent to nobody here."""
RTH = "2026-01-05T15:00:00+00:00"
"""A Monday, 10:00 in New York."""
KEY, SECRET = "PKMUSEUM", "everybody-knows-it"
UPDATES = f"trade_updates/{KEY}"
Rows = Any


def at_ns(text: str) -> int:
    """A time."""
    return round(datetime.fromisoformat(text).timestamp()) * S


def facts_of(*names: str) -> tuple[SymbolFacts, ...]:
    """What the packaged universe says of these."""
    known = load_universe("crypto") | load_universe("equities")
    return tuple(known[name] for name in names)


class Still:
    """A market whose books stand still, two each second; shares have none while their session is shut."""

    def __init__(self, start_ns: int, names: Sequence[str]):
        self.models: dict[str, SymbolModel] = {one.symbol: model_of(one) for one in facts_of(*names)}
        self.seed, self.start_ns, self.size, self._at_ns = 7, start_ns, 10.0, start_ns
        self.mids = {name: MIDS.get(name, (100.0, 0.01)) for name in names}
        self.trades: list[tuple[str, float, float, Side]] = []  # name, price, size, who took; each once
        self.is_open: Callable[[int], bool] = lambda now_ns: True

    def next_batch(self) -> tuple[int, list[MarketEvent]]:
        """The next books."""
        self._at_ns += STEP_NS
        now_ns = self._at_ns
        live = [name for name in self.models if "/" in name or self.is_open(now_ns)]
        made = [Trade(name, now_ns - 1, now_ns, *how) for name, *how in self.trades if name in live]  # type: ignore[arg-type]
        self.trades.clear()
        return now_ns, [*made, *(self._book(name) for name in live)]

    def _book(self, name: str) -> Book:
        mid, tick = self.mids[name]
        bids, asks = (
            tuple(Level(round(mid + sign * tick * (rank + 1), 6), self.size) for rank in range(LEVELS))
            for sign in (-1, 1)
        )
        return Book(name, self._at_ns - 1, self._at_ns, bids, asks)


class AlpacaDesk:
    """The exchange, and one account there."""

    def __init__(self, names: Sequence[str] = tuple(MIDS), start: str = RTH, **account: Any) -> None:
        told: dict[str, Any] = {"key_id": KEY, "secret": SECRET, "usd": Decimal(100_000)} | account
        self.now_ns = at_ns(start)
        self.market = Still(self.now_ns, names)
        config = ExchangeConfig(seed=7, not_shortable=(NO_SHORT,), not_fractionable=())
        self.exchange = AlpacaExchange(self.market, (AccountConfig(**told),), config, load_sessions())
        self.market.is_open = self.exchange.hours.is_open
        self.doors = AlpacaDoors(self.exchange)
        self.updates: list[bytes] = []  # all that the trading stream has told
        self.posts: list[tuple[str, str, Any]] = []  # what was sent and is no question: method, path, body
        self.wait(1)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.until(self.now_ns + round(seconds * S))

    def until(self, now_ns: int) -> None:
        """Let time pass to a moment."""
        self.now_ns = max(self.now_ns, now_ns)
        self.updates += [one.frame for one in self.doors.advance(self.now_ns) if one.key == UPDATES]

    def answer(self, method: str, path: str, body: bytes = b"", query: Mapping[str, str] | None = None) -> Answer:
        """What a request is answered, as bytes."""
        if method != "GET":
            self.posts.append((method, path, msgspec.json.decode(body) if body else None))
        headers = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
        asked = self.doors.understand(Ask(method, path, dict(query or {}), headers, body, "127.0.0.1"))
        answer = asked if isinstance(asked, Answer) else self.doors.answer(asked, self.now_ns)
        self.until(self.now_ns)
        return answer

    def ask(self, method: str, path: str, body: Any = None, **query: str) -> tuple[int, Rows]:
        """What a request is answered: HTTP status and JSON."""
        answer = self.answer(method, path, b"" if body is None else msgspec.json.encode(body), query)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    def order(self, symbol: str, side: str, qty: str, price: str | None = None, **more: str) -> tuple[int, Rows]:
        """Place an order by hand, and let it reach the market."""
        body = {"symbol": symbol, "side": side, "qty": qty, "time_in_force": "gtc" if "/" in symbol else "day"}
        body |= {"type": "market"} if price is None else {"type": "limit", "limit_price": price}
        answer = self.ask("POST", "/v2/orders", body | more)
        self.wait(1)
        return answer

    def others(self, name: str, price: float, size: float, side: Side) -> None:
        """Somebody else takes from the book, which may fill what rests there."""
        self.market.trades.append((name, price, size, side))
        self.wait(1)

    def positions(self) -> dict[str, Decimal]:
        """What is held there."""
        return {row["symbol"]: Decimal(row["qty"]) for row in self.ask("GET", "/v2/positions")[1]}
