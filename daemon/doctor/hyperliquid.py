"""Hyperliquid as the doctor sees it: reach, clock, symbols, and of an account its key, its money and its limits.

A visit weighs some 190 of the 1,200 that an address has in a minute, and a daemon beside it leaves more than that.
"""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

from config.profile import Profile
from config.settings import Settings
from config.universe import load_universe
from daemon.doctor.line import Line, fail, ok, warn
from daemon.doctor.visit import Put, Step, clock_line, visit, websocket_line
from daemon.hyperliquid import AGENT_KEY
from daemon.venue_places import chain_of, hyperliquid_url
from supervisor.clock import NS_PER_MS, Clock
from venues.hyperliquid import info
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.budget import RequestBudget
from venues.hyperliquid.cash import Purse
from venues.hyperliquid.info import MAIN_DEX
from venues.hyperliquid.meta import USDC, dexs_of
from venues.hyperliquid.opening import facts_for, is_unified, universe_now, vault_of
from venues.hyperliquid.rest import Rest, RestLimits
from venues.hyperliquid.sign import AccountAddress, Signer, account_address
from venues.hyperliquid.socket import Socket, SocketLimits, socket_url
from venues.market import MINOR_PER_USD

NAME = "hyperliquid"
ALL_MIDS = b'{"method":"subscribe","subscription":{"type":"allMids"}}'
"""A subscription that every network has; its confirmation is the first frame."""
REQUESTS_LOW = 1_000
"""Left of what the address may send: a busy hour of it."""
LIMITS = RestLimits(connect_s=3.0, read_s=3.0, total_s=3.5)


