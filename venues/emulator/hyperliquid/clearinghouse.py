"""One account at one dex: its collateral, positions, leverage and resting orders, each dex apart from the others.

Matching is venues.matching's, one engine for each clearinghouse on the same market: no account sees another's orders.
Every fill is booked a second time without fees, which gives what the venue calls closedPnl. Positions are not
liquidated; liquidation prices are told as the venue would compute them (docs, Liquidations).
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec import Struct

from venues.aleatoric.dialects.pieces import pointed
from venues.emulator.hyperliquid.config import Fees
from venues.emulator.hyperliquid.listing import Asset
from venues.emulator.hyperliquid.orders import ENGINE
from venues.emulator.hyperliquid.tape import Tape
from venues.market import MINOR_PER_USD, AccountEvent, Book, Fill, Instrument, MarketEvent
from venues.matching import MatchingEngine
from venues.simulated_account import SimulatedAccount

LEVERAGE_DEFAULT = 20  # of a coin that nobody has set, or the highest there is
BPS = 10_000
PRICE_FIGURES = 5
MAINTENANCE = 2  # maintenance margin is half the initial margin at the highest leverage (docs, Margining)
PRICE_QUANTUM = Decimal("0.00000001")
NO_FEES = {"native": (0.0, 0.0), "hip3": (0.0, 0.0)}


class Booked(Struct, frozen=True):
    """A fill with what it did to the position."""

    fill: Fill
    lots_before: int
    closed_minor: int

    @property
    def direction(self) -> str:
        """The venue's word for it."""
        before, after = self.lots_before, self.lots_before + self.fill.side.sign * self.fill.lots
        if before * after < 0:
            return "Long > Short" if before > 0 else "Short > Long"
        if abs(after) > abs(before):
            return "Open Long" if after > 0 else "Open Short"
        return "Close Long" if before > 0 else "Close Short"


class Lever(Struct, frozen=True):
    """How a coin is levered."""

    value: int
    cross: bool


