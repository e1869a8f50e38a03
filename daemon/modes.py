"""Modes: which venue stands behind the graph. The graph itself is the same in all of them."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from actors.given_bars import BarSource
from actors.ledger import LedgerMind
from config.errors import ConfigError
from config.profile import EngineName, Profile
from config.sessions import load_sessions
from config.settings import Settings
from config.universe import load_universe
from daemon.markets import instrument_of, model_of
from daemon.options import Mode, RunOptions
from daemon.scenarios import AskedScenario, scenarios_of
from risk.ledger.postings import Deposit
from risk.money import to_minor
from risk.session import SessionCalendar, is_open
from supervisor.clock import Clock
from venues.aleatoric.market import AleatoricMarket
from venues.latency import Latency, LatencyModel
from venues.market import Instrument, VenuePosition
from venues.matching import MatchingEngine
from venues.shadow import ShadowVenue
from venues.simulated import MarketSource, SimulatedVenue
from venues.venue import Venue

SYNTHETIC_START_NS = 1_767_571_200_000_000_000
"""2026-01-05 00:00 UTC, a Monday: where virtual time begins, so that a day of it holds a session of every market."""

REAL = (Mode.LIVE, Mode.PAPER, Mode.SHADOW)
"""Modes whose books come from a real venue."""


class Real(NamedTuple):
    """What a real venue is made of beside a profile and a clock."""

    settings: Settings
    opening: LedgerMind
    data_dir: Path
    trades: bool  # else its market alone is wanted: shadow
    seed: int


def hyperliquid(profile: Profile, clock: Clock, real: Real) -> Venue:
    """Hyperliquid; its libraries are loaded only where it is spoken to."""
    from daemon import hyperliquid as speaker

    settings, opening, data_dir, trades, seed = real
    return speaker.adapter_of(profile, settings, opening, clock, data_dir, trades=trades, seed=seed)


def signer_lock(
    mode: Mode, profiles: Mapping[EngineName, Profile], settings: Settings, data_dir: Path
) -> AbstractContextManager[object]:
    """The right to sign with the run's key, where orders are signed. Raises ConfigError, also when it is entered."""
    signs = any(one.venue == "hyperliquid" and not one.in_shadow for one in profiles.values())
    if mode is not Mode.LIVE or not signs:
        return nullcontext()
    from daemon import hyperliquid as speaker

    return speaker.agent_lock(settings, data_dir)


def alpaca(profile: Profile, clock: Clock, real: Real) -> Venue:
    """Alpaca; what it needs is loaded only where it is spoken to."""
    from daemon import alpaca as speaker

    settings, opening, _, trades, seed = real
    return speaker.adapter_of(profile, settings, opening, clock, trades=trades, seed=seed)


def prepare(profiles: Mapping[EngineName, Profile]) -> None:
    """Load what real venues need, before a loop runs that it would hold up."""
    if any(profile.venue == "hyperliquid" for profile in profiles.values()):
        from daemon import hyperliquid as speaker

        speaker.prepare()


ADAPTERS: dict[str, Callable[[Profile, Clock, Real], Venue]] = {"alpaca": alpaca, "hyperliquid": hyperliquid}
"""Real venues that this version speaks, by the name profiles call them; each brings its own folder in venues/."""


BarSourceMaker = Callable[[Mapping[str, str], Clock, Settings, int], BarSource]


def alpaca_bars(names: Mapping[str, str], clock: Clock, settings: Settings, seed: int) -> BarSource:
    """Alpaca's bars of coins, over the connection that a crypto engine of the run has too."""
    from daemon import alpaca as speaker

    return speaker.data_of(clock, settings, seed).crypto_bars(names)


def alpaca_key(settings: Settings) -> None:
    """Refuse a run whose bars nobody would give. Raises ConfigError."""
    from daemon import alpaca as speaker

    speaker.data_login_of(settings)


BAR_SOURCES: dict[str, BarSourceMaker] = {"alpaca": alpaca_bars}
"""Sources of bars beside the venue, by the name profiles call them: made of symbols' names there, and settings."""

BAR_KEYS: dict[str, Callable[[Settings], None]] = {"alpaca": alpaca_key}
"""What a source wants of the settings."""


def bar_sources(profile: Profile, clock: Clock, settings: Settings, seed: int) -> dict[str, BarSource]:
    """The sources that an engine's profile names."""
    return {source: BAR_SOURCES[source](names, clock, settings, seed) for source, names in profile.bars_given().items()}


@cache
def session_calendar() -> SessionCalendar:
    """When US stocks trade, for the rules that ask."""
    known = load_sessions()
    return SessionCalendar(
        first=known.first,
        last=known.last,
        holidays=frozenset(known.holidays),
        half_days=frozenset(known.half_days),
    )


def refuse_missing(options: RunOptions, profiles: Mapping[EngineName, Profile], settings: Settings) -> None:
    """Say so when a mode needs a venue that this version does not speak. Raises ConfigError."""
    if options.mode not in REAL:
        return
    for engine, profile in profiles.items():
        if profile.venue not in ADAPTERS:
            right = f"{engine} needs {profile.venue}, which this version does not speak yet; synthetic mode does run"
            raise ConfigError("--mode", right, options.mode.value)
        for source in profile.bars_given():
            if source not in BAR_SOURCES:
                known = ", ".join(BAR_SOURCES) or "none yet"
                right = f"this version has no bars of that source ({known}); without the table bars are the venue's own"
                raise ConfigError(f"{engine}.bars.{source}", right)
            if source in BAR_KEYS:
                BAR_KEYS[source](settings)


