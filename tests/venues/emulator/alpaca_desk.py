"""The emulated Alpaca by plain calls: a market whose books the test sets, keys, and a clock that it moves."""

from collections import defaultdict
from datetime import datetime
from decimal import Decimal

import msgspec

from config.sessions import load_sessions
from config.universe import load_universe
from daemon.markets import model_of
from venues.emulator.alpaca.config import BASIC, AccountConfig, ExchangeConfig
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.doors import Answer, Around, Ask, HangUp
from venues.market import Book, Level, Side, Trade

S = 1_000_000_000
MIDS = {"BTC/USD": (66_000.0, 1.0), "ETH/USD": (2_000.0, 0.1), "CRM": (190.0, 0.01), "PLTR": (135.0, 0.01)}
LEVELS = 5
RTH = "2026-01-05T15:00:00+00:00"  # a Monday, 10:00 in New York
KEY, POOR, CASH, TRADER = "PKMAIN", "PKPOOR", "PKCASH", "PKDAYS"
ACCOUNTS = (
    AccountConfig(key_id=KEY, secret="s", usd=Decimal(100_000)),
    AccountConfig(key_id=POOR, secret="s", usd=Decimal(100)),
    AccountConfig(key_id=CASH, secret="s", usd=Decimal(10_000), multiplier=1, shorting=False),
    AccountConfig(key_id=TRADER, secret="s", usd=Decimal(10_000), pdt=True),
)


def ns(text):
    """A time in nanoseconds."""
    return round(datetime.fromisoformat(text).timestamp()) * S


class Script:
    """A market that shows each half second what it is told to show."""

    def __init__(self, start_ns, is_open):
        known = load_universe("crypto") | load_universe("equities")
        self.models = {name: model_of(known[name]) for name in MIDS}
        self.seed, self.start_ns, self.at_ns, self.is_open = 7, start_ns, start_ns, is_open
        self.mids = {name: mid for name, (mid, _) in MIDS.items()}
        self.size = 10.0
        self.trades = []  # (name, price, size, side), each once

    def next_batch(self):
        self.at_ns += S // 2
        events, now = [], self.at_ns
        live = [name for name in MIDS if "/" in name or self.is_open(now)]
        for name, price, size, side in self.trades:
            if name in live:
                events.append(Trade(name, now - 1, now, price, size, side))
        self.trades = []
        events += [self.book(name, now) for name in live]
        return now, events

    def book(self, name, now):
        mid, tick = self.mids[name], MIDS[name][1]
        sides = [
            tuple(Level(round(mid + sign * tick * (1 + rank), 4), self.size) for rank in range(LEVELS))
            for sign in (-1, 1)
        ]
        return Book(name, now - 3_000_000, now, *sides)


class Ear:
    """A socket: what it is told, and how it ends."""

    ip, content_type = "127.0.0.1", ""

    def __init__(self, desk, path, packed=False):
        self.path, self.binary, self.keys, self.frames, self.closed = path, False, set(), [], None
        self.content_type = "application/msgpack" if packed else ""
        self.desk, self.packed = desk, packed
        self.session = desk.doors.session(self, Around(None, None), desk.now_ns)
        desk.ears.append(self)
        self.take(self.session.greet())

    def hold(self, key):
        self.keys.add(key)

    def release(self, key):
        self.keys.discard(key)

    def decode(self, frame):
        return (msgspec.msgpack if self.packed and self.binary else msgspec.json).decode(frame)

    def take(self, replies):
        try:
            self.frames += [self.decode(reply.frame) for reply in replies]
        except HangUp as gone:
            self.end(gone)

    def end(self, gone):
        if gone.last:
            self.frames.append(self.decode(gone.last))
        self.closed = gone.code
        self.session.end()
        self.desk.ears.remove(self)

    def say(self, **message):
        """Say something; returns what was answered at once."""
        before = len(self.frames)
        text = msgspec.msgpack.encode(message) if self.packed else msgspec.json.encode(message).decode()
        self.take(self.session.hear(text, self.desk.now_ns))
        return self.frames[before:]

    def login(self, key=KEY):
        """Get in."""
        return self.say(action="auth", key=key, secret="s")

    def heard(self, kind):
        """Messages of market data of a kind."""
        return [one for frame in self.frames for one in frame if isinstance(frame, list) and one["T"] == kind]


