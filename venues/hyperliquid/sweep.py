"""Hyperliquid swept: every open order of an account on every dex, spot included, cancelled by an agent of its own.

An agent wallet has its own nonces, so what the daemon sends and what is sent here never meet. A nonce is the time: one
that was used before a restart is refused and the next try has another. Weights (docs, Rate limits): a look costs 20 for
each dex, 1,200 a minute are given to an IP address, which the daemon has too; so the dexs that it trades are looked at
often, and the others at first and now and then.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from config.errors import ConfigError
from supervisor.clock import Clock
from venues.hyperliquid import actions, info
from venues.hyperliquid.actions import Action
from venues.hyperliquid.answers import Meaning, Refused, Verdict, read_response
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.budget import RequestBudget
from venues.hyperliquid.info import MAIN_DEX, Ask
from venues.hyperliquid.meta import assets_of
from venues.hyperliquid.nonce import ClockBehind, Nonces
from venues.hyperliquid.opening import vault_of
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.sign import AccountAddress, Signer
from venues.sweep import LIMITS, Resting
from venues.venue import VenueMisspoke, VenueUnreachable

BATCH = 100
"""Cancels in one action; a batch of 40 weighs one more than a single one."""

SPOT_FIRST = 10_000
"""A spot market's asset is this and its index, which `@107` names (docs, Asset IDs)."""

LOOK_WEIGHT, WEIGHT_A_SECOND = 20, 10
"""Of a question for open orders of a dex, and half of the 1,200 a minute."""


class HyperliquidSweep:
    """The account as the dead man sees it."""

    name = "hyperliquid"

    def __init__(self, url: str, signer: Signer, account: AccountAddress, clock: Clock):
        self.account = str(account)
        self.signer = str(signer.address)
        self.near: tuple[str, ...] = ()
        self.clock = clock
        self._account = account
        self._key = signer
        self._rest = Rest(url, LIMITS)
        self._vault: AccountAddress | None = None
        self._proven = False
        self._nonces = Nonces()
        self._dexs: tuple[str, ...] = ()
        self._assets: dict[str, int] = {}
        self._said = ""
        self._looked = 1  # dexs of the last look

    # --- who may ------------------------------------------------------------------------------------------------------

    async def prove(self) -> str:
        """See that the key is an agent of the account, and that the venue takes its signature (a noop)."""
        asker = Asker(self._rest, RequestBudget(), self.clock)
        try:
            self._vault = await vault_of(asker, self._key.address, self._account, self._say)
        except ConfigError as error:
            return error.right
        if not self._dexs:
            await self._learn()
        (verdict,) = await self._act(actions.noop(), 0)
        return verdict.reason if isinstance(verdict, Refused) else ""

    def _say(self, text: str) -> None:
        self._said = text

    @property
    def said(self) -> str:
        """What a person should know of the key: when its approval ends."""
        return self._said

    async def reach(self) -> None:
        """Ask whether it is there."""
        await self._ask(info.exchange_status())

    async def _learn(self) -> None:
        """What is listed where: a cancel names its asset by number."""
        known = await self._ask(info.perp_dexs())
        names = (MAIN_DEX, *(dex.name for dex in known if dex is not None))
        metas = dict(zip(names, await asyncio.gather(*(self._ask(info.meta(dex)) for dex in names)), strict=True))
        self._assets |= {name: asset.asset_id for name, asset in assets_of(known, metas).items()}
        self._dexs = names

    # --- looking ------------------------------------------------------------------------------------------------------

    async def look(self, *, everywhere: bool) -> Sequence[Resting]:
        """Open orders of the dexs, those that wait for a trigger and those of spot included."""
        if not self._dexs:
            await self._learn()
        near = tuple(dex for dex in self.near if dex in self._dexs)
        dexs = self._dexs if everywhere or not near else near
        self._looked = len(dexs)
        asks = (self._ask(info.frontend_open_orders(self.account, dex)) for dex in dexs)
        answers = await asyncio.gather(*asks, return_exceptions=True)
        failed = [answer for answer in answers if isinstance(answer, BaseException)]
        rows = [row for answer in answers if not isinstance(answer, BaseException) for row in answer]
        resting = [Resting(str(row.oid), row.coin, bool(row.reduce_only or row.is_trigger)) for row in rows]
        ours = [error for error in failed if not isinstance(error, VenueUnreachable | VenueMisspoke)]
        if ours or (failed and all(one.protects for one in resting)):
            raise (ours or failed)[0]  # what is not shown may rest; a dex that is down keeps no other's orders alive
        return resting

    def pause_s(self) -> float:
        """By the weight of the last look."""
        return self._looked * LOOK_WEIGHT / WEIGHT_A_SECOND

    # --- cancelling ---------------------------------------------------------------------------------------------------

    async def cancel(self, orders: Sequence[Resting], *, every: bool) -> list[str]:
        """Cancel by the venue's numbers, many at once."""
        if any(self._asset(order.symbol) is None for order in orders):
            with suppress(VenueUnreachable, VenueMisspoke):  # those whose number is known go all the same
                await self._find(orders)
        named = [(self._asset(order.symbol), order) for order in orders]
        found = [(asset, int(order.id)) for asset, order in named if asset is not None]
        refusals = [f"{order.symbol} is listed nowhere" for asset, order in named if asset is None]
        for first in range(0, len(found), BATCH):
            part = found[first : first + BATCH]
            verdicts = await self._act(actions.cancel(part), len(part))
            wrong = (one for one in verdicts if isinstance(one, Refused) and one.meaning is not Meaning.OVER)
            refusals += dict.fromkeys(one.reason for one in wrong)
        return refusals

    def _asset(self, symbol: str) -> int | None:
        if symbol.startswith("@") and symbol[1:].isdigit():
            return SPOT_FIRST + int(symbol[1:])
        return self._assets.get(symbol)

    async def _find(self, orders: Sequence[Resting]) -> None:
        """Names that were not listed when this began: new ones, and spot's."""
        await self._learn()
        if any(self._asset(order.symbol) is None for order in orders):
            spot = await self._ask(info.spot_meta())
            self._assets |= {pair.name: SPOT_FIRST + pair.index for pair in spot.universe}

    # --- the wire -----------------------------------------------------------------------------------------------------

    async def _ask(self, ask: Ask[info.A]) -> info.A:
        return await self._rest.info(msgspec.json.encode(ask.body), lambda body: ask.read(body, self.clock.now_ns()))

    async def _act(self, action: Action, asked: int) -> tuple[Verdict, ...]:
        try:
            nonce = self._nonces.take(self.clock.now_ns())
        except ClockBehind as error:
            raise VenueUnreachable(str(error)) from error
        answer = await self._rest.exchange(self._key.l1(action, nonce, self._vault).body())
        verdicts = read_response(answer.status, answer.body, asked)
        if any(isinstance(one, Refused) and one.meaning is Meaning.LIMITED for one in verdicts):
            raise VenueMisspoke("the address has used up its requests")
        return verdicts

    async def close(self) -> None:
        """Let go of the connections."""
        await self._rest.close()
