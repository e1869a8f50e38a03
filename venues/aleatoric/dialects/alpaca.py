"""Alpaca's market data streams as they speak of one coin (v1beta3 crypto) or one share (v2 stocks).

Shapes and key order are those of recorded and documented frames (docs.alpaca.markets, copies of 2024 to 2026): arrays
of messages, JSON numbers as Go prints them, RFC 3339 times whose trailing zeros are cut. A crypto order book is said
whole once and then in changes; what leaves the levels that a block has is said to be gone.

`as_msgpack` turns a frame into what a connection that asked for msgpack gets.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

import numpy as np
from msgspec import Struct, field, json, msgpack
from msgspec.msgpack import Ext

from supervisor.clock import NS_PER_S
from venues.aleatoric.dialects.dialect import Candle, Frame, Mark, arrivals, best, changed, shown_lots, spoken
from venues.aleatoric.dialects.pieces import Pieces, bare
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints, Stream
from venues.alpaca.market_wire import DAY_NS, MINUTE_NS, TIMESTAMP, nanoseconds

GO_EXPONENT_BELOW = Decimal("1e-6")
"""Go's encoding/json writes smaller numbers with an exponent, as ECMAScript does: 5e-7."""

VWAP_DECIMALS = 10  # as recorded crypto bars have them
ODD_LOT_BELOW = 100  # shares; smaller trades carry the condition "I"
IEX = "V"
TAPES = ("A", "B", "C")  # listed at NYSE; at another exchange; at Nasdaq
_ID_SHIFT = np.uint64(1)  # trade ids have 63 bits

_PRICES = {"p", "bp", "ap", "o", "h", "l", "vw"}
_AMOUNTS = {"s", "bs", "as", "v"}
_SECONDS_BITS = 34  # of a msgpack timestamp of eight bytes, below thirty bits of nanoseconds


class AlpacaState(Struct):
    """What the venue said last."""

    touch: list[int] = field(default_factory=list)  # ticks of bid and ask, lots of bid and ask
    whole: bool = False  # whether a whole book was said; False: the next one is
    bids: dict[int, int] = field(default_factory=dict)  # lots by ticks
    asks: dict[int, int] = field(default_factory=dict)
    trades: int = 0  # how many were said: a share's trades are numbered


class _Speaker:
    """What coins and shares have in common."""

    def __init__(self, model: SymbolModel, state: AlpacaState | None) -> None:
        self.model = model
        self.state = state if state is not None else AlpacaState()
        self._prices = Pieces(lambda ticks: number(ticks * model.tick).encode())
        self._sizes = Pieces(lambda lots: number(lots * model.lot).encode())

    def touch(self, block: Block) -> list[Frame]:
        """Quotes: the best bid and ask, whenever one of them changes; zeros where a side is empty."""
        steps, at_ns, stamps = self._rows(block)
        if not len(steps):
            return []
        ticks, lots = best(block.ticks[:, steps], shown_lots(block)[:, steps])
        said = np.concatenate([np.where(lots > 0, ticks, 0), lots])
        rows = changed(said, self.state.touch).tolist()
        self.state.touch = said[:, -1].tolist()
        numbers = said.T.tolist()
        return [(at_ns[row], b"[%b]" % self._quote(numbers[row], stamps[row])) for row in rows]

    def trades(self, block: Block) -> list[Frame]:
        """All trades of a step in one frame, stamped with their own times."""
        if not len(block.trade_step):
            return []
        steps, first = np.unique(block.trade_step, return_index=True)
        at_ns = arrivals(block, self.model.cadence_ns, steps).tolist()
        messages = self._trades(block)
        ends = [*first[1:].tolist(), len(messages)]
        rows = zip(at_ns, first.tolist(), ends, strict=True)
        return [(at, b"[%b]" % b",".join(messages[start:end])) for at, start, end in rows]

    def candle(self, candle: Candle) -> bytes:
        """A bar of a minute or of a day."""
        bar = candle.bar
        if (kind := {MINUTE_NS: "b", DAY_NS: "d"}.get(bar.interval_ns)) is None:
            raise ValueError(f"interval_ns of a candle is {bar.interval_ns}; Alpaca streams bars of a minute or a day")
        o, h, low, c = (number(Decimal(repr(price))) for price in (bar.open, bar.high, bar.low, bar.close))
        volume = number(Decimal(repr(candle.volume)))
        # Where nobody traded, the bar is of quotes and there is nothing to weigh.
        vwap = candle.notional_usd / candle.volume if candle.volume else bar.close
        return (
            f'[{{"T":"{kind}","S":"{bar.symbol}","o":{o},"h":{h},"l":{low},"c":{c},"v":{volume},'
            f'"t":"{rfc3339(bar.start_ns)}","n":{candle.trades},"vw":{number(Decimal(f"{vwap:.{VWAP_DECIMALS}f}"))}}}]'
        ).encode()

    def mark(self, mark: Mark) -> bytes:
        """Alpaca trades no perpetuals: raises TypeError."""
        raise TypeError(f"Alpaca has no mark price, so none of {mark.symbol}")

    def _rows(self, block: Block) -> tuple[Ints, list[int], list[bytes]]:
        """The steps that are shown, when they arrive, and the venue's stamps."""
        steps = spoken(block)
        at_ns = arrivals(block, self.model.cadence_ns, steps)
        return steps, at_ns.tolist(), [rfc3339(ns).encode() for ns in (at_ns - block.age_ns[steps]).tolist()]

    def _quote(self, numbers: list[int], stamp: bytes) -> bytes:
        """A quote of (bid ticks, ask ticks, bid lots, ask lots)."""
        raise NotImplementedError

    def _trades(self, block: Block) -> list[bytes]:
        """One message for each trade of a block."""
        raise NotImplementedError