class Clearinghouse:
    """The state of one account at one dex."""

    def __init__(self, assets: Sequence[Asset], tape: Tape, fees: dict[str, Fees], usd: Decimal) -> None:
        self._assets = {asset.name: asset for asset in assets}
        self._tape = tape
        self._levers: dict[str, Lever] = {}
        self._extra_minor: dict[str, int] = {}  # margin that was added to isolated positions by hand
        self._funding_minor: dict[str, tuple[int, int]] = {}  # paid: ever, since the position was opened
        bps = {kind: (float(rate.maker * BPS), float(rate.taker * BPS)) for kind, rate in fees.items()}
        self.engine = MatchingEngine(ENGINE, map(self._instrument, assets), bps, round(usd * MINOR_PER_USD))
        self._plain = SimulatedAccount(0, NO_FEES)

    # --- leverage -----------------------------------------------------------------------------------------------------

    def lever(self, asset: Asset) -> Lever:
        """How a coin is levered now."""
        usual = Lever(min(LEVERAGE_DEFAULT, asset.leverage_max), not asset.isolated)
        return self._levers.get(asset.name, usual)

    def set_lever(self, asset: Asset, lever: Lever) -> bool:
        """Lever a coin otherwise; False, and nothing changes, where what is held would not be covered any more."""
        before = self.lever(asset)
        self._levers[asset.name] = lever
        if lever.value < before.value and self.lots(asset.name) and self.free_minor() < 0:
            self._levers[asset.name] = before
            return False
        self.engine.add_instruments([self._instrument(asset)])
        return True

    def add_margin(self, name: str, minor: int) -> None:
        """Move money between the account and an isolated position."""
        self._extra_minor[name] = self._extra_minor.get(name, 0) + minor

    def _instrument(self, asset: Asset) -> Instrument:
        """An asset as the matching engine knows it; the least notional is checked before an order gets there."""
        return Instrument(
            symbol=asset.name,
            engine=ENGINE,
            tick=asset.tick,
            lot=asset.lot,
            price_figures_max=PRICE_FIGURES,
            notional_min_usd=Decimal(0),
            leverage=self.lever(asset).value,
            isolated=asset.isolated,
            asset_class=asset.kind,
        )

    # --- what happens -------------------------------------------------------------------------------------------------

    def hear(self, events: Iterable[MarketEvent]) -> list[AccountEvent]:
        """The market goes on."""
        heard: list[AccountEvent] = []
        engine = self.engine
        for event in events:
            if event.symbol in self._assets:
                heard += engine.on_book(event) if isinstance(event, Book) else engine.on_trade(event)
        return heard

    def book(self, fill: Fill) -> Booked:
        """What a fill did; each fill once and in order."""
        before, cash = self._plain.lots(fill.symbol), self._plain.cash_minor
        lots = fill.side.sign * fill.lots
        self._plain.fill(self.engine.instruments[fill.symbol], lots, fill.ticks, maker=fill.maker)
        self._turned(fill.symbol, before, before + lots)
        return Booked(fill, before, self._plain.cash_minor - cash)

    def settle(self, name: str, ticks: int) -> tuple[int, int]:
        """Close a position at a price without a fee; returns its lots and what was realised (minor units)."""
        lots, account = self.lots(name), self.engine.account
        cash = self._plain.cash_minor
        fee = account.fill(self.engine.instruments[name], -lots, ticks, maker=True)
        account.cash_minor += fee
        account.fees_minor -= fee
        self._plain.fill(self.engine.instruments[name], -lots, ticks, maker=True)
        self._turned(name, lots, 0)
        return lots, self._plain.cash_minor - cash

    def paid(self, name: str, amount_minor: int) -> None:
        """Count a funding payment; what was received is negative there, as the venue has it."""
        ever, since = self._funding_minor.get(name, (0, 0))
        self._funding_minor[name] = (ever - amount_minor, since - amount_minor)

    def _turned(self, name: str, before: int, after: int) -> None:
        """A position that is closed, or the other way round now, begins anew."""
        if before * after <= 0:
            self._extra_minor.pop(name, None)
            self._funding_minor[name] = (self._funding_minor.get(name, (0, 0))[0], 0)

    # --- money --------------------------------------------------------------------------------------------------------

    def lots(self, name: str) -> int:
        """A signed position."""
        return self.engine.account.lots(name)

    def booked_lots(self, name: str) -> int:
        """The position as far as its fills are booked, while they are being booked."""
        return self._plain.lots(name)

    def held(self) -> list[Asset]:
        """Assets in which there is a position, in the order of the dex."""
        holdings = self.engine.account.holdings
        return [asset for name, asset in self._assets.items() if name in holdings]

    def _value_minor(self, asset: Asset) -> int:
        """What a position is worth at the mark, with its sign."""
        instrument = self.engine.instruments[asset.name]
        return instrument.notional_minor(self._tape.mark_ticks(asset.name), self.lots(asset.name))

    def _cost_minor(self, asset: Asset) -> int:
        return self.engine.account.holdings[asset.name].cost_minor

    def _raw_minor(self, asset: Asset) -> int:
        """The money inside an isolated position: its margin at entry less what it bought."""
        cost = self._cost_minor(asset)
        return -(-abs(cost) // self.lever(asset).value) - cost + self._extra_minor.get(asset.name, 0)

    def _used_minor(self, asset: Asset) -> int:
        """The margin that a position ties down."""
        lever, value = self.lever(asset), self._value_minor(asset)
        return -(-abs(value) // lever.value) if lever.cross else self._raw_minor(asset) + value

    def equity_minor(self) -> int:
        """What the account is worth here."""
        return self.engine.account.cash_minor + sum(
            self._value_minor(asset) - self._cost_minor(asset) for asset in self.held()
        )

    def free_minor(self) -> int:
        """What could be taken out."""
        return self.equity_minor() - sum(map(self._used_minor, self.held()))

    # --- as the venue tells it ----------------------------------------------------------------------------------------

    def state(self, now_ms: int) -> dict[str, Any]:
        """The answer to clearinghouseState."""
        held = self.held()
        cross = [asset for asset in held if self.lever(asset).cross]
        isolated_minor = sum(self._used_minor(asset) for asset in held if asset not in cross)
        equity = self.equity_minor()
        maintenance = sum(map(self._maintenance_minor, cross))
        return {
            "marginSummary": self._summary(held, equity),
            "crossMarginSummary": self._summary(cross, equity - isolated_minor),
            "crossMaintenanceMarginUsed": money(maintenance),
            "withdrawable": money(max(0, self.free_minor())),
            "assetPositions": [self._position(asset, equity - isolated_minor - maintenance) for asset in held],
            "time": now_ms,
        }

    def _summary(self, assets: Sequence[Asset], equity_minor: int) -> dict[str, str]:
        values = [self._value_minor(asset) for asset in assets]
        return {
            "accountValue": money(equity_minor),
            "totalNtlPos": money(sum(map(abs, values))),
            "totalRawUsd": money(equity_minor - sum(values)),
            "totalMarginUsed": money(sum(map(self._used_minor, assets))),
        }

    def _maintenance_minor(self, asset: Asset) -> int:
        return abs(self._value_minor(asset)) // (MAINTENANCE * asset.leverage_max)

    def _position(self, asset: Asset, cross_spare_minor: int) -> dict[str, Any]:
        lots, value, cost = self.lots(asset.name), self._value_minor(asset), self._cost_minor(asset)
        lever, used = self.lever(asset), self._used_minor(asset)
        entry = Decimal(cost) / MINOR_PER_USD / (lots * asset.lot)
        leverage: dict[str, Any] = {"type": "cross" if lever.cross else "isolated", "value": lever.value}
        if not lever.cross:
            leverage["rawUsd"] = money(self._raw_minor(asset))
        ever, since = self._funding_minor.get(asset.name, (0, 0))
        spare = cross_spare_minor if lever.cross else used - self._maintenance_minor(asset)
        return {
            "type": "oneWay",
            "position": {
                "coin": asset.name,
                "szi": pointed(lots * asset.lot),
                "leverage": leverage,
                "entryPx": pointed(entry.quantize(asset.tick)),
                "positionValue": money(abs(value)),
                "unrealizedPnl": money(value - cost),
                "returnOnEquity": pointed((Decimal(value - cost) / max(1, used)).quantize(PRICE_QUANTUM)),
                "liquidationPx": self._liquidation(asset, spare),
                "marginUsed": money(used),
                "maxLeverage": asset.leverage_max,
                "cumFunding": {"allTime": money(ever), "sinceOpen": money(since), "sinceChange": money(since)},
            },
        }

    def _liquidation(self, asset: Asset, spare_minor: int) -> str | None:
        """Where the position would be liquidated; None where no price does that."""
        lots = self.lots(asset.name)
        side, size = (1 if lots > 0 else -1), Fraction(abs(lots)) * Fraction(asset.lot)
        share = 1 - Fraction(side, MAINTENANCE * asset.leverage_max)
        price = Fraction(self._tape.mark(asset.name)) - side * Fraction(spare_minor, MINOR_PER_USD) / size / share
        if price <= 0:
            return None
        return pointed((Decimal(price.numerator) / Decimal(price.denominator)).quantize(PRICE_QUANTUM))


def money(minor: int) -> str:
    """Minor units as the venue prints dollars."""
    return pointed(Decimal(minor) / MINOR_PER_USD)