def account_of(mode: Mode, profile: Profile) -> str:
    """Whose money an engine trades: at a real venue all have one login, simulated accounts are each engine's own."""
    real = mode in (Mode.LIVE, Mode.PAPER) and not profile.in_shadow
    return profile.venue if real else profile.engine


def real_venue(mode: Mode, profile: Profile, clock: Clock, real: Real) -> Venue:
    """An engine's venue in live, paper and shadow; orders of an engine or a run in shadow never leave the machine."""
    trades = mode is not Mode.SHADOW and not profile.in_shadow
    venue = ADAPTERS[profile.venue](profile, clock, real._replace(trades=trades))
    if trades:
        return venue
    engine = matching_engine(profile, universe(profile), real.opening)
    return ShadowVenue(venue, engine, latency_of(profile, real.seed), clock)


def universe(profile: Profile) -> dict[str, Instrument]:
    """What an engine trades, as the universe's file has it, with the profile's leverage."""
    known, leverage = load_universe(profile.universe), profile.leverage
    return {
        symbol: replace(one, engine=profile.engine, leverage=leverage.get(symbol, one.leverage))
        for symbol, one in ((symbol, instrument_of(known[symbol])) for symbol in profile.symbols)
    }


def known_instruments(engine: EngineName) -> dict[str, Instrument]:
    """Everything an engine's universe knows."""
    return {symbol: instrument_of(facts) for symbol, facts in load_universe(engine).items()}


def deposits(mode: Mode, profiles: Mapping[EngineName, Profile], at_ns: int) -> tuple[Deposit, ...]:
    """The money that simulated accounts open with; booked once for each data directory."""
    real = mode in (Mode.LIVE, Mode.PAPER)  # there the venue says what is there
    return tuple(
        Deposit(engine, "opening", to_minor(profile.simulated.cash_usd), at_ns)
        for engine, profile in profiles.items()
        if profile.in_shadow or not real
    )


Source = Callable[[Profile, int], MarketSource]
"""An engine's market from a time on."""


def synthetic_source(seed: int, calendar: SessionCalendar, scenarios: Sequence[AskedScenario] = ()) -> Source:
    """Aleatoric's market of an engine's symbols; equities stand still outside their session."""

    def source(profile: Profile, start_ns: int) -> MarketSource:
        known = load_universe(profile.universe)
        models = [
            replace(model_of(known[symbol]), scenarios=scenarios_of(symbol, scenarios)) for symbol in profile.symbols
        ]
        return AleatoricMarket(models, seed, start_ns, lambda at_ns: is_open("us_equities", at_ns, calendar))

    return source


def simulated_venue(
    profile: Profile,
    instruments: Mapping[str, Instrument],
    source: MarketSource,
    opening: LedgerMind,
    clock: Clock,
    seed: int,
) -> Venue:
    """An engine's venue in synthetic and replay; its account starts from what the ledger holds."""
    engine = matching_engine(profile, instruments, opening)
    return SimulatedVenue(f"{profile.venue} (simulated)", source, engine, latency_of(profile, seed), clock)


def remote_venue(profile: Profile, options: RunOptions, settings: Settings, opening: LedgerMind, clock: Clock) -> Venue:
    """An engine's venue whose market another process makes (`obid serve`); orders never leave the machine."""
    from venues.aleatoric.remote import Remote, RemoteMarket

    known, instruments = load_universe(profile.universe), universe(profile)
    remote = Remote(
        url=options.feed,
        key=feed_key(settings),
        seed=options.seed,
        presets={symbol: f"{profile.universe}:{symbol}" for symbol in instruments},
        models={symbol: model_of(known[symbol]) for symbol in instruments},
        instruments=tuple(instruments.values()),
    )
    engine = matching_engine(profile, instruments, opening)
    return ShadowVenue(RemoteMarket(remote, clock), engine, latency_of(profile, options.seed), clock)


def feed_key(settings: Settings) -> str:
    """The key for another process's market. Raises ConfigError where there is none."""
    if settings.aleatoric_key is None:
        raise ConfigError("aleatoric_key", "--feed needs one: obid keys create --scope stream, then OBID_ALEATORIC_KEY")
    return settings.aleatoric_key.get_secret_value()


def latency_of(profile: Profile, seed: int) -> LatencyModel:
    """How far away the simulated account is."""
    simulated = profile.simulated
    return LatencyModel(Latency(simulated.latency_ms, simulated.latency_jitter_ms), f"{seed}/{profile.engine}")


def matching_engine(profile: Profile, instruments: Mapping[str, Instrument], opening: LedgerMind) -> MatchingEngine:
    """The matching engine with the account as the ledger left it."""
    engine, books = profile.engine, opening.books
    fees: dict[str, tuple[float, float]] = {kind: (fee.maker_bps, fee.taker_bps) for kind, fee in profile.fees.items()}
    held = [
        VenuePosition(symbol, position.lots, position.entry_ticks(books.instrument(engine, symbol)))
        for symbol, position in books.positions.get(engine, {}).items()
    ]
    money = books.money(engine)
    cash_minor = money.cash_minor if money.capital_minor else to_minor(profile.simulated.cash_usd)
    return MatchingEngine(engine, instruments.values(), fees, cash_minor, held, opening.fills.get(engine, 0))
