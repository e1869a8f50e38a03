"""What is asked before anything is traded: who signs for whom, what is listed, what limits and leverage stand.

/info answers about an agent wallet as about an empty account, so questions go to the account and signatures come from
the agent. Sources: the venue's pages "Info endpoint" and "Nonces and API wallets".
"""

from collections.abc import Callable, Collection, Sequence

from msgspec import Struct
from msgspec.structs import replace

from config.errors import ConfigError
from config.universe import SymbolFacts
from supervisor.clock import NS_PER_MS
from venues.hyperliquid import info
from venues.hyperliquid.asking import Asker
from venues.hyperliquid.info import MAIN_DEX, ClearinghouseState
from venues.hyperliquid.meta import Universe, assets_of, dexs_of, instrument_of, universe_of
from venues.hyperliquid.sign import AccountAddress, SignerAddress
from venues.hyperliquid.trading import Desk
from venues.market import MINOR_PER_USD, Instrument
from venues.venue import VenueMisspoke, VenueUnreachable

Tell = Callable[[str], None]

AGENT_SOON_MS = 7 * 86_400_000
"""An agent wallet that ends within a week is worth a word."""

WRONG_KEY = "hyperliquid_agent_key"


class Listed(Struct, frozen=True):
    """What the venue lists of what is wanted."""

    universe: Universe
    dexs: tuple[str, ...]  # whose accounts and orders are ours to look at
    held: tuple[Instrument, ...]  # held, but not traded any more


async def listed(asker: Asker, wanted: Sequence[SymbolFacts], held: Collection[str], tell: Tell) -> Listed:
    """The instruments of the venue's live meta; what is refused is told. ConfigError where nothing is left."""
    names = [facts.symbol for facts in wanted]
    dexs = dexs_of([*names, MAIN_DEX])
    known = await asker.ask(info.perp_dexs()) if len(dexs) > 1 else (None,)
    assets = assets_of(known, {dex: await asker.ask(info.meta(dex)) for dex in dexs})
    universe = universe_of(assets, wanted)
    for refused in universe.refused:
        tell(str(refused))
    if not universe.instruments:
        engine = wanted[0].engine if wanted else "perps"
        raise ConfigError(f"{engine}.symbols", f"the venue trades none of them: {universe.refused[0]}", ",".join(names))
    gone = {refused.name for refused in universe.refused} & set(held) & assets.keys()
    facts_of = {facts.symbol: facts for facts in wanted}
    traded = {**universe.assets, **{name: assets[name] for name in gone}}
    universe = Universe(universe.instruments, traded, universe.refused)
    return Listed(universe, dexs, tuple(instrument_of(assets[name], facts_of[name]) for name in sorted(gone)))


async def vault_of(asker: Asker, signer: SignerAddress, account: AccountAddress, tell: Tell) -> AccountAddress | None:
    """The account to name in each action, if it is a sub-account or vault. ConfigError for a key that may not sign."""
    if str(signer) == str(account):
        return None
    role = await asker.ask(info.user_role(signer))
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


async def set_leverages(desk: Desk, universe: Universe, states: Sequence[ClearinghouseState], tell: Tell) -> None:
    """Set each asset's leverage, but where a position shows that it stands already; what is refused is told."""
    shown = {row.position.coin: row.position.leverage for state in states for row in state.asset_positions}
    for instrument in universe.instruments:
        asset, now = universe.assets[instrument.symbol], shown.get(instrument.symbol)
        cross = not instrument.isolated
        if now is not None and now.value == instrument.leverage and (now.type == "cross") == cross:
            continue
        try:
            refused = await desk.set_leverage(asset, instrument.leverage, cross=cross)
        except (VenueUnreachable, VenueMisspoke) as error:
            refused = f"{type(error).__name__}: {error}"
        if refused:
            tell(f"leverage of {instrument.symbol} could not be set to {instrument.leverage}: {refused}")


def cash_of(state: ClearinghouseState) -> int:
    """A dex's collateral in millionths of a dollar: its worth without what open positions have gained or lost."""
    gained = sum(row.position.unrealized_pnl for row in state.asset_positions)
    return round((state.margin_summary.account_value - gained) * MINOR_PER_USD)


def facts_for(wanted: Sequence[SymbolFacts], engine: str, leverage: dict[str, int]) -> tuple[SymbolFacts, ...]:
    """What an engine wants: under its own name, with the leverage that its profile gives."""
    return tuple(replace(facts, engine=engine, leverage=leverage.get(facts.symbol, facts.leverage)) for facts in wanted)