class Desk:
    """An exchange, its time, and everybody who listens."""

    def __init__(self, start=RTH, **config):
        sessions = load_sessions()
        self.start_ns = ns(start)
        self.market = Script(self.start_ns, lambda at_ns: True)
        config = {"seed": 7, "not_shortable": ("PLTR",), "not_fractionable": ("PLTR",)} | config
        self.exchange = AlpacaExchange(self.market, ACCOUNTS, ExchangeConfig(**config), sessions)
        self.market.is_open = self.exchange.hours.is_open
        self.doors = AlpacaDoors(self.exchange)
        self.now_ns = self.start_ns
        self.ears, self.told = [], defaultdict(list)
        self.advance(1)

    def advance(self, seconds):
        """Let time pass, in steps as the server takes them."""
        end_ns = self.now_ns + round(seconds * S)
        while self.now_ns < end_ns:
            self.now_ns = min(end_ns, self.now_ns + S // 10)
            self.tell()

    def leap(self, text):
        """Go on to a time in one step; the market shows nothing on the way but at its end."""
        self.now_ns = ns(text)
        self.market.at_ns = max(self.market.at_ns, self.now_ns - 2 * S)
        self.tell()

    def tell(self):
        for delivery in self.doors.advance(self.now_ns):
            self.told[delivery.key].append(delivery.frame)
            for ear in self.ears:
                if delivery.key in ear.keys:
                    ear.frames.append(ear.decode(delivery.frame))
        for ear in list(self.ears):
            try:
                ear.session.tick(self.now_ns)
            except HangUp as gone:
                ear.end(gone)

    def ask(self, method, path, body=None, key=KEY, secret="s", **query):
        """A request; returns (status, JSON or None)."""
        answer = self.answer(method, path, body, key, secret, **query)
        return answer.status, msgspec.json.decode(answer.body) if answer.body else None

    def answer(self, method, path, body=None, key=KEY, secret="s", **query):
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret} if key else {}
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else b""
        told = {name: str(value) for name, value in query.items()}
        asked = self.doors.understand(Ask(method, path, told, headers, raw, "127.0.0.1"))
        answer = asked if isinstance(asked, Answer) else self.doors.answer(asked, self.now_ns)
        self.tell()
        return answer

    def get(self, path, key=KEY, **query):
        """What a question is answered, which must go well."""
        status, said = self.ask("GET", path, key=key, **query)
        assert status == 200, (status, said)
        return said

    def order(self, symbol="BTC/USD", side="buy", qty="0.01", price=None, key=KEY, **more):
        """Place an order, which must be taken."""
        status, said = self.tries(symbol, side, qty, price, key, **more)
        assert status == 200, (status, said)
        return said

    def tries(self, symbol="BTC/USD", side="buy", qty="0.01", price=None, key=KEY, **more):
        """Try to place an order; returns (status, JSON)."""
        crypto = "/" in symbol
        body = {"symbol": symbol, "side": side, "time_in_force": "gtc" if crypto else "day"}
        body |= {"type": "market" if price is None else "limit"}
        body |= {} if qty is None else {"qty": qty}
        body |= {} if price is None else {"limit_price": str(price)}
        return self.ask("POST", "/v2/orders", body | more, key=key)

    def state(self, order, key=KEY):
        """An order as it is now."""
        return self.get(f"/v2/orders/{order['id']}", key=key)

    def events(self, key=KEY):
        """(event, status) of everything that an account's stream was told."""
        told = [msgspec.json.decode(frame)["data"] for frame in self.told[f"trade_updates/{key}"]]
        return [(one["event"], one["order"]["id"], one) for one in told]

    def events_of(self, order, key=KEY):
        """Events of one order."""
        return [event for event, id_, _ in self.events(key) if id_ == order["id"]]


__all__ = ["BASIC", "KEY", "POOR", "RTH", "Desk", "Ear", "Side", "ns"]