class AlpacaCryptoSpeaker(_Speaker):
    """One coin of the stream v1beta3/crypto/us, as a Speaker."""

    def __init__(self, model: SymbolModel, seed: int, state: AlpacaState | None = None) -> None:
        super().__init__(model, state)
        self._symbol = model.symbol.encode()
        self._stream = Stream(seed, f"alpaca:{model.symbol}")

    def books(self, block: Block) -> list[Frame]:
        """Order books: the whole book once, then what changed; nothing for a step in which nothing did."""
        steps, at_ns, stamps = self._rows(block)
        ticks, lots = (part[:, steps].swapaxes(0, 1).tolist() for part in (block.ticks, shown_lots(block)))
        frames = []
        for at, stamp, prices, sizes in zip(at_ns, stamps, ticks, lots, strict=True):
            bids, asks = (_levels(*side) for side in zip(prices, sizes, strict=True))
            if message := self._book(bids, asks, stamp):
                frames.append((at, message))
        return frames

    def _book(self, bids: dict[int, int], asks: dict[int, int], stamp: bytes) -> bytes:
        """The frame that makes the book of the one that was said last; empty where they are the same."""
        state, whole = self.state, not self.state.whole
        said = [bids, asks] if whole else [_changes(state.bids, bids), _changes(state.asks, asks)]
        state.whole, state.bids, state.asks = True, bids, asks
        if not whole and not any(said):
            return b""
        bid, ask = (
            b",".join(b'{"p":%b,"s":%b}' % (self._prices[ticks], self._sizes[lots]) for ticks, lots in side.items())
            for side in said
        )
        end = b',"r":true}]' if whole else b"}]"
        return b'[{"T":"o","S":"%b","t":"%b","b":[%b],"a":[%b]%b' % (self._symbol, stamp, bid, ask, end)

    def _quote(self, numbers: list[int], stamp: bytes) -> bytes:
        bid, ask, bid_lots, ask_lots = numbers
        parts = (self._prices[bid], self._sizes[bid_lots], self._prices[ask], self._sizes[ask_lots])
        return b'{"T":"q","S":"%b","bp":%b,"bs":%b,"ap":%b,"as":%b,"t":"%b"}' % (self._symbol, *parts, stamp)

    def _trades(self, block: Block) -> list[bytes]:
        ids = (self._stream.words(block.index, 0, len(block.trade_ns)) >> _ID_SHIFT).tolist()
        stamps = (block.start_ns + block.trade_ns).tolist()
        rows = zip(block.trade_ticks.tolist(), block.trade_lots.tolist(), block.trade_sign.tolist(), strict=True)
        return [
            b'{"T":"t","S":"%b","p":%b,"s":%b,"t":"%b","i":%d,"tks":"%b"}'
            % (
                self._symbol,
                self._prices[ticks],
                number(lots * self.model.lot).encode(),
                rfc3339(stamp).encode(),
                id,
                b"B" if sign > 0 else b"S",
            )
            for (ticks, lots, sign), stamp, id in zip(rows, stamps, ids, strict=True)
        ]


