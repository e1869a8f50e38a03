"""One order after the other: is it well formed, does the venue take it now, and what becomes of it.

What is wrong with an order by itself is found first; a modify that fails there leaves the old order alone. What the
book or the account says against it comes after, when a modify has already taken the old order out.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from supervisor.clock import NS_PER_MS
from venues import refusals
from venues.aleatoric.dialects.pieces import pointed
from venues.emulator.hyperliquid import errors
from venues.emulator.hyperliquid.accounts import Account
from venues.emulator.hyperliquid.config import ExchangeConfig
from venues.emulator.hyperliquid.listing import Asset, Listing
from venues.emulator.hyperliquid.minting import Mint
from venues.emulator.hyperliquid.orders import TIFS, Order
from venues.emulator.hyperliquid.tape import Tape
from venues.market import Fill, Side

FIGURES_MAX = 5
NOTIONAL_MIN_USD = Decimal(10)
REFERENCE_BAND = Decimal("0.8")
CLOID = re.compile(r"0x[0-9a-f]{32}")


class Draft(Struct):
    """An order that is well formed."""

    asset: Asset
    side: Side
    price: Decimal
    lots: int
    tif: str
    reduce_only: bool
    cloid: str | None

    @property
    def ticks(self) -> int:
        """The price in ticks."""
        return int(self.price / self.asset.tick)


class Flaw(Exception):
    """What is wrong with an order by itself; `whole` says that nothing else of its batch is looked at."""

    def __init__(self, text: str, asset: int, *, whole: bool = False) -> None:
        super().__init__(errors.of_asset(text, asset))
        self.whole = whole


class Placing:
    """Takes orders in."""

    def __init__(self, config: ExchangeConfig, listing: Listing, tape: Tape, mint: Mint) -> None:
        self._config, self._listing, self._tape, self._mint = config, listing, tape, mint
        self.post_only_ns = 0  # until then the venue takes post-only orders alone
        self.halted: dict[str, int] = {}  # name -> until when
        self.capped: dict[str, int] = {}  # name -> until when its open interest may not grow

    def draft(self, account: Account, wire: Mapping[str, Any], now_ns: int, replaces: Order | None = None) -> Draft:
        """Read an order. Raises Flaw; Refused(422) for what is no order at all."""
        try:
            asset_id, buys, reduces, kind = wire["a"], wire["b"], wire["r"], wire["t"]
            price, size, cloid = Decimal(wire["p"]), Decimal(wire["s"]), wire.get("c")
            tif = "" if "trigger" in kind else kind["limit"]["tif"]
        except (KeyError, TypeError, ArithmeticError) as error:
            raise errors.Refused(422, errors.UNREADABLE) from error
        booleans = isinstance(buys, bool) and isinstance(reduces, bool)
        if not booleans or not (cloid is None or CLOID.fullmatch(str(cloid))) or (tif and tif not in TIFS):
            raise errors.Refused(422, errors.UNREADABLE)
        asset = self._listing.by_id.get(asset_id)
        if asset is None:
            raise Flaw(errors.UNKNOWN_ASSET, asset_id)
        if not self._listing.trades(asset.name) or now_ns < self.halted.get(asset.name, 0):
            raise Flaw(errors.HALTED, asset_id)
        if not tif:
            raise Flaw(errors.NO_TRIGGERS, asset_id)
        draft = Draft(asset, Side.BUY if buys else Side.SELL, price, 0, tif, reduces, cloid)
        draft.lots = self._check(draft, size)
        self._check_cloid(account, draft, replaces)
        return draft

    def _check(self, draft: Draft, size: Decimal) -> int:
        """The size in lots, if price and size are what the venue takes."""
        asset = draft.asset
        if draft.price <= 0:
            raise Flaw(refusals.INVALID_PRICE, asset.id)
        if size <= 0:
            raise Flaw(refusals.ZERO_SIZE if not size else errors.INVALID_SIZE, asset.id)
        if size % asset.lot:
            raise Flaw(errors.INVALID_SIZE, asset.id)
        figures = len(draft.price.normalize().as_tuple().digits)
        if draft.price % asset.tick or (figures > FIGURES_MAX and draft.price % 1):
            raise Flaw(refusals.NOT_ON_TICK, asset.id)
        if abs(draft.price / self._tape.mark(asset.name) - 1) > REFERENCE_BAND:
            raise Flaw(errors.TOO_FAR, asset.id, whole=True)
        return int(size / asset.lot)

    def _check_cloid(self, account: Account, draft: Draft, replaces: Order | None) -> None:
        known = None if draft.cloid is None else account.find(draft.cloid)
        if known is not None and known is not replaces:
            raise Flaw(errors.DUPLICATE_CLOID, draft.asset.id)

    def place(self, account: Account, draft: Draft, tx_hash: str, now_ns: int, prefix: str = "") -> dict[str, Any]:
        """Let an order in; returns its status as the venue answers it."""
        order = Order(
            oid=self._mint.oid(),
            user=account.address,
            asset=draft.asset,
            side=draft.side,
            ticks=draft.ticks,
            lots=draft.lots,
            tif=draft.tif,
            reduce_only=draft.reduce_only,
            cloid=draft.cloid,
            placed_ms=now_ns // NS_PER_MS,
            left=draft.lots,
            stated=draft.lots,
            hash=tx_hash,
        )
        refusal = self._refusal(account, draft, now_ns)
        if refusal:
            account.refuse(order, refusal, now_ns)
            return {"error": self._said(prefix, refusal, draft.asset)}
        fills, refusal = account.place(order, now_ns)
        if refusal:
            return {"error": self._said(prefix, refusal, draft.asset)}
        named = {"oid": order.oid} if order.cloid is None else {"oid": order.oid, "cloid": order.cloid}
        if order.oid in account.live:
            return {"resting": named}
        if not fills:  # taken out at once by the account's own orders
            return {"error": self._said(prefix, refusals.NOT_MATCHED, draft.asset)}
        return {"filled": _filled(fills, draft.asset) | named}

    @staticmethod
    def _said(prefix: str, text: str, asset: Asset) -> str:
        return prefix + (text if text == errors.POST_ONLY_PHASE else errors.of_asset(text, asset.id))

    def _refusal(self, account: Account, draft: Draft, now_ns: int) -> str:
        """Why the venue does not take an order now, before the book has its say."""
        if now_ns < self.post_only_ns and draft.tif != "Alo":
            return errors.POST_ONLY_PHASE
        position = account.house(draft.asset).lots(draft.asset.name)
        closes = (
            position == -draft.side.sign * draft.lots
        )  # worth less than the least, it may still go (testnet 2026-10)
        worth = draft.price * draft.lots * draft.asset.lot
        if worth < NOTIONAL_MIN_USD and not draft.reduce_only and not closes:
            return errors.TOO_SMALL
        band = self._config.oracle_band
        if band is not None and abs(draft.price / self._tape.oracle(draft.asset.name, now_ns) - 1) > band:
            return errors.ORACLE
        return "" if draft.reduce_only else self._growth(account, draft, position, now_ns)

    def _growth(self, account: Account, draft: Draft, position: int, now_ns: int) -> str:
        """Why a position may not become as large as the order would make it."""
        after = abs(position + draft.side.sign * draft.lots)
        if after <= abs(position):
            return ""
        asset = draft.asset
        if now_ns < self.capped.get(asset.name, 0):
            return errors.CAPPED
        lever = account.house(asset).lever(asset).value
        return errors.OVER_TIER if lever > asset.leverage_at(after * asset.lot * draft.price) else ""


def _filled(fills: list[Fill], asset: Asset) -> dict[str, Any]:
    """Size and average price of what an order took."""
    lots = sum(fill.lots for fill in fills)
    average = asset.tick * sum(fill.lots * fill.ticks for fill in fills) / lots
    return {"totalSz": pointed(lots * asset.lot), "avgPx": pointed(average.quantize(asset.tick))}
