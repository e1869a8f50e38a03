"""Hyperliquid to screen: its public questions, which need no account.

One question lists a dex with volume and open interest; a candle snapshot and a book are asked of those that may do. The
weights come to some 1,000 of the 1,200 a minute that an address has: do not screen beside a daemon that trades there.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from config.profile import AssetClass
from config.universe import category_of
from risk.screen import BAR_S, BARS, Candidate
from supervisor.clock import NS_PER_MS
from supervisor.wall import now_ns
from venues.hyperliquid import info
from venues.hyperliquid.rest import Rest

MAINNET = "https://api.hyperliquid.xyz"
"""The venue's REST address (its API page); testnet and an emulator are named by --base-url."""

BAR = "4h"
BPS = 10_000

A = TypeVar("A")


class Door(Protocol):
    """What asks: venues.hyperliquid.rest.Rest."""

    async def info(self, body: bytes, read: Callable[[bytes], A], /) -> A:
        """Ask one question."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class HyperliquidSource:
    """Answers with what the venue says now."""

    def __init__(self, base_url: str = "", door: Door | None = None, clock: Callable[[], int] = now_ns):
        self.name = base_url or MAINNET
        self.door = door or Rest(self.name)
        self.clock = clock

    async def listed(self, asset_class: AssetClass) -> Sequence[Candidate]:
        """The venue's own perpetuals, or those of every builder's dex."""
        if asset_class == "native":
            return await self._dex(info.MAIN_DEX)
        dexs = [dex.name for dex in await self._ask(info.perp_dexs()) if dex is not None]
        return [one for dex in dexs for one in await self._dex(dex)]

    async def _dex(self, dex: str) -> list[Candidate]:
        said = await self._ask(info.meta_and_contexts(dex))
        if said is None:
            return []
        pairs = zip(said.meta.universe, said.contexts, strict=True)
        return [
            Candidate(
                symbol=asset.name,
                category=category_of(asset.name),
                leverage_max=asset.max_leverage,
                volume_usd=context.day_notional_usd,
                open_interest_usd=context.open_interest * context.mark,
            )
            for asset, context in pairs
            if not asset.is_delisted
        ]

    async def closes(self, symbol: str) -> tuple[float, ...]:
        """Closes of the week's candles that are over."""
        at_ns = self.clock()
        end_ms = at_ns // NS_PER_MS
        candles = await self._ask(info.candle_snapshot(symbol, BAR, end_ms - (BARS + 1) * BAR_S * 1000, end_ms))
        over = [candle.bar.close for candle in candles if candle.bar.end_ns <= at_ns]
        return tuple(over[-BARS:])

    async def spread_bps(self, symbol: str) -> float | None:
        """The spread of the book as it is now."""
        book = await self._ask(info.l2_book(symbol))
        if book is None or not book.bids or not book.asks:
            return None
        bid, ask = book.bids[0].price, book.asks[0].price
        return 2 * BPS * (ask - bid) / (ask + bid)

    async def close(self) -> None:
        """Let go of the connections."""
        await self.door.close()

    async def _ask(self, ask: info.Ask[A]) -> A:
        body: dict[str, Any] = ask.body
        return await self.door.info(json.dumps(body).encode(), ask.read)