class AlpacaStockSpeaker(_Speaker):
    """One share of the stream v2/iex, as a Speaker. Sizes are printed in shares."""

    def __init__(
        self, model: SymbolModel, state: AlpacaState | None = None, exchange: str = IEX, tape: str = "C"
    ) -> None:
        super().__init__(model, state)
        if tape not in TAPES:
            raise ValueError(f"tape is {tape!r}; the tapes are {', '.join(TAPES)}")
        if model.lot % 1:
            raise ValueError(f"lot of {model.symbol} is {model.lot}; the stream prints whole shares")
        self._exchange, self._tape = exchange, tape

    def books(self, block: Block) -> list[Frame]:
        """Nothing: shares have no order book here, their quotes are all that is seen of it."""
        return []

    def _quote(self, numbers: list[int], stamp: bytes) -> bytes:
        bid, ask, bid_lots, ask_lots = numbers
        bid_exchange, ask_exchange = (self._exchange if lots else " " for lots in (bid_lots, ask_lots))
        return (
            f'{{"T":"q","S":"{self.model.symbol}","bx":"{bid_exchange}","bp":{self._prices[bid].decode()},'
            f'"bs":{self._sizes[bid_lots].decode()},"ax":"{ask_exchange}","ap":{self._prices[ask].decode()},'
            f'"as":{self._sizes[ask_lots].decode()},"t":"{stamp.decode()}","c":["R"],"z":"{self._tape}"}}'
        ).encode()

    def _trades(self, block: Block) -> list[bytes]:
        stamps = (block.start_ns + block.trade_ns).tolist()
        messages = []
        for ticks, lots, stamp in zip(block.trade_ticks.tolist(), block.trade_lots.tolist(), stamps, strict=True):
            self.state.trades += 1
            shares = lots * self.model.lot
            conditions = '"@","I"' if shares < ODD_LOT_BELOW else '"@"'
            messages.append(
                f'{{"T":"t","i":{self.state.trades},"S":"{self.model.symbol}","x":"{self._exchange}",'
                f'"p":{self._prices[ticks].decode()},"s":{number(shares)},"t":"{rfc3339(stamp)}",'
                f'"c":[{conditions}],"z":"{self._tape}"}}'.encode()
            )
        return messages


def number(value: Decimal) -> str:
    """A JSON number as Go prints it: no zeros behind, no point where it is whole, an exponent where it is tiny."""
    if value and abs(value) < GO_EXPONENT_BELOW:
        sign, digits, _ = value.normalize().as_tuple()
        first, rest = str(digits[0]), "".join(map(str, digits[1:]))
        return f"{'-' if sign else ''}{first}{'.' + rest if rest else ''}e{value.adjusted()}"
    return bare(value)


def rfc3339(ns: int) -> str:
    """A time with as many decimals as it needs, as Go's RFC3339Nano: 2024-03-12T10:38:50.79613221Z."""
    second, rest = divmod(ns, NS_PER_S)
    return f"{_second(second)}.{rest:09d}".rstrip("0").rstrip(".") + "Z"


@lru_cache(maxsize=1024)
def _second(second: int) -> str:
    """Many messages come from the same second."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _levels(ticks: list[int], lots: list[int]) -> dict[int, int]:
    """Lots by price, without the levels that are not there."""
    return {price: size for price, size in zip(ticks, lots, strict=True) if size}


def _changes(before: dict[int, int], now: dict[int, int]) -> dict[int, int]:
    """What makes the one book of the other: new sizes, best price first, then zeros for what is gone."""
    result = {price: size for price, size in now.items() if before.get(price) != size}
    result |= dict.fromkeys((price for price in before if price not in now), 0)
    return result


def as_msgpack(frame: bytes) -> bytes:
    """The same frame in msgpack: floats where the venue has floats, times as timestamp extensions."""
    messages = json.decode(frame)
    for message in messages:
        shares = "z" in message or "/" not in message["S"]
        for key in message.keys() & (_PRICES if shares else _PRICES | _AMOUNTS):
            message[key] = float(message[key])
        if message["T"] in ("b", "d"):
            message["c"] = float(message["c"])
        for level in (*message.get("b", ()), *message.get("a", ())):
            level["p"], level["s"] = float(level["p"]), float(level["s"])
        second, ns = divmod(nanoseconds(message["t"]), NS_PER_S)
        data = (ns << _SECONDS_BITS | second).to_bytes(8) if ns else second.to_bytes(4)
        message["t"] = Ext(TIMESTAMP, data)
    return msgpack.encode(messages)
