"""What is listed: coins in steps of a billionth, shares in cents and in whole or fractional numbers.

Which shares can't be sold short or split is drawn from the seed unless it is configured.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_UP, Decimal
from typing import Any

from msgspec import Struct

from config.universe import SymbolFacts
from venues.emulator.alpaca.config import ExchangeConfig
from venues.emulator.alpaca.figures import Mint, plain
from venues.market import Instrument

ENGINE = "emulator"
BILLIONTH, CENT = Decimal("0.000000001"), Decimal("0.01")
NOT_SHORTABLE, NOT_FRACTIONABLE = 0.05, 0.05  # shares of the listing; a guess
EXCHANGES = ("NASDAQ", "NYSE", "ARCA")


class Asset(Struct, frozen=True):
    """One name."""

    symbol: str
    id: str
    crypto: bool
    exchange: str
    instrument: Instrument
    shortable: bool
    fractionable: bool
    cost_min_usd: Decimal
    price_usd: Decimal

    @property
    def tick(self) -> Decimal:
        """Smallest step of a price."""
        return self.instrument.tick

    @property
    def lot(self) -> Decimal:
        """Smallest step of a size."""
        return self.instrument.lot

    @property
    def joined(self) -> str:
        """The name without a slash, which positions have."""
        return self.symbol.replace("/", "")

    def row(self, tradable: bool) -> dict[str, Any]:
        """As /v2/assets tells it."""
        row: dict[str, Any] = {
            "id": self.id,
            "class": "crypto" if self.crypto else "us_equity",
            "exchange": self.exchange,
            "symbol": self.symbol,
            "name": f"{self.symbol} pair" if self.crypto else f"{self.symbol} Common Stock",
            "status": "active" if tradable else "inactive",
            "tradable": tradable,
            "marginable": not self.crypto,
            "maintenance_margin_requirement": 100 if self.crypto else 30,
            "shortable": self.shortable,
            "easy_to_borrow": self.shortable,
            "fractionable": self.fractionable,
            "attributes": [],
        }
        if self.crypto:
            least = (self.cost_min_usd / self.price_usd).quantize(self.lot, ROUND_UP)
            row |= {"min_order_size": plain(least), "min_trade_increment": plain(self.lot)}
            row |= {"price_increment": plain(self.tick)}
        return row


class Listing:
    """Every name, found by symbol with or without slash, or by id."""

    def __init__(self, facts: Iterable[SymbolFacts], config: ExchangeConfig, mint: Mint) -> None:
        self.assets = {one.symbol: _asset(one, config, mint) for one in facts}
        self._known = {key: asset for asset in self.assets.values() for key in (asset.symbol, asset.joined, asset.id)}
        self.halted: set[str] = set()

    def find(self, key: str) -> Asset | None:
        """A name by any of its keys."""
        return self._known.get(key)

    def trades(self, symbol: str) -> bool:
        """Whether it can be traded."""
        return symbol in self.assets and symbol not in self.halted

    def of_class(self, crypto: bool) -> Mapping[str, Asset]:
        """All coins, or all shares."""
        return {symbol: asset for symbol, asset in self.assets.items() if asset.crypto is crypto}


def _asset(facts: SymbolFacts, config: ExchangeConfig, mint: Mint) -> Asset:
    crypto = facts.asset_class == "spot"
    instrument = Instrument(
        symbol=facts.symbol,
        engine=ENGINE,
        tick=BILLIONTH if crypto else CENT,
        lot=BILLIONTH,
        notional_min_usd=Decimal(0),
        asset_class=facts.asset_class,
    )
    return Asset(
        symbol=facts.symbol,
        id=mint.uuid("asset", facts.symbol),
        crypto=crypto,
        exchange="CRYPTO" if crypto else EXCHANGES[mint.number("exchange", facts.symbol) % len(EXCHANGES)],
        instrument=instrument,
        shortable=not crypto and not _among(config.not_shortable, NOT_SHORTABLE, "short", facts.symbol, mint),
        fractionable=crypto or not _among(config.not_fractionable, NOT_FRACTIONABLE, "split", facts.symbol, mint),
        cost_min_usd=facts.notional_min_usd,
        price_usd=facts.price_usd,
    )


def _among(told: tuple[str, ...] | None, share: float, what: str, symbol: str, mint: Mint) -> bool:
    return mint.chance(share, what, symbol) if told is None else symbol in told
