"""What is asked before anything is traded: who signs for whom, what is listed, what limits and leverage stand.

/info answers about an agent wallet as about an empty account, so questions go to the account and signatures come from
the agent. Sources: the venue's pages "Info endpoint" and "Nonces and API wallets".
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from config.universe import SymbolFacts
from supervisor.clock import NS_PER_MS, Clock
from venues.hyperliquid import info
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.cash import UNIFIED
from venues.hyperliquid.info import MAIN_DEX, ClearinghouseState, Meta, PerpDex
from venues.hyperliquid.meta import Asset, Universe, assets_of, dex_of, dexs_of, instrument_of, universe_of
from venues.hyperliquid.nonce import ClockBehind
from venues.hyperliquid.sign import AccountAddress, SignerAddress
from venues.hyperliquid.trading import Desk
from venues.market import Instrument
from venues.venue import VenueMisspoke, VenueUnreachable

Tell = Callable[[str], None]

AGENT_SOON_MS = 7 * 86_400_000
"""An agent wallet that ends within a week is worth a word."""

NEVER_SET = "never set"
WRONG_KEY, ACCOUNT = "hyperliquid_agent_key", "hyperliquid_master_address"

LISTING_TRIES, LISTING_PAUSE_S = 4, 3.0
"""A list that lacks what must be in it is asked for again: seconds after a restart of the venue it may be empty."""


LEVERAGE_PAUSE_S, LEVERAGE_PAUSE_S_MAX = 15.0, 240.0
"""Between attempts to set a leverage; twice as long each time."""


class DexUnlisted(VenueMisspoke):
    """The venue does not say what a dex lists, though it must: a position there would be taken for none."""

    def __init__(self, dex: str, why: str):
        super().__init__(f"{f'dex {dex}' if dex else 'the main dex'}: {why}")
        self.dex = dex


class Listed(Struct, frozen=True):
    """What the venue lists of what is wanted."""

    universe: Universe
    dexs: tuple[str, ...]  # whose accounts and orders are ours to look at
    held: tuple[Instrument, ...]  # held, but not traded any more


class _Said(Struct, frozen=True):
    """What the venue said of its dexs, once."""

    known: tuple[PerpDex | None, ...]
    metas: dict[str, Meta | None]  # of the dexs that it knows

    @property
    def assets(self) -> dict[str, Asset]:
        """By name."""
        return assets_of(self.known, self.metas)

    def lacking(self, dexs: Sequence[str], held: Mapping[str, Instrument]) -> DexUnlisted | None:
        """What must be there and is not: a known dex without assets, an unknown one in which something is held."""
        for dex in dexs:
            holding = [name for name in held if dex_of(name) == dex]
            meta = self.metas.get(dex)
            if dex in self.metas and (meta is None or not meta.universe):
                return DexUnlisted(dex, "the venue says that it lists nothing")
            if dex not in self.metas and holding:
                return DexUnlisted(dex, f"the venue does not know it, and the ledger holds {', '.join(holding)}")
        return None


async def _ask(asker: Asker, dexs: Sequence[str]) -> _Said:
    known = await asker.ask(info.perp_dexs()) if len(dexs) > 1 else (None,)
    there = {MAIN_DEX, *(dex.name for dex in known if dex is not None)}
    return _Said(known, {dex: await asker.ask(info.meta(dex)) for dex in dexs if dex in there})


async def _ask_until_whole(asker: Asker, dexs: Sequence[str], held: Mapping[str, Instrument]) -> _Said:
    """Ask until every dex and every name that is held is there; what was said last, where that does not come."""
    said = await _ask(asker, dexs)
    for _ in range(LISTING_TRIES - 1):
        if said.lacking(dexs, held) is None and said.metas.keys() >= set(dexs) and said.assets.keys() >= held.keys():
            break
        await asker.clock.sleep(LISTING_PAUSE_S)
        said = await _ask(asker, dexs)
    return said


async def universe_now(asker: Asker, wanted: Sequence[SymbolFacts]) -> Universe:
    """What the venue lists of what is wanted, and what not and why: asked once, for who only looks."""
    said = await _ask(asker, dexs_of([*(facts.symbol for facts in wanted), MAIN_DEX]))
    return universe_of(said.assets, wanted)


async def listed(asker: Asker, wanted: Sequence[SymbolFacts], held: Mapping[str, Instrument], tell: Tell) -> Listed:
    """The instruments of the venue's live meta; what is refused is told.

    What is held and not listed any more keeps the rules that it was bought by, so that its position is looked at.
    Raises DexUnlisted where a dex's list is empty again and again, ConfigError where nothing is left.
    """
    names = [facts.symbol for facts in wanted]
    dexs = dexs_of([*names, *held, MAIN_DEX])
    said = await _ask_until_whole(asker, dexs, held)
    if (lacking := said.lacking(dexs, held)) is not None:
        raise lacking
    assets = said.assets
    universe = universe_of(assets, wanted)
    for refused in universe.refused:
        tell(str(refused))
    if not universe.instruments:
        engine = wanted[0].engine if wanted else "perps"
        raise ConfigError(f"{engine}.symbols", f"the venue trades none of them: {universe.refused[0]}", ",".join(names))
    gone = {name: one for name, one in held.items() if name not in universe.assets}
    for name in sorted(gone):
        tell(f"{name} is held and not traded any more: its position is looked at, and nothing is opened")
    orderable = {name: assets[name] for name in gone if name in assets}
    universe = Universe(universe.instruments, {**universe.assets, **orderable}, universe.refused)
    facts_of = {facts.symbol: facts for facts in wanted}
    kept = (
        instrument_of(assets[name], facts_of[name]) if name in assets and name in facts_of else one
        for name, one in sorted(gone.items())
    )
    return Listed(universe, tuple(dex for dex in dexs if dex in said.metas), tuple(kept))


async def vault_of(asker: Asker, signer: SignerAddress, account: AccountAddress, tell: Tell) -> AccountAddress | None:
    """The account to name in each action, if it is a sub-account or vault. ConfigError for a key that may not sign."""
    role = await asker.ask(info.user_role(signer))
    if str(signer) == str(account):
        if role.role == "agent":  # whose answers are those of an empty account, and whose orders are the master's
            right = f"is the address of an agent wallet: name the account that it signs for, {role.master}"
            raise ConfigError(ACCOUNT, right, str(account))
        return None
    master = (role.master or "").lower()
    if role.role != "agent":
        right = f"its address {signer} is no agent wallet ({role.role}) and not the account itself, {account}"
        raise ConfigError(WRONG_KEY, f"{right}: approve it at the venue, or name the account it signs for")
    if master == account:
        await _warn_of_end(asker, signer, account, tell)
        return None
    owner = await asker.ask(info.user_role(account))
    if owner.role in ("subAccount", "vault") and (owner.master or "").lower() in (master, ""):
        return account
    raise ConfigError(WRONG_KEY, f"its address {signer} is an agent of {master}, not of {account}")


async def _warn_of_end(asker: Asker, signer: SignerAddress, account: AccountAddress, tell: Tell) -> None:
    """Say so if the agent's approval ends soon; an agent without a name is not in the list."""
    for agent in await asker.ask(info.extra_agents(account)):
        left_ms = agent.valid_until - asker.clock.now_ns() // NS_PER_MS
        if agent.address.lower() == signer and left_ms < AGENT_SOON_MS:
            tell(f"the approval of agent wallet {signer} ends in {left_ms / 3_600_000:.0f} hours")


