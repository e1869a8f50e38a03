"""What an account is worth, what it may still buy or sell, and why it may not.

Formulas from the venue's pages "Account" and "Margin and Short Selling": equity is cash and positions; initial margin
half of shares and all of coins; buying power is what is left, times the multiplier; coins are bought with what is
left without it. Open orders are counted in full, a replaced one until it is gone.
"""

from collections.abc import Callable
from decimal import Decimal

from venues.emulator.alpaca import errors
from venues.emulator.alpaca.accounts import Account
from venues.emulator.alpaca.errors import Refused, forbidden, unprocessable
from venues.emulator.alpaca.figures import money, plain
from venues.emulator.alpaca.listing import Asset
from venues.emulator.alpaca.orders import Order
from venues.market import Side

PDT_EQUITY_MINOR = 25_000 * 1_000_000
DAY_TRADES_MAX = 3  # the fourth within five sessions is denied
SHORT_OVER = Decimal("1.03")  # a short sale counts this much over the ask (docs, Orders, buying power)


class Funds:
    """The money of one account at the marks of the moment."""

    def __init__(self, account: Account, mark: Callable[[str], int]) -> None:
        self.account, self._mark = account, mark

    def value_minor(self, symbol: str) -> int:
        """What a position is worth, with its sign."""
        asset = self.account.assets[symbol]
        return asset.instrument.notional_minor(self._mark(symbol), self.account.lots(symbol))

    def totals(self) -> tuple[int, int, int]:
        """(long shares, short shares, coins) in minor units."""
        long = short = coins = 0
        for symbol in self.account.engine.account.holdings:
            value = self.value_minor(symbol)
            if self.account.assets[symbol].crypto:
                coins += value
            elif value > 0:
                long += value
            else:
                short += value
        return long, short, coins

    @property
    def equity_minor(self) -> int:
        """What the account is worth."""
        return self.account.cash_minor + sum(self.totals())

    @property
    def initial_margin_minor(self) -> int:
        """What positions tie down."""
        long, short, coins = self.totals()
        return (long - short) // self.account.config.margin + coins

    def reserved_minor(self, besides: str = "") -> int:
        """What open orders tie down that make a position larger."""
        reserved, margin = 0, self.account.config.margin
        closing: dict[tuple[str, Side], int] = {}
        for order in self.account.open.values():
            if order.id == besides or self._overtaken(order):
                continue
            asset, key = order.asset, (order.asset.symbol, order.side)
            left = closing.setdefault(key, max(0, -order.side.sign * self.account.lots(asset.symbol)))
            opens = max(0, order.left - left)
            closing[key] = max(0, left - order.left)
            value = asset.instrument.notional_minor(order.ticks, opens)
            reserved += value if asset.crypto else -(-value // margin)
        return reserved

    def _overtaken(self, order: Order) -> bool:
        """Whether it is one of a pair, old and new, and costs no more than the other (docs, Replace Order)."""
        account = self.account
        new = account.open.get(order.replaced_by or "")
        old = account.open.get(order.replaces or "")
        if new is not None:
            return order.ticks * order.left < new.ticks * new.left
        return old is not None and order.ticks * order.left <= old.ticks * old.left

    def free_minor(self, besides: str = "") -> int:
        """What may still be tied down."""
        return self.equity_minor - self.initial_margin_minor - self.reserved_minor(besides)

    def buying_power_minor(self, besides: str = "") -> int:
        """For shares."""
        return max(0, self.free_minor(besides)) * self.account.config.margin

    def cash_power_minor(self, besides: str = "") -> int:
        """For coins, which nobody lends money for."""
        return max(0, self.free_minor(besides))

    # --- what an order needs ----------------------------------------------------------------------------------------

    def check(self, asset: Asset, side: Side, lots: int, ticks: int, besides: str = "") -> None:
        """Refuse what the account can't carry. Raises Refused."""
        if asset.crypto:
            self._check_coins(asset, side, lots, ticks, besides)
        else:
            self._check_shares(asset, side, lots, ticks, besides)

    def _check_coins(self, asset: Asset, side: Side, lots: int, ticks: int, besides: str) -> None:
        account = self.account
        coin = asset.symbol.partition("/")[0]
        if side is Side.SELL:
            held = max(0, account.lots(asset.symbol))
            available = max(0, held - account.on_offer(asset.symbol, Side.SELL, besides))
            if lots > available:
                raise _short_of(coin, lots * asset.lot, available * asset.lot, held * asset.lot)
            return
        needed, free = asset.instrument.notional_minor(ticks, lots), self.cash_power_minor(besides)
        if needed > free:
            over = Decimal(1_000_000)
            raise _short_of("USD", needed / over, free / over, max(0, account.cash_minor) / over)

    def _check_shares(self, asset: Asset, side: Side, lots: int, ticks: int, besides: str) -> None:
        account = self.account
        held = account.lots(asset.symbol)
        if held * side.sign < 0:
            available = max(0, abs(held) - account.on_offer(asset.symbol, side, besides))
            if lots > available:
                raise self._held(asset, side, lots, available, besides)
            return
        if side is Side.SELL:
            self._check_short(asset, lots)
            ticks = round(ticks * SHORT_OVER)
        cost, power = asset.instrument.notional_minor(ticks, lots), self.buying_power_minor(besides)
        if cost > power:
            raise forbidden(errors.POOR, buying_power=money(power), cost_basis=money(cost))

    def _check_short(self, asset: Asset, lots: int) -> None:
        if (lots * asset.lot) % 1:
            raise unprocessable(errors.FRACTIONAL_SHORT)
        if not asset.shortable:
            raise unprocessable(f'asset "{asset.symbol}" cannot be sold short')
        if self.account.config.margin == 1 or self.account.configurations["no_shorting"]:
            raise forbidden(errors.NO_SHORTS)

    def _held(self, asset: Asset, side: Side, lots: int, available: int, besides: str) -> Refused:
        """More is to be closed than there is, or than is not yet on offer."""
        account, lot = self.account, asset.lot
        mine = [o for o in account.open.values() if o.asset is asset and o.side is side and o.id != besides]
        asked = f"requested: {plain(lots * lot)}, available: {plain(available * lot)}"
        return forbidden(
            f"insufficient qty available for order ({asked})",
            available=plain(available * lot),
            existing_qty=plain(abs(account.lots(asset.symbol)) * lot),
            held_for_orders=plain(sum(order.left for order in mine) * lot),
            related_orders=[order.id for order in mine],
            symbol=asset.symbol,
        )

    def check_day_trade(self, asset: Asset, side: Side, since_ns: int) -> None:
        """Pattern day trading protection, where the account has it. Raises Refused."""
        account = self.account
        if not account.config.pdt or asset.crypto or account.last_equity_minor >= PDT_EQUITY_MINOR:
            return
        today = account.traded.get(asset.symbol)
        closes = account.lots(asset.symbol) * side.sign < 0
        opened = today is not None and bool(today.bought if side is Side.SELL else today.sold)
        made = sum(at_ns >= since_ns for at_ns in account.day_trades)
        if closes and opened and made >= DAY_TRADES_MAX:
            raise Refused(403, errors.DAY_TRADES, errors.PDT)


def _short_of(coin: str, requested: Decimal, available: Decimal, balance: Decimal) -> Refused:
    return forbidden(
        f"insufficient balance for {coin} (requested: {plain(requested)}, available: {plain(available)})",
        available=plain(available),
        balance=plain(balance),
        symbol=coin,
    )
