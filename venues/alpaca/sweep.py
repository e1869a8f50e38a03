"""Alpaca swept: every open order of an account cancelled, all at once or one by one, with a key of its own if given.

Alpaca has no switch that cancels when a client is gone (none is in its docs), so this is the only guard there.
"""

from collections.abc import Sequence
from typing import Any

from supervisor.clock import Clock
from venues.alpaca.login import Login
from venues.alpaca.rest import Refused, Rest
from venues.alpaca.trading_wire import Account, MarketClock, Order
from venues.sweep import LIMITS, Resting

ORDERS, ACCOUNT, CLOCK = "/v2/orders", "/v2/account", "/v2/clock"
NOBODYS = "00000000-0000-0000-0000-000000000000"
"""An order that there is not: who may cancel is told so, who may not is told that."""

OPEN = {"status": "open", "limit": "500"}
"""The most rows that a page has; what is behind them is seen when they are gone."""

SHUT_OUT = (401, 403)
WAITS_FOR_PRICE = ("stop", "stop_limit", "trailing_stop")
"""Types that protect a position; an order says nothing else of that here."""

PAUSE_S = 1.0
"""Between looks: 60 of the 200 requests that an account has in a minute."""


class AlpacaSweep:
    """The account as the dead man sees it."""

    name = "alpaca"

    def __init__(self, url: str, login: Login, clock: Clock):
        self.account = ""
        self.signer = ""
        self.near: tuple[str, ...] = ()
        self._rest = Rest(url, login, clock, LIMITS, spare=0)  # the last requests of a minute are for this

    async def prove(self) -> str:
        """See whose key it is, and that it may cancel."""
        account = await self._rest.ask(Account, ACCOUNT)
        if isinstance(account, Refused):
            return f"the key is refused: {account.text}"
        self.account = account.id
        answer = await self._rest.act(Order, "DELETE", f"{ORDERS}/{NOBODYS}")
        shut_out = isinstance(answer, Refused) and answer.status in SHUT_OUT
        return f"the key may not cancel: {answer.text}" if isinstance(answer, Refused) and shut_out else ""

    async def reach(self) -> None:
        """Ask what time it is there."""
        await self._rest.must(MarketClock, CLOCK)

    async def look(self, *, everywhere: bool) -> Sequence[Resting]:
        """Open orders; those whose cancel is pending are still among them."""
        rows = await self._rest.must(tuple[Order, ...], ORDERS, OPEN)
        return [Resting(row.id, row.symbol, row.type in WAITS_FOR_PRICE) for row in rows]

    def pause_s(self) -> float:
        """The same each time."""
        return PAUSE_S

    async def cancel(self, orders: Sequence[Resting], *, every: bool) -> list[str]:
        """All with one request, or each with its own."""
        if every:
            answer = await self._rest.act(list[Any], "DELETE", ORDERS)
            return [answer.text] if isinstance(answer, Refused) else []
        refusals = []
        for order in orders:
            said = await self._rest.act(Order, "DELETE", f"{ORDERS}/{order.id}")
            if isinstance(said, Refused) and not said.missing:
                refusals.append(said.text)
        return list(dict.fromkeys(refusals))

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()
