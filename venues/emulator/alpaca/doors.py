"""Alpaca's core behind the doors that the server opens: trading, market data, and their streams, all on one port."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import structs

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca import data_sockets, errors, requests, trading_socket
from venues.emulator.alpaca.accounts import Account
from venues.emulator.alpaca.data_sockets import DataConversation, Reception
from venues.emulator.alpaca.errors import Refused
from venues.emulator.alpaca.exchange import AlpacaExchange, Happening
from venues.emulator.alpaca.frames import encode
from venues.emulator.alpaca.history import MarketData
from venues.emulator.alpaca.requests import ACTIONS, CRYPTO, TRADING, Meter, Request
from venues.emulator.alpaca.trading import Trading
from venues.emulator.alpaca.trading_socket import TRADE_UPDATES, TradingConversation
from venues.emulator.doors import JSON, Answer, Around, Ask, Delivery, Link, Question, Session
from venues.emulator.faults import SPOILT, Fault

FILLS = ("fill", "partial_fill")


class AlpacaDoors:
    """Doors to one emulated Alpaca."""

    name = "alpaca"
    socket_paths: tuple[str, ...] = (trading_socket.PATH, *data_sockets.PATHS)

    def __init__(self, exchange: AlpacaExchange) -> None:
        self.exchange = exchange
        self.reception = Reception()
        self.trading, self.data = Trading(exchange), MarketData(exchange)
        self.meters: dict[tuple[str, str], Meter] = {}  # (trading or data, key)

    # --- REST -----------------------------------------------------------------------------------------------------

    def understand(self, ask: Ask) -> Question | Answer:
        """What a request asks for, or the answer to what can't be read."""
        try:
            request = requests.read(ask.method, ask.path, ask.query, ask.headers, ask.body)
        except Refused as refused:
            return _refusal(refused)
        if request.room != TRADING:
            return Question("data", request.question, tuple(_names(request)), request, ask.ip)
        door = "exchange" if request.question in ACTIONS else "info"
        return Question(door, request.question, tuple(self._symbols(request)), request, ask.ip)

    def _symbols(self, request: Request) -> list[str]:
        """Names that a request is about, as far as the faults care."""
        told = [request.name, str(request.body.get("symbol", "")), *_names(request)]
        account = self.exchange.accounts.get(request.key)
        if account is not None and (order := account.find(request.name)) is not None:
            told.append(order.asset.symbol)
        found = [self.exchange.listing.find(one) for one in told if one]
        return [asset.symbol for asset in found if asset is not None]

    def answer(self, question: Question, now_ns: int) -> Answer:
        """Let in who has keys, count, and answer."""
        request: Request = question.body
        exchange, trades = self.exchange, request.room == TRADING
        exchange.roll(now_ns)
        config = exchange.config
        most = config.requests_per_minute if trades else config.plan.requests_per_minute
        meter = self.meters.setdefault(("trading" if trades else "data", request.key), Meter())
        allowed = meter.count(question.type, now_ns, most)
        headers = meter.headers(most) if most else {}
        try:
            account = self._admitted(request)
            if not allowed:
                raise too_many(request)
            if account is None or not trades:
                return _answer(200, self.data.answer(request), headers)
            return _answer(*self.trading.answer(account, request), headers)
        except Refused as refused:
            return _refusal(refused, headers)

    def _admitted(self, request: Request) -> Account | None:
        """Whose request it is; market data of coins needs no key. Raises Refused."""
        account = self.exchange.accounts.get(request.key)
        if account is not None and account.config.secret == request.secret:
            return account
        if not request.key and not request.secret:
            if request.room == CRYPTO:
                return None
            raise Refused(401, errors.UNAUTHORIZED, errors.NOT_AUTHORIZED)
        raise Refused(403, None, errors.FORBIDDEN_TEXT)

    def wrong(self, question: Question, text: str) -> Answer:
        """A refusal out of the blue; nothing was done."""
        return _refusal(errors.forbidden(text))

    def too_many(self) -> Answer:
        """429, as trading says it."""
        return _refusal(Refused(429, errors.TOO_MANY, errors.RATE))

    # --- sockets --------------------------------------------------------------------------------------------------

    def admits(self, ip: str, now_ns: int) -> bool:
        """Whether an address has not knocked too often; other limits count by key, which it has yet to tell."""
        return self.reception.admits(ip, now_ns, self.exchange.config.handshakes_per_minute)

    def session(self, link: Link, around: Around, now_ns: int) -> Session:
        """A socket that was let in."""
        if link.path == trading_socket.PATH:
            return TradingConversation(self.exchange, link, now_ns)
        return DataConversation(self.exchange, self.reception, link, now_ns)

    def advance(self, now_ns: int) -> Sequence[Delivery]:
        """Move the market on; frames that tell of fills are marked as such."""
        told: list[Delivery] = []
        for happening in self.exchange.advance(now_ns):
            told += self._deliveries(happening)
        return told

    def _deliveries(self, happening: Happening) -> list[Delivery]:
        if happening.topic is not None and happening.message is not None:
            topic, messages = happening.topic, [happening.message]
            keys = {packed: topic.key(packed) for packed in (True, False)}
            heard = [packed for packed, key in keys.items() if self.reception.listeners[key] > 0]
            return [Delivery(keys[packed], encode(messages, packed)) for packed in heard]
        account, news = happening.account, happening.news
        assert account is not None and news is not None
        frame = msgspec.json.encode(account.told(news, self.exchange.telling))
        fills = news.event in FILLS
        symbols = (news.order.asset.symbol,) if fills else ()
        key = trading_socket.key_of(account.config.key_id)
        return [Delivery(key, frame, TRADE_UPDATES if fills else "", symbols)]

    # --- what befalls it ------------------------------------------------------------------------------------------

    def befall(self, fault: Fault, now_ns: int) -> None:
        """Let a fault of the exchange itself happen."""
        exchange, until_ns = self.exchange, now_ns + round(fault.for_s * NS_PER_S)
        telling = exchange.telling
        if fault.kind == "delist":
            exchange.delist(fault.symbols[0])
        elif fault.kind == "partial_fills":
            exchange.scarce = fault.share, until_ns
        elif fault.kind == "conn_limit":
            self.reception.full_until_ns = until_ns
        elif fault.kind == "replace_race":
            exchange.race_ns = until_ns
        elif fault.kind == "orders_lost":
            exchange.lose_orders()
        elif fault.kind in SPOILT:
            exchange.spoil(fault.kind, until_ns)
        elif fault.kind in WAYS:
            name = WAYS[fault.kind]
            usual = exchange.config.paper if name == "binary" else False
            setattr(telling, name, not usual)
            exchange.later(until_ns, lambda _: setattr(telling, name, usual))

    def symbols(self) -> Sequence[str]:
        """What is listed now."""
        listing = self.exchange.listing
        return [name for name in listing.assets if listing.trades(name)]

    # --- for tests and operators ------------------------------------------------------------------------------------

    def truth(self, now_ns: int) -> Any:
        """Every account's positions, open orders and fills, as it would be told them."""
        self.exchange.roll(now_ns)
        return {key: self._of_account(account) for key, account in self.exchange.accounts.items()}

    def _of_account(self, account: Account) -> Any:
        usual = type(self.exchange.telling)()
        return {
            "account": self.trading.account(account),
            "positions": {row["symbol"]: row["qty"] for row in self.trading.positions(account)},
            "open_orders": [order.row(usual) for order in account.open.values()],
            "orders": [order.row(usual) for order in account.orders.values()],
            "fills": [row for _, row in account.activities if row["activity_type"] == "FILL"],
            "activities": [row for _, row in account.activities],
        }

    def statistics(self, now_ns: int) -> Any:
        """Use of the venue's limits."""
        return {
            "requests": {f"{kind}/{key}": structs.asdict(meter) for (kind, key), meter in self.meters.items()},
            "connections": {f"{path} {key}": count for (path, key), count in self.reception.connections.items()},
            "connections_highest": dict(self.reception.highest),
            "stream_errors": {str(code): count for code, count in self.reception.refused.items()},
            "plan": structs.asdict(self.exchange.config.plan),
        }


WAYS = {"binary_frames": "binary", "mixed_times": "mixed", "unknown_status": "unknown"}
"""Faults that change how orders are told for a while."""


def too_many(request: Request) -> Refused:
    """429 in the words of trading or of market data."""
    if request.room == TRADING:
        return Refused(429, errors.TOO_MANY, errors.RATE)
    return Refused(429, None, errors.RATE_DATA)


def _names(request: Request) -> list[str]:
    return [one for one in request.query.get("symbols", "").split(",") if one]


def _answer(status: int, said: Any, headers: dict[str, str]) -> Answer:
    body = b"" if said is None else msgspec.json.encode(said)
    return Answer(body, status, JSON, tuple(headers.items()))


def _refusal(refused: Refused, headers: dict[str, str] | None = None) -> Answer:
    return Answer(refused.body(), refused.status, JSON, tuple((headers or {}).items()))
