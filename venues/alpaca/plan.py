"""What a market data plan lets one connection hear, and what of a wish fits into it.

Figures are those of the venue's docs as of 2025-04 ("Real-time Crypto Data", "Subscription Plans") and of its limits
page of 2026-05: Basic has one connection for each endpoint, 30 channels of trades and quotes on it, 10 order books, any
number of bars, 200 requests a minute, and of stocks IEX alone. Nobody promises that they stay: an endpoint that refuses
sooner (405) is believed, and what it refused is told like what did not fit.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct

Key = tuple[str, str]
"""Channel (trades, quotes, orderbooks, bars) and symbol."""

ORDERBOOKS, QUOTES, TRADES, BARS = "orderbooks", "quotes", "trades", "bars"
COUNTED = {ORDERBOOKS: "order books", TRADES: "trades and quotes", QUOTES: "trades and quotes"}
"""What a channel counts as; bars count as nothing."""


class Plan(Struct, frozen=True, kw_only=True):
    """A subscription to Alpaca's market data."""

    name: str
    channels_max: int | None  # trades and quotes of an endpoint, each symbol of each counted; None: any number
    books_max: int | None  # order books, which crypto alone has
    requests_per_minute: int  # of the market data's REST; the trading API counts its own
    feeds: tuple[str, ...]  # of stocks: iex, sip


BASIC = Plan(name="basic", channels_max=30, books_max=10, requests_per_minute=200, feeds=("iex",))
PLUS = Plan(name="plus", channels_max=None, books_max=None, requests_per_minute=10_000, feeds=("iex", "sip"))
PLANS = {plan.name: plan for plan in (BASIC, PLUS)}


class Coverage(Struct, frozen=True):
    """What of the symbols somebody wants is heard, and why not the others."""

    covered: tuple[str, ...]
    uncovered: dict[str, str]  # symbol -> reason
    partly: dict[str, str] = {}  # heard, but without a channel that was wanted beside: which, and why

    def __str__(self) -> str:
        wanted = len(self.covered) + len(self.uncovered)
        text = f"{len(self.covered)} of {wanted} symbols are covered"
        for verb, symbols in (("not", self.uncovered), ("partly", self.partly)):
            for reason in dict.fromkeys(symbols.values()):
                names = ", ".join(symbol for symbol, why in symbols.items() if why == reason)
                text += f"; {verb}: {names} ({reason})"
        return text


class Room:
    """What is left of a plan on one endpoint; whoever asks first is let in."""

    def __init__(self, plan: Plan):
        self.plan = plan
        self.room = {"order books": plan.books_max, "trades and quotes": plan.channels_max}
        self.taken: dict[Key, None] = {}

    def take(self, keys: Iterable[Key]) -> dict[Key, str]:
        """Book what fits, in the order given; what does not, with the reason. What is booked already costs nothing."""
        left_out: dict[Key, str] = {}
        for key in keys:
            counted = COUNTED.get(key[0], "")
            bound = self.room.get(counted)
            used = sum(1 for channel, _ in self.taken if COUNTED.get(channel) == counted)
            if key not in self.taken and bound is not None and used >= bound:
                left_out[key] = f"the plan {self.plan.name} has {bound} {counted} on a connection"
            else:
                self.taken[key] = None
        return left_out


def coverage(symbols: Collection[str], channels: Collection[str], left_out: dict[Key, str]) -> Coverage:
    """What symbols are heard on their first channel, and which lack another one."""
    main, *more = channels
    uncovered = {symbol: left_out[main, symbol] for symbol in symbols if (main, symbol) in left_out}
    covered = tuple(symbol for symbol in symbols if symbol not in uncovered)
    partly = {
        symbol: f"no {channel}: {left_out[channel, symbol]}"
        for channel in more
        for symbol in covered
        if (channel, symbol) in left_out
    }
    return Coverage(covered, uncovered, partly)
