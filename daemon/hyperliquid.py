"""Hyperliquid as the daemon runs it: settings, the ledger's memory and the machine's limits become an adapter."""

from contextlib import AbstractContextManager
from pathlib import Path

from actors.ledger import LedgerMind
from config.errors import ConfigError
from config.profile import Profile
from config.settings import Settings
from config.universe import load_universe
from daemon.books import concerned, known_ns
from daemon.venue_places import chain_of, hyperliquid_url, lock_of
from supervisor.clock import Clock
from venues.chains import Restored
from venues.hyperliquid.adapter import Hyperliquid, Key, Shared, Wanted
from venues.hyperliquid.budget import SPAN_NS, RequestBudget
from venues.hyperliquid.reconnect import Limits
from venues.hyperliquid.rest import Rest
from venues.hyperliquid.sign import Signer, account_address, warm_up

AGENT_KEY = "hyperliquid_agent_key"
FOLDER = "hyperliquid"
"""What the adapter keeps in the data directory: floors of nonces."""

SPENT_BEFORE = 700
"""Weight that a run is taken to have spent in its last minute: doubt is asked about every two seconds, 65 a time."""


def prepare() -> None:
    """What takes long the first time, before a loop runs."""
    warm_up()


def shared_of(clock: Clock, url: str, before_ns: int) -> Shared:
    """What all adapters of a run share; a run that ended at `before_ns`, a moment ago, has spent of the same minute.

    Engines in live and in shadow have the machine's address in common, so they share its limits.
    """

    def make() -> Shared:
        budget = RequestBudget()
        if clock.now_ns() - before_ns < SPAN_NS:
            budget.weight.spend(SPENT_BEFORE, min(max(before_ns, clock.now_ns() - SPAN_NS), clock.now_ns()))
        return Shared(Rest(url), budget, Limits())

    return clock.once("hyperliquid", make)


def adapter_of(
    profile: Profile, settings: Settings, opening: LedgerMind, clock: Clock, data_dir: Path, *, trades: bool, seed: int
) -> Hyperliquid:
    """The adapter of an engine; one that trades has the key, one for shadow knows no account."""
    known, url = load_universe(profile.universe), hyperliquid_url(settings)
    wanted = Wanted(
        engine=profile.engine,
        facts=tuple(known[symbol] for symbol in profile.symbols),
        leverage=dict(profile.leverage),
        held={
            symbol: opening.books.instrument(profile.engine, symbol) for symbol in concerned(opening, profile.engine)
        },
        known=restored(profile.engine, opening),
        known_ns=known_ns(opening, clock.now_ns()),
        opened_ns=opening.opened_ns.get(profile.engine, 0),
        fast=settings.hyperliquid_fast_books,
        poll=settings.hyperliquid_poll,
    )
    key = key_of(settings, data_dir) if trades else None
    return Hyperliquid(url, wanted, shared_of(clock, url, opening.last_ns), clock, key, seed)


def agent_lock(settings: Settings, data_dir: Path) -> AbstractContextManager[object]:
    """The same for the key of a run. Raises ConfigError for a key that is none."""
    return lock_of(AGENT_KEY, key_of(settings, data_dir).signer, settings)


def key_of(settings: Settings, data_dir: Path) -> Key:
    """Who signs. Raises ConfigError for a key that is none."""
    secret, account = settings.hyperliquid_agent_key, settings.hyperliquid_master_address
    assert secret is not None, "check_mode asks for it"
    assert account is not None, "the same"
    try:
        signer = Signer(secret, chain_of(settings))
    except ValueError as error:
        raise ConfigError(AGENT_KEY, str(error)) from None
    return Key(signer, account_address(account), data_dir / FOLDER)


def restored(engine: str, opening: LedgerMind) -> tuple[Restored, ...]:
    """The orders that the ledger knows of an engine, in the order in which they were planned."""
    return tuple(
        Restored(order.request, order.lots_filled, order.fill_ids, order.over)
        for order in opening.orders.values()
        if order.request.engine == engine
    )
