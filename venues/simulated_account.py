"""The account behind the matching engine: positions in lots, cash in minor units, nothing in floats.

A perpetual changes cash by what it realises, fees and funding; spot and equities change it by their whole price.
Costs leave a position in proportion to its lots, rounded half to even, so that cash and cost together always add up
exactly.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from fractions import Fraction

from msgspec import Struct

from venues.market import Instrument, VenuePosition
from venues.refusals import MARGINED

BPS = 10_000
Fees = Mapping[str, tuple[float, float]]
"""Asset class -> (maker, taker) in basis points of notional; negative is a rebate."""


class Holding(Struct):
    """An open position: signed lots and what they cost, with the same sign."""

    lots: int = 0
    cost_minor: int = 0


class SimulatedAccount:
    """Books fills and funding; knows nothing of orders."""

    def __init__(self, cash_minor: int, fees: Fees):
        self.cash_minor = cash_minor
        self.fees_minor = 0
        self.holdings: dict[str, Holding] = {}
        self._rates = {
            kind: (Fraction(str(maker)) / BPS, Fraction(str(taker)) / BPS) for kind, (maker, taker) in fees.items()
        }

    def prices(self, instrument: Instrument) -> None:
        """Make sure that there are fees for an instrument. Raises ValueError."""
        if instrument.asset_class not in self._rates:
            known = ", ".join(self._rates) or "none"
            raise ValueError(f"fees of {instrument.asset_class} are missing ({instrument.symbol}); given: {known}")

    def restore(self, instruments: Mapping[str, Instrument], positions: Iterable[VenuePosition]) -> None:
        """Start from positions that were held before. Raises ValueError for a name that is not listed."""
        for position in positions:
            instrument = instruments.get(position.symbol)
            if instrument is None:
                raise ValueError(f"{position.lots} lots of {position.symbol} are held, but it is not listed here")
            cost = round(instrument.minor_per_tick_lot * Fraction(position.entry_ticks) * position.lots)
            self.holdings[position.symbol] = Holding(position.lots, cost)

    def lots(self, symbol: str) -> int:
        """Signed position."""
        holding = self.holdings.get(symbol)
        return holding.lots if holding else 0

    def fee_minor(self, instrument: Instrument, ticks: int, lots: int, *, maker: bool) -> int:
        """Fee of a fill, rounded half to even."""
        maker_rate, taker_rate = self._rates[instrument.asset_class]
        return round(instrument.notional_minor(ticks, abs(lots)) * (maker_rate if maker else taker_rate))

    def fill(self, instrument: Instrument, lots: int, ticks: int, *, maker: bool) -> int:
        """Book a fill of signed lots; returns its fee."""
        holding = self.holdings.setdefault(instrument.symbol, Holding())
        closed = 0
        if holding.lots * lots < 0:
            closed = max(-abs(holding.lots), min(abs(holding.lots), lots))
        released = round(Fraction(holding.cost_minor * closed, holding.lots)) if closed else 0  # sign of the fill
        opened_minor = instrument.notional_minor(ticks, lots - closed)
        traded_minor = instrument.notional_minor(ticks, lots)
        holding.lots += lots
        holding.cost_minor += released + opened_minor
        fee = self.fee_minor(instrument, ticks, lots, maker=maker)
        realised = released - (traded_minor - opened_minor)
        self.cash_minor += (realised if instrument.asset_class in MARGINED else -traded_minor) - fee
        self.fees_minor += fee
        if not holding.lots:
            del self.holdings[instrument.symbol]
        return fee

    def fund(self, instrument: Instrument, rate: Decimal, mark_ticks: int) -> int:
        """Settle funding on a position; a positive rate is paid by longs. Returns what we received."""
        notional = instrument.notional_minor(mark_ticks, self.lots(instrument.symbol))
        amount = -round(notional * Fraction(rate))
        self.cash_minor += amount
        return amount

    def value_minor(self, instrument: Instrument, mark_ticks: int) -> int:
        """What a position adds to equity beside cash: its profit if it is on margin, else its price."""
        holding = self.holdings[instrument.symbol]
        price = instrument.notional_minor(mark_ticks, holding.lots)
        return price - holding.cost_minor if instrument.asset_class in MARGINED else price

    def entry_ticks(self, instrument: Instrument) -> float:
        """Average cost of a position in ticks."""
        holding = self.holdings[instrument.symbol]
        return float(holding.cost_minor / (instrument.minor_per_tick_lot * holding.lots))

    def positions(self, instruments: Mapping[str, Instrument]) -> list[VenuePosition]:
        """Every position that is not flat."""
        return [
            VenuePosition(symbol, holding.lots, self.entry_ticks(instruments[symbol]))
            for symbol, holding in self.holdings.items()
        ]
