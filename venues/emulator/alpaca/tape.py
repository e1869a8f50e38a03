"""The market as the venue knows it: latest books, trades and bars of every name."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol

from venues.aleatoric.model import SymbolModel
from venues.emulator.alpaca.bars import Bars
from venues.emulator.alpaca.figures import Mint
from venues.emulator.alpaca.listing import Asset, Listing
from venues.market import Book, MarketEvent, Side, Trade

ODD_LOT_BELOW = 100  # shares; smaller trades carry the condition "I"
IEX, TAPE = "V", "C"
SIDES = {Side.BUY: "B", Side.SELL: "S"}


class MarketSource(Protocol):
    """What the emulator needs of a market; AleatoricMarket is one."""

    models: dict[str, SymbolModel]
    seed: int
    start_ns: int

    def next_batch(self) -> tuple[int, list[MarketEvent]] | None:
        """The next instant and what happens then."""


Message = dict[str, Any]
"""One message of a stream: numbers are floats, `t` is a time in nanoseconds."""


class Tape:
    """Takes the market in, batch by batch."""

    def __init__(self, market: MarketSource, listing: Listing, bars: Mapping[str, Bars], mint: Mint) -> None:
        self._market, self._listing, self._mint = market, listing, mint
        self._pending = market.next_batch()
        self.bars = bars
        self.books: dict[str, Book] = {}
        self.trades: dict[str, Message] = {}  # the last one of each name
        self._mids = {symbol: Decimal(model.price_initial) for symbol, model in market.models.items()}
        self._counts = dict.fromkeys(market.models, 0)

    def batches(self, until_ns: int) -> Iterator[tuple[int, Sequence[MarketEvent], list[Message]]]:
        """What happens up to a time, an instant after the other, with the messages of its trades."""
        while self._pending is not None and self._pending[0] <= until_ns:
            at_ns, events = self._pending
            kept = [event for event in events if self._listing.trades(event.symbol)]
            yield at_ns, kept, [message for event in kept if (message := self._take(event))]
            self._pending = self._market.next_batch()

    @property
    def next_ns(self) -> int | None:
        """When something happens next."""
        return self._pending[0] if self._pending else None

    def _take(self, event: MarketEvent) -> Message | None:
        """Know one more event; returns the message of a trade."""
        symbol = event.symbol
        if isinstance(event, Book):
            self.books[symbol] = event
            if event.bids and event.asks:
                mid = (event.bids[0].price + event.asks[0].price) / 2
                self._mids[symbol] = Decimal(repr(mid))
                self.bars[symbol].quote(event.received_ns, mid)
            return None
        self.bars[symbol].trade(event.received_ns, event.price, event.size)
        self._counts[symbol] += 1
        message = self._trade(event, self._listing.assets[symbol], self._counts[symbol])
        self.trades[symbol] = message
        return message

    def _trade(self, trade: Trade, asset: Asset, number: int) -> Message:
        head: Message = {"T": "t", "S": asset.symbol}
        if asset.crypto:
            head |= {"p": trade.price, "s": trade.size, "t": trade.at_ns}
            return head | {"i": self._mint.number("trade", asset.symbol, number), "tks": SIDES[trade.side]}
        conditions = ["@", "I"] if trade.size < ODD_LOT_BELOW else ["@"]
        head |= {"i": number, "x": IEX, "p": trade.price, "s": round(trade.size), "t": trade.at_ns}
        return head | {"c": conditions, "z": TAPE}

    # --- questions ------------------------------------------------------------------------------------------------

    def mid(self, symbol: str) -> Decimal:
        """The last middle of the book."""
        return self._mids[symbol]

    def mark_ticks(self, symbol: str) -> int:
        """What positions are valued at, in ticks."""
        return round(self._mids[symbol] / self._listing.assets[symbol].tick)

    def best(self, symbol: str, side: Side) -> Decimal:
        """The best price of a side of the book; the middle where it has none."""
        book = self.books.get(symbol)
        levels = () if book is None else book.bids if side is Side.BUY else book.asks
        return Decimal(repr(levels[0].price)) if levels else self._mids[symbol]

    def quote(self, symbol: str) -> Message | None:
        """The latest best bid and ask; zeros where a side is empty."""
        book = self.books.get(symbol)
        return None if book is None else self.quote_of(book)

    def quote_of(self, book: Book) -> Message:
        """The quote of a book as the stream says it."""
        bid, bid_size = (book.bids[0].price, book.bids[0].size) if book.bids else (0.0, 0.0)
        ask, ask_size = (book.asks[0].price, book.asks[0].size) if book.asks else (0.0, 0.0)
        head: Message = {"T": "q", "S": book.symbol}
        if self._listing.assets[book.symbol].crypto:
            return head | {"bp": bid, "bs": bid_size, "ap": ask, "as": ask_size, "t": book.at_ns}
        return head | {
            "bx": IEX if bid else " ",
            "bp": bid,
            "bs": round(bid_size),
            "ax": IEX if ask else " ",
            "ap": ask,
            "as": round(ask_size),
            "t": book.at_ns,
            "c": ["R"],
            "z": TAPE,
        }
