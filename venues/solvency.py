"""Whether the simulated account can carry one more order: margin, cash, and what may not be sold short.

One rule for all: positions and every order that could make them larger, at the worse of the two sides and divided
by leverage, must not exceed equity. With leverage 1 that is "cash covers it". An order that makes nothing larger
always passes.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from venues import refusals
from venues.market import MINOR_PER_USD, Instrument, Side
from venues.resting import Resting
from venues.simulated_account import SimulatedAccount


class Solvency:
    """The account, its orders and the marks at one moment."""

    def __init__(
        self,
        account: SimulatedAccount,
        instruments: Mapping[str, Instrument],
        marks: Mapping[str, int],
        live: Iterable[Resting],
    ):
        self.account = account
        self.instruments = instruments
        self.marks = marks
        self.orders: dict[str, list[Resting]] = {}
        for resting in live:
            self.orders.setdefault(resting.order.symbol, []).append(resting)

    def flaw(self, arriving: Resting) -> str:
        """Why the account can't carry an order, in the venue's words; empty when it can."""
        order = arriving.order
        instrument = self.instruments[order.symbol]
        if order.side is Side.SELL and not instrument.shortable:
            return self._short(instrument, arriving)
        if order.reduce_only:
            return ""
        before = self.needed_minor(order.symbol)
        self.orders.setdefault(order.symbol, []).append(arriving)
        added = self.needed_minor(order.symbol) - before
        free = self.equity_minor() - sum(map(self.needed_minor, self.symbols())) + added
        if added <= 0 or added <= free:
            return ""
        if instrument.asset_class in refusals.MARGINED:
            return refusals.INSUFFICIENT_MARGIN
        if instrument.asset_class == "spot":
            return refusals.not_enough("USD", usd(added), usd(free))
        return refusals.INSUFFICIENT_BUYING_POWER

    def _short(self, instrument: Instrument, arriving: Resting) -> str:
        """Refusal of a sale of more than is held and not already on offer."""
        others = self.orders.get(instrument.symbol, ())
        offered = sum(resting.left for resting in others if resting.order.side is Side.SELL)
        available = self.account.lots(instrument.symbol) - offered
        if arriving.left <= available:
            return ""
        if instrument.asset_class != "spot":
            return refusals.cannot_be_shorted(instrument.symbol)
        asset = instrument.symbol.split("/")[0]
        return refusals.not_enough(asset, instrument.size(arriving.left), instrument.size(max(0, available)))

    def symbols(self) -> list[str]:
        """Names that are held or ordered, each once."""
        return list(dict.fromkeys([*self.account.holdings, *self.orders]))

    def needed_minor(self, symbol: str) -> int:
        """What a name ties down: margin of its position and orders at the worse side, and the fees of the orders."""
        instrument = self.instruments[symbol]
        longest = shortest = self._position_minor(instrument)
        fees = 0
        for resting in self.orders.get(symbol, ()):
            order = resting.order
            if order.reduce_only:
                continue
            value = instrument.notional_minor(order.ticks, resting.left)
            fees += max(0, self.account.fee_minor(instrument, order.ticks, resting.left, maker=False))
            if resting.sign > 0:
                longest += value
            else:
                shortest -= value
        return -(-max(abs(longest), abs(shortest)) // instrument.leverage) + fees

    def equity_minor(self) -> int:
        """Cash and what the positions are worth."""
        return self.account.cash_minor + sum(map(self._value_minor, self.account.holdings))

    def _value_minor(self, symbol: str) -> int:
        """What a position adds to equity; at cost while nobody knows a price."""
        instrument, mark = self.instruments[symbol], self.marks.get(symbol)
        if mark is not None:
            return self.account.value_minor(instrument, mark)
        return 0 if instrument.asset_class in refusals.MARGINED else self.account.holdings[symbol].cost_minor

    def _position_minor(self, instrument: Instrument) -> int:
        """Value of a position with its sign; at cost while nobody knows a price."""
        holding = self.account.holdings.get(instrument.symbol)
        if holding is None:
            return 0
        mark = self.marks.get(instrument.symbol)
        return holding.cost_minor if mark is None else instrument.notional_minor(mark, holding.lots)


def usd(minor: int) -> Decimal:
    """Minor units as dollars."""
    return Decimal(minor) / MINOR_PER_USD
