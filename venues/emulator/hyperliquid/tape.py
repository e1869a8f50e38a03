"""The market as the venue knows it: latest books, last trades, candles, mark, oracle, and the last 24 hours.

Books and trades are put on the venue's own grid of prices first (five significant figures), for frames and matching
alike; a model's tick is right only for the decade its price starts in.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from supervisor.clock import NS_PER_MS
from venues.aleatoric.dialects.figures import Grid, price_text
from venues.aleatoric.dialects.pieces import pointed
from venues.aleatoric.funding.payments import FundingRate, predicted
from venues.aleatoric.funding.premium import path_of
from venues.aleatoric.marks import IMPACT_USD, OPEN_INTEREST_TOUCHES
from venues.aleatoric.model import SymbolModel
from venues.emulator.hyperliquid.candles import Candles
from venues.emulator.hyperliquid.listing import Asset, Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.market import Book, Level, MarketEvent, Side, Trade

REPLAYED = 30  # trades that each new subscriber hears again (testnet, 2026-07)
TRADES_KEPT = 500  # more than any instant has
HOUR_NS = 3_600_000_000_000
HOURS = 24
FUNDING_EVERY_NS = 5_000_000_000  # the premium is sampled each 5 s, so a prediction changes no faster
MID_DECIMALS = 10
WALLETS = 192  # strangers that trade with each other


class MarketSource(Protocol):
    """What the emulator needs of a market; AleatoricMarket is one."""

    models: dict[str, SymbolModel]
    seed: int
    start_ns: int

    def next_batch(self) -> tuple[int, list[MarketEvent]] | None:
        """The next instant and what happens then."""

    def funding(self, at_ns: int) -> tuple[FundingRate, ...]:
        """What is paid at the last full hour at or before a time."""


class _Hour(Struct):
    """Volume of one hour, in lots and in ticks times lots, and the price it opened at."""

    number: int
    open: int
    lots: int = 0
    notional: int = 0


class _Name:
    """All that is known of one name."""

    def __init__(self, model: SymbolModel, asset: Asset, seed: int, start_ns: int) -> None:
        self.model, self.asset = model, asset
        self.grid = Grid(model.tick)
        self.book: Book | None = None
        self.last = round(model.price_initial / asset.tick)
        self.trades: deque[dict[str, Any]] = deque(maxlen=TRADES_KEPT)
        self.traded = 0
        self.hours: deque[_Hour] = deque([_Hour(start_ns // HOUR_NS, self.last)], maxlen=HOURS + 1)
        self.candles = Candles(model, seed, start_ns, asset.tick, asset.lot)
        self.premium = path_of(seed, model.symbol, model.premium_std_bps, model.premium_tau_h)
        self.mid = Decimal(model.price_initial)

    def turn(self, at_ns: int) -> None:
        """Begin the hours up to a time."""
        for number in range(self.hours[-1].number + 1, at_ns // HOUR_NS + 1):
            self.hours.append(_Hour(number, self.last))


class Tape:
    """Takes the market in, batch by batch."""

    def __init__(self, market: MarketSource, listing: Listing, mint: Mint) -> None:
        self._market, self._listing, self._mint = market, listing, mint
        self._pending = market.next_batch()
        self._names = {
            name: _Name(model, listing.assets[name], market.seed, market.start_ns)
            for name, model in market.models.items()
        }
        self._wallets = [mint.address("wallet", number) for number in range(WALLETS)]
        self._predicted = lru_cache(maxsize=len(self._names) + 1)(self._predict)

    def batches(self, until_ns: int) -> Iterator[tuple[int, Sequence[MarketEvent]]]:
        """What happens up to a time, an instant after the other; each is known before it is given out."""
        while self._pending is not None and self._pending[0] <= until_ns:
            at_ns, events = self._pending
            yield at_ns, [self._take(event, at_ns) for event in events if self._listing.trades(event.symbol)]
            self._pending = self._market.next_batch()

    def funding(self, hour_ns: int) -> tuple[FundingRate, ...]:
        """What is paid at a full hour by names that still trade."""
        return tuple(rate for rate in self._market.funding(hour_ns) if self._listing.trades(rate.symbol))

    def _take(self, event: MarketEvent, at_ns: int) -> MarketEvent:
        """Know one more event; returns it with prices of the venue's grid."""
        name = self._names[event.symbol]
        if isinstance(event, Book):
            name.book = book = _on_grid(event, name)
            if book.bids and book.asks:
                name.mid = (_exact(book.bids[0].price) + _exact(book.asks[0].price)) / 2
            return book
        steps = round(_exact(event.price) / name.model.tick)
        if steps > name.grid.ticks_plain_max:
            whole = name.grid.above if event.side is Side.BUY else name.grid.below
            event = replace(event, price=float(int(whole(np.array([steps]))[0]) * name.model.tick))
        ticks = round(_exact(event.price) / name.asset.tick)
        lots = round(_exact(event.size) / name.asset.lot)
        name.turn(at_ns)
        hour, name.last = name.hours[-1], ticks
        hour.lots += lots
        hour.notional += ticks * lots
        name.candles.trade(at_ns, ticks, lots)
        name.trades.append(self._trade_row(name, event, ticks, lots))
        return event

    def _trade_row(self, name: _Name, trade: Trade, ticks: int, lots: int) -> dict[str, Any]:
        """A trade as it is published."""
        name.traded += 1
        coin, number = name.asset.name, name.traded
        taker = self._wallets[self._mint.number("taker", coin, number) % WALLETS]
        maker = self._wallets[self._mint.number("maker", coin, number) % WALLETS]
        buys = trade.side is Side.BUY
        return {
            "coin": coin,
            "side": "B" if buys else "A",
            "px": pointed(ticks * name.asset.tick),
            "sz": pointed(lots * name.asset.lot),
            "time": trade.at_ns // NS_PER_MS,
            "hash": self._mint.hash("trade", coin, number),
            "tid": self._mint.number("trade", coin, number),
            "users": [taker, maker] if buys else [maker, taker],
        }

    # --- questions ----------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """Names that have a market and are not delisted."""
        return [name for name in self._names if self._listing.trades(name)]

    def book(self, coin: str) -> Book | None:
        """The latest book; None where there is none."""
        known = self._names.get(coin)
        return known.book if known and self._listing.trades(coin) else None

    def trades(self, coin: str) -> list[dict[str, Any]]:
        """The last trades, oldest first."""
        return list(self._names[coin].trades) if coin in self._names else []

    def candles(self, coin: str) -> Candles | None:
        """Candles of a name; None of one that was delisted before the start."""
        return self._names[coin].candles if coin in self._names else None

    def mid(self, coin: str) -> Decimal:
        """The last middle of the book."""
        known = self._names.get(coin)
        return known.mid if known else Decimal(self._listing.assets[coin].last_price)

    def mark(self, coin: str) -> Decimal:
        """The mark price, on the venue's figures."""
        return Decimal(price_text(float(self.mid(coin))))

    def mark_ticks(self, coin: str) -> int:
        """The mark price in ticks."""
        return round(self.mark(coin) / self._listing.assets[coin].tick)

    def oracle(self, coin: str, at_ns: int) -> Decimal:
        """The oracle price: the mark without its premium."""
        known = self._names.get(coin)
        if known is None:
            return self.mark(coin)
        return Decimal(price_text(float(known.mid / (1 + known.premium.at(at_ns)))))

    def model(self, coin: str) -> SymbolModel | None:
        """The model of a name."""
        known = self._names.get(coin)
        return known.model if known else None

    def context(self, coin: str, at_ns: int) -> dict[str, Any]:
        """The asset context, as activeAssetCtx and metaAndAssetCtxs have it."""
        known = self._names.get(coin)
        if known is None or not self._listing.trades(coin):
            return self._dead(coin)
        known.turn(at_ns)
        asset, hours = known.asset, list(known.hours)[-HOURS:]
        lots, notional = sum(hour.lots for hour in hours), sum(hour.notional for hour in hours)
        open_interest = Decimal(known.model.touch_usd) / known.model.price_initial * OPEN_INTEREST_TOUCHES
        impact = [_impact(side, known.mid) for side in ((known.book.bids, known.book.asks) if known.book else ((), ()))]
        whole = None not in impact
        return {
            "funding": _rate(self._predicted(coin, at_ns // FUNDING_EVERY_NS)),
            "openInterest": pointed(open_interest.quantize(asset.lot)),
            "prevDayPx": pointed(known.hours[0].open * asset.tick),
            "dayNtlVlm": pointed(notional * asset.tick * asset.lot),
            "premium": _rate(known.premium.at(at_ns)) if whole else None,
            "oraclePx": pointed(self.oracle(coin, at_ns)),
            "markPx": pointed(self.mark(coin)),
            "midPx": pointed(known.mid) if whole else None,
            "impactPxs": [price_text(float(price)) for price in impact if price is not None] if whole else None,
            "dayBaseVlm": pointed(lots * asset.lot),
        }

    def _dead(self, coin: str) -> dict[str, Any]:
        """The context of a delisted name."""
        price = pointed(self.mark(coin))
        return {
            "funding": "0.0",
            "openInterest": "0.0",
            "prevDayPx": price,
            "dayNtlVlm": "0.0",
            "premium": None,
            "oraclePx": price,
            "markPx": price,
            "midPx": None,
            "impactPxs": None,
            "dayBaseVlm": "0.0",
        }

    def _predict(self, coin: str, number: int) -> Decimal:
        """What the coin would pay if the hour ended now."""
        return predicted(self._names[coin].model, self._market.seed, number * FUNDING_EVERY_NS).rate


def _exact(number: float) -> Decimal:
    """A float as the decimal that it prints as."""
    return Decimal(repr(number))


def _rate(rate: Decimal) -> str:
    """A rate as the venue prints it: ten decimals at most, never minus zero."""
    number = rate.quantize(Decimal(1).scaleb(-MID_DECIMALS))
    return pointed(number if number else abs(number))


def _impact(levels: Sequence[Level], mid: Decimal) -> Decimal | None:
    """The mean price that the impact notional takes from a side; of all that is shown, if that is less."""
    left = Decimal(IMPACT_USD) / mid
    taken = worth = Decimal(0)
    for level in levels:
        part = min(left - taken, _exact(level.size))
        taken += part
        worth += part * _exact(level.price)
        if taken >= left:
            break
    return worth / taken if taken else None


def _on_grid(book: Book, name: _Name) -> Book:
    """A book on the venue's grid: what stands between two of its prices stands at the next one away from the middle."""
    step = name.model.tick
    top = max(book.asks[-1].price if book.asks else 0.0, book.bids[0].price if book.bids else 0.0)
    if round(_exact(top) / step) <= name.grid.ticks_plain_max:
        return book
    sides = []
    for side, whole in ((book.bids, name.grid.below), (book.asks, name.grid.above)):
        merged: dict[int, float] = {}
        for level in side:
            ticks = int(whole(np.array([round(_exact(level.price) / step)]))[0])
            merged[ticks] = merged.get(ticks, 0.0) + level.size
        sides.append(
            tuple(
                Level(float(ticks * step), float(round(_exact(size) / name.asset.lot) * name.asset.lot))
                for ticks, size in merged.items()
            )
        )
    return replace(book, bids=sides[0], asks=sides[1])