class Visit:
    """One, for all engines of a run that trade there."""

    def __init__(self, settings: Settings, profiles: Sequence[Profile], clock: Clock, *, trades: bool):
        self.settings = settings
        self.profiles = profiles
        self.clock = clock
        self.trades = trades  # with an account; else its market alone is wanted
        self.url = hyperliquid_url(settings)
        self.rest = Rest(self.url, LIMITS)
        self.asker = Asker(self.rest, RequestBudget(), clock)
        self._clock_line = ok(f"{NAME} clock", "")

    async def go(self, put: Put) -> None:
        """All of it."""
        try:
            away = "is the network up? hyperliquid_url, DNS, firewall"
            await visit(put, (f"{NAME} rest", self.reach, away), self.steps)
        finally:
            await self.rest.close()

    def steps(self) -> dict[str, tuple[Step, str]]:
        """What can be looked at."""
        steps: dict[str, tuple[Step, str]] = {
            f"{NAME} clock": (self.clock_step, ""),
            f"{NAME} websocket": (self.websocket, "is a proxy or a firewall in the way of WebSockets?"),
            f"{NAME} symbols": (self.symbols, "spell them as the venue does: obid screen perps --source hyperliquid"),
        }
        if self.trades:
            steps[f"{NAME} key"] = (self.key, "approve an agent wallet in the venue's interface, and name its account")
            steps[f"{NAME} account"] = (self.account, "look at hyperliquid_master_address")
            steps[f"{NAME} limits"] = (self.limits, "ask again in a minute")
        return steps

    async def reach(self) -> Line:
        """Whether it answers, how fast, and by what time."""
        before_ns = self.clock.now_ns()
        status = await self.asker.ask(info.exchange_status())
        after_ns = self.clock.now_ns()
        ahead_ns = (before_ns + after_ns) // 2 - status.time * NS_PER_MS
        self._clock_line = clock_line(f"{NAME} clock", ahead_ns, (after_ns - before_ns) // 2)
        told = f"{chain_of(self.settings).value} answers after {(after_ns - before_ns) / NS_PER_MS:.0f} ms"
        if status.special_statuses:
            return warn(f"{NAME} rest", f"{told}; it says {status.special_statuses!r}", "wait until that is over")
        return ok(f"{NAME} rest", told)

    async def clock_step(self) -> Line:
        """As it was when it answered."""
        return self._clock_line

    async def websocket(self) -> Line:
        """Whether a stream opens and speaks."""
        socket = Socket(self.clock, SocketLimits(connect_s=3.0), lambda: None)
        return await websocket_line(f"{NAME} websocket", socket, socket_url(self.url), self.clock, ALL_MIDS)

    async def symbols(self) -> Line:
        """Whether the venue trades what is wanted."""
        refused, count = [], 0
        for profile in self.profiles:
            known = load_universe(profile.universe)
            facts = facts_for(tuple(known[one] for one in profile.symbols), profile.engine, dict(profile.leverage))
            universe = await universe_now(self.asker, facts)
            refused += list(universe.refused)
            count += len(universe.instruments)
        told = f"{count} of {count + len(refused)} are traded"
        if not refused:
            return ok(f"{NAME} symbols", told)
        told = "; ".join([told, *map(str, refused)])
        do = "take them out of symbols, or leave them: they are not traded"
        return warn(f"{NAME} symbols", told, do) if count else fail(f"{NAME} symbols", told, do)

    # --- with an account ----------------------------------------------------------------------------------------------

    def _account(self) -> AccountAddress:
        assert self.settings.hyperliquid_master_address is not None, "without it the account is not visited"
        return account_address(self.settings.hyperliquid_master_address)

    async def key(self) -> Line:
        """Whether it may sign for the account, and could do no more than that. Raises ConfigError."""
        assert self.settings.hyperliquid_agent_key is not None, "the same"
        try:
            signer = Signer(self.settings.hyperliquid_agent_key, chain_of(self.settings))
        except ValueError as error:
            return fail(f"{NAME} key", f"{AGENT_KEY}: {error}", "paste the agent wallet's private key")
        said: list[str] = []
        vault = await vault_of(self.asker, signer.address, self._account(), said.append)
        if str(signer.address) == str(self._account()):
            told = f"{AGENT_KEY} is the account's own key: it could withdraw everything"
            return warn(f"{NAME} key", told, "approve an agent wallet in the venue's interface and use its key")
        if said:
            return warn(f"{NAME} key", "; ".join(said), "approve it anew, or another, before then")
        of = f" (a sub-account or vault, {vault})" if vault else ""
        return ok(f"{NAME} key", f"agent wallet {signer.address} of {self._account()}{of}")

    async def account(self) -> Line:
        """Which pockets there are, and what is in them."""
        user = self._account()
        dexs = dexs_of([*(symbol for one in self.profiles for symbol in one.symbols), MAIN_DEX])
        unified = await is_unified(self.asker, user, lambda _: None)
        spot = await self.asker.ask(info.spot_state(user))
        states = await asyncio.gather(*(self.asker.ask(info.clearinghouse_state(user, dex)) for dex in dexs))
        pockets = {
            dex or "perps": usd(Purse(str(user), (dex,)).cash_minor([state], []))
            for dex, state in zip(dexs, states, strict=True)
        }
        in_spot = sum((one.total for one in spot.balances if one.token == USDC), Decimal(0))
        if unified:
            told = f"unified, {in_spot:.2f} USDC"
            return ok(f"{NAME} account", told) if in_spot else empty(told)
        told = ", ".join(f"{name} {cash:.2f}" for name, cash in pockets.items()) + f"; spot {in_spot:.2f} USDC"
        if not any(pockets.values()):
            return empty(told, in_spot)
        bare = [name for name, cash in pockets.items() if not cash]
        if bare:
            do = "fund them in the venue's interface, or leave their symbols out: entries there are refused"
            return warn(f"{NAME} account", f"{told}; nothing in {', '.join(bare)}", do)
        return ok(f"{NAME} account", told)

    async def limits(self) -> Line:
        """How many requests the address has left."""
        found = await self.asker.ask(info.user_rate_limit(self._account()))
        left = found.n_requests_cap + max(0, found.n_requests_surplus) - found.n_requests_used
        told = f"{left} of {found.n_requests_cap} requests of the address are left"
        if left < REQUESTS_LOW:
            do = "trade more (a request for each dollar) or buy some in the venue's interface; cancels go on"
            return warn(f"{NAME} limits", told, do) if left > 0 else fail(f"{NAME} limits", told, do)
        return ok(f"{NAME} limits", told)


def usd(minor: int) -> Decimal:
    """Millionths of a dollar as dollars."""
    return Decimal(minor) / MINOR_PER_USD


def empty(told: str, in_spot: Decimal = Decimal(0)) -> Line:
    """There is nothing to trade with."""
    do = f"obid fund-perp --usd {int(in_spot)}" if in_spot >= 1 else "send USDC to the account"
    return warn(f"{NAME} account", f"{told}: nothing to trade with", do)
