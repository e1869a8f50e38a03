"""What is listed: the dexs, their assets in order, and the numbers by which requests name them.

An index is never used again: a delisted asset keeps its place. A builder dex's first asset is 110000, the next dex's
120000 (docs, Asset IDs).
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from msgspec import Struct

from config.universe import HYPERLIQUID_DECIMALS, SymbolFacts
from venues.emulator.hyperliquid.config import MAIN
from venues.emulator.hyperliquid.minting import Mint

BUILDER_BASE, DEX_STRIDE = 100_000, 10_000
DEPLOYER_CAP_USD = "25000000.0"

NATIVE = {"BTC": (40, 56), "ETH": (25, 55), "SOL": (20, 54), "AVAX": (10, 52), "LINK": (10, 52), "DOGE": (10, 52)}
"""Highest leverage and margin table of majors, as meta answered in 2026-02; others have 10 and no tiers."""

NATIVE_OTHER, BUILDER_OTHER = 10, 10
BUILDER = {"xyz:GOLD": 20, "xyz:CL": 20, "xyz:BRENTOIL": 20}
TIERS: dict[int, tuple[str, tuple[tuple[str, int], ...]]] = {
    52: ("tiered 10x (2)", (("0.0", 10), ("20000000.0", 5))),
    54: ("tiered 20x (2)", (("0.0", 20), ("70000000.0", 10))),
    55: ("tiered 25x", (("0.0", 25), ("100000000.0", 15))),
    56: ("tiered 40x", (("0.0", 40), ("150000000.0", 20))),
}
NO_TIERS = 50


class Asset(Struct, frozen=True, kw_only=True):
    """One perpetual."""

    id: int
    name: str
    dex: str
    size_decimals: int
    leverage_max: int
    margin_table: int
    isolated: bool
    last_price: str = ""  # of one that was delisted before the start

    @property
    def tick(self) -> Decimal:
        """The finest price step."""
        return Decimal(1).scaleb(self.size_decimals - HYPERLIQUID_DECIMALS)

    @property
    def lot(self) -> Decimal:
        """The finest size step."""
        return Decimal(1).scaleb(-self.size_decimals)

    def leverage_at(self, notional_usd: Decimal) -> int:
        """The highest leverage of a position of this size."""
        _, tiers = TIERS.get(self.margin_table, ("", ()))
        return next((most for bound, most in reversed(tiers) if notional_usd > Decimal(bound)), self.leverage_max)

    @property
    def kind(self) -> str:
        """The asset class of its instrument."""
        return "native" if self.dex == MAIN else "hip3"


GONE = {
    MAIN: (3, Asset(id=0, name="MATIC", dex=MAIN, size_decimals=1, leverage_max=20, margin_table=20, isolated=False)),
    "xyz": (
        2,
        Asset(id=0, name="xyz:KR200", dex="xyz", size_decimals=4, leverage_max=20, margin_table=20, isolated=True),
    ),
}
"""Per dex: a delisted name and its index, so that indices and lists of what trades are never the same."""

LAST_PRICES = {"MATIC": "0.37621", "xyz:KR200": "800.0"}


class Listing:
    """The venue's names; delisting is the only change."""

    def __init__(self, facts: Iterable[SymbolFacts], mint: Mint) -> None:
        self.assets: dict[str, Asset] = {}
        self.by_id: dict[int, Asset] = {}
        self.dexs: dict[str, list[Asset]] = {MAIN: []}
        self.delisted: set[str] = set()
        self._mint = mint
        for fact in facts:
            dex, colon, _ = fact.symbol.partition(":")
            self._add(_asset(fact, dex if colon else MAIN))

    def _add(self, asset: Asset) -> None:
        """Append an asset to its dex, and the one that was delisted at the next place."""
        assets = self.dexs.setdefault(asset.dex, [])
        self._place(asset)
        place, gone = GONE.get(asset.dex, (0, None))
        if gone is not None and len(assets) == place:
            self.delisted.add(gone.name)
            self._place(gone, LAST_PRICES[gone.name])

    def _place(self, asset: Asset, last_price: str = "") -> None:
        assets, number = self.dexs[asset.dex], list(self.dexs).index(asset.dex)
        base = 0 if asset.dex == MAIN else BUILDER_BASE + number * DEX_STRIDE
        fields = {name: getattr(asset, name) for name in asset.__struct_fields__}
        placed = Asset(**(fields | {"id": base + len(assets), "last_price": last_price}))
        assets.append(placed)
        self.assets[placed.name] = self.by_id[placed.id] = placed

    def trades(self, name: str) -> bool:
        """Whether a name is listed and not delisted."""
        return name in self.assets and name not in self.delisted

    def meta(self, dex: str) -> dict[str, Any] | None:
        """The answer to meta; None for an unknown dex."""
        if dex not in self.dexs:
            return None
        tables = sorted({asset.margin_table for asset in self.dexs[dex] if asset.margin_table in TIERS})
        return {
            "universe": [self._row(asset) for asset in self.dexs[dex]],
            "marginTables": [
                [NO_TIERS, _table("", (("0.0", NO_TIERS),))],
                *([key, _table(*TIERS[key])] for key in tables),
            ],
            "collateralToken": 0,
        }

    def _row(self, asset: Asset) -> dict[str, Any]:
        """One asset of the universe; keys that would say nothing are left out, as the venue does."""
        row: dict[str, Any] = {
            "szDecimals": asset.size_decimals,
            "name": asset.name,
            "maxLeverage": asset.leverage_max,
            "marginTableId": asset.margin_table,
        }
        if asset.isolated:
            row["onlyIsolated"] = True
        if asset.name in self.delisted:
            row["isDelisted"] = True
        if asset.isolated:
            row["marginMode"] = "strictIsolated"
        return row

    def perp_dexs(self) -> list[Mapping[str, Any] | None]:
        """The answer to perpDexs: nothing for the venue's own, then the builders'."""
        return [None, *(self._dex(name) for name in self.dexs if name != MAIN)]

    def _dex(self, name: str) -> dict[str, Any]:
        deployer = self._mint.address("deployer", name)
        return {
            "name": name,
            "fullName": name.upper(),
            "deployer": deployer,
            "oracleUpdater": None,
            "feeRecipient": self._mint.address("fees", name),
            "assetToStreamingOiCap": sorted([asset.name, DEPLOYER_CAP_USD] for asset in self.dexs[name]),
            "subDeployers": [["setOracle", [deployer]]],
            "deployerFeeScale": "1.0",
            "lastDeployerFeeScaleChangeTime": "1970-01-01T00:00:00",
            "assetToFundingMultiplier": [],
        }