async def refresh_limit(asker: Asker, account: AccountAddress) -> None:
    """Learn how many requests the account has made and may make."""
    limit = await asker.ask(info.user_rate_limit(account))
    asker.budget.address.told(limit.n_requests_used, limit.n_requests_cap + max(0, limit.n_requests_surplus))


async def is_unified(asker: Asker, account: AccountAddress, tell: Tell) -> bool:
    """Whether spot and all dexs are one pocket; not, where the venue does not say."""
    try:
        mode = await asker.ask(info.user_abstraction(account))
    except (VenueUnreachable, VenueMisspoke) as error:
        tell(f"the account is taken for one of separate pockets: {type(error).__name__}: {error}")
        return False
    return mode in UNIFIED


class Leverages:
    """Which assets may not be entered, because nobody knows that their leverage is what risk was counted with."""

    def __init__(self, desk: Desk, universe: Universe, tell: Tell):
        self.desk = desk
        self.universe = universe
        self.tell = tell
        self.open: dict[str, str] = {one.symbol: NEVER_SET for one in universe.instruments}  # symbol -> why

    async def confirm(self, states: Sequence[ClearinghouseState]) -> None:
        """Set what is open, but where a position shows that it stands already; news are told."""
        shown = {row.position.coin: row.position.leverage for state in states for row in state.asset_positions}
        for instrument in self.universe.instruments:
            symbol = instrument.symbol
            before = self.open.get(symbol)
            if before is None:
                continue
            asset, now = self.universe.assets[symbol], shown.get(symbol)
            cross, refused = not instrument.isolated, ""
            if now is None or now.value != instrument.leverage or (now.type == "cross") != cross:
                try:
                    refused = await self.desk.set_leverage(asset, instrument.leverage, cross=cross)
                except (VenueUnreachable, VenueMisspoke, ClockBehind) as error:
                    refused = f"{type(error).__name__}: {error}"
            if not refused:
                del self.open[symbol]
                if before != NEVER_SET:
                    self.tell(f"leverage of {symbol} is {instrument.leverage} now: it may be entered")
                continue
            self.open[symbol] = f"its leverage could not be set to {instrument.leverage}: {refused}"
            if self.open[symbol] != before:
                self.tell(f"{symbol} is not entered: {self.open[symbol]}")

    async def go_on(self, clock: Clock, states: Callable[[], Awaitable[Sequence[ClearinghouseState]]]) -> None:
        """Try again with pauses until all are set."""
        pause_s = LEVERAGE_PAUSE_S
        while self.open:
            await clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LEVERAGE_PAUSE_S_MAX)
            try:
                await self.confirm(await states())
            except (VenueUnreachable, VenueMisspoke):
                continue  # it is told by those who ask for the same every half minute


def facts_for(wanted: Sequence[SymbolFacts], engine: str, leverage: dict[str, int]) -> tuple[SymbolFacts, ...]:
    """What an engine wants: under its own name, with the leverage that its profile gives."""
    return tuple(replace(facts, engine=engine, leverage=leverage.get(facts.symbol, facts.leverage)) for facts in wanted)
