"""From what the venue lists to what may be traded: assets of several dexs, their ids, and the instruments they make.

An id is what an order names its asset by (asset-ids page): a perpetual's is its place in its dex's meta, a builder
dex's (HIP-3) 100000 + 10000 * its place in perpDexs + that. perpDexs begins with null, the venue's own dex, so the
first builder dex begins at 110000. Delisted assets keep their places and are not traded.

A name that cannot be traded is refused by itself, with what was meant perhaps: subscribing to a wrong one would close
the socket of all, and refusing to start over one would leave the positions of the others alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches

from msgspec import Struct

from config.universe import HYPERLIQUID_DECIMALS, SymbolFacts
from venues.hyperliquid.info import MAIN_DEX, ListedAsset, Meta, PerpDex
from venues.market import Instrument

DEX_STEP = 10_000
BUILDER_ID_MIN = 100_000

PRICE_FIGURES_MAX = 5
"""Significant figures of a price that is not whole (tick-and-lot-size page)."""

DUST_LOTS = Decimal("1.5")
"""A position below this is flat: rounding leaves a lot, and a lot that counts as a position blocks its coin."""

USDC = 0
"""The collateral token that accounts hold unless they say otherwise; its index in spotMeta."""

NEAREST_MAX = 3
LIKENESS_MIN = 0.6


class Asset(Struct, frozen=True, kw_only=True):
    """A perpetual as it is listed."""

    name: str  # exact case, with its dex: BTC, kSHIB, xyz:TSLA
    asset_id: int
    sz_decimals: int
    leverage_max: int
    isolated_only: bool
    delisted: bool
    dex: str  # empty: the venue's own
    collateral: int = USDC

    @property
    def lot(self) -> Decimal:
        """The finest step of a size."""
        return Decimal(1).scaleb(-self.sz_decimals)

    @property
    def tick(self) -> Decimal:
        """The finest step of a price; with it, tick times lot is a millionth of a dollar."""
        return Decimal(1).scaleb(self.sz_decimals - HYPERLIQUID_DECIMALS)

    @property
    def dust(self) -> Decimal:
        """The size below which a position is flat."""
        return DUST_LOTS * self.lot


class Refused(Struct, frozen=True):
    """A name that was asked for and is not traded."""

    name: str
    reason: str
    nearest: tuple[str, ...] = ()  # names that are listed and may have been meant

    def __str__(self) -> str:
        meant = f"; did you mean {' or '.join(self.nearest)}?" if self.nearest else ""
        return f"{self.name} is not traded: {self.reason}{meant}"


class Universe(Struct, frozen=True):
    """What is traded, under which ids, and what is not."""

    instruments: tuple[Instrument, ...]
    assets: dict[str, Asset]  # of the instruments, by name
    refused: tuple[Refused, ...]


def dex_of(name: str) -> str:
    """The dex that lists a name: xyz of xyz:TSLA, the venue's own of BTC."""
    return name.partition(":")[0] if ":" in name else MAIN_DEX


def dexs_of(names: Iterable[str]) -> tuple[str, ...]:
    """The dexs that must be asked to trade these names, the venue's own first, each once."""
    return tuple(sorted({dex_of(name) for name in names}))


def assets_of(dexs: Sequence[PerpDex | None], metas: Mapping[str, Meta | None]) -> dict[str, Asset]:
    """Every asset of the dexs whose meta is given, by name; dexs that the venue does not know have none."""
    places = {(dex.name if dex else MAIN_DEX): place for place, dex in enumerate(dexs)} | {MAIN_DEX: 0}
    found: dict[str, Asset] = {}
    for dex, meta in metas.items():
        if meta is None or dex not in places:
            continue
        first = BUILDER_ID_MIN + DEX_STEP * places[dex] if places[dex] else 0
        rows = (_asset(first + index, listed, dex, meta) for index, listed in enumerate(meta.universe))
        found |= {asset.name: asset for asset in rows if dex_of(asset.name) == dex}
    return found


def universe_of(
    assets: Mapping[str, Asset], wanted: Iterable[SymbolFacts], collaterals: Iterable[int] = (USDC,)
) -> Universe:
    """What can be traded of what is wanted, by an account that has these tokens as collateral."""
    held = frozenset(collaterals)
    instruments: list[Instrument] = []
    refused: list[Refused] = []
    for facts in wanted:
        asset = assets.get(facts.symbol)
        if asset is None:
            near = nearest(facts.symbol, assets)
            refused.append(Refused(facts.symbol, "the venue does not list it", near))
        elif flaw := _flaw(asset, held):
            refused.append(Refused(facts.symbol, flaw))
        else:
            instruments.append(instrument_of(asset, facts))
    traded = {instrument.symbol: assets[instrument.symbol] for instrument in instruments}
    return Universe(tuple(instruments), traded, tuple(refused))


def instrument_of(asset: Asset, facts: SymbolFacts) -> Instrument:
    """A listed asset as an instrument: its rules are the venue's, what it is traded as is the operator's."""
    return Instrument(
        symbol=asset.name,
        engine=facts.engine,
        tick=asset.tick,
        lot=asset.lot,
        price_figures_max=PRICE_FIGURES_MAX,
        notional_min_usd=facts.notional_min_usd,
        shortable=True,
        leverage=min(facts.leverage, asset.leverage_max),
        isolated=facts.isolated or asset.isolated_only,
        sector=facts.sector,
        asset_class=facts.asset_class,
        multiplier=facts.multiplier,
    )


def nearest(name: str, listed: Mapping[str, Asset]) -> tuple[str, ...]:
    """Names that are traded and look like this one, nearest first; case and dex are what is mistaken most."""
    live = [asset.name for asset in listed.values() if not asset.delisted]
    spelled = name.casefold()
    bare = spelled.rpartition(":")[2]
    same = [other for other in live if other.casefold() == spelled]
    same += [other for other in live if other.casefold().rpartition(":")[2] == bare and other not in same]
    by_case: dict[str, str] = {other.casefold(): other for other in live}
    close = (by_case[match] for match in get_close_matches(spelled, by_case, NEAREST_MAX, LIKENESS_MIN))
    return tuple(dict.fromkeys((*same, *close)))[:NEAREST_MAX]


def _asset(asset_id: int, listed: ListedAsset, dex: str, meta: Meta) -> Asset:
    return Asset(
        name=listed.name,
        asset_id=asset_id,
        sz_decimals=listed.sz_decimals,
        leverage_max=listed.max_leverage,
        isolated_only=listed.only_isolated or listed.margin_mode in ("strictIsolated", "noCross"),
        delisted=listed.is_delisted,
        dex=dex,
        collateral=meta.collateral_token,
    )


def _flaw(asset: Asset, collaterals: frozenset[int]) -> str:
    if asset.delisted:
        return "the venue has delisted it"
    if asset.collateral not in collaterals:
        return f"its dex takes token {asset.collateral} as collateral, which the account does not hold"
    if not 0 <= asset.sz_decimals <= HYPERLIQUID_DECIMALS or asset.leverage_max < 1:
        return f"szDecimals {asset.sz_decimals} and a leverage of {asset.leverage_max} are no rules for orders"
    return ""