def _asset(fact: SymbolFacts, dex: str) -> Asset:
    """A name of the universe as the venue lists it."""
    if dex == MAIN:
        leverage, table = NATIVE.get(fact.symbol, (NATIVE_OTHER, NATIVE_OTHER))
    else:
        leverage = table = BUILDER.get(fact.symbol, BUILDER_OTHER)
    return Asset(
        id=0,
        name=fact.symbol,
        dex=dex,
        size_decimals=-int(fact.lot.normalize().as_tuple().exponent),
        leverage_max=leverage,
        margin_table=table,
        isolated=dex != MAIN,
    )


def _table(description: str, tiers: Iterable[tuple[str, int]]) -> dict[str, Any]:
    """One margin table."""
    rows = [{"lowerBound": bound, "maxLeverage": leverage} for bound, leverage in tiers]
    return {"description": description, "marginTiers": rows}


SPOT_META: dict[str, Any] = {
    "universe": [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}],
    "tokens": [
        {
            "name": name,
            "szDecimals": size,
            "weiDecimals": wei,
            "index": index,
            "tokenId": token,
            "isCanonical": True,
            "evmContract": None,
            "fullName": None,
            "deployerTradingFeeShare": "0.0",
        }
        for index, (name, size, wei, token) in enumerate(
            (
                ("USDC", 8, 8, "0x6d1e7cde53ba9467b783cb7c530ce054"),
                ("PURR", 0, 5, "0xc1fb593aeffbeb02f85e0308e9956a90"),
            )
        )
    ],
}
"""Spot is listed so that SDKs start, and not traded."""
