"""Alpaca as the daemon runs it: settings, the ledger's memory and what engines share become adapters."""

from collections.abc import Callable, Sequence

from actors.ledger import LedgerMind
from config.errors import ConfigError
from config.profile import Profile
from config.settings import Settings
from config.universe import load_universe
from daemon.books import concerned, known_ns
from daemon.modes import session_calendar
from daemon.venue_places import alpaca_url
from risk.order import OrderState
from risk.session import is_rth
from supervisor.clock import Clock
from venues.alpaca.adapter import Alpaca
from venues.alpaca.data import Data
from venues.alpaca.login import Login
from venues.alpaca.parts import MarketFeed, Shared, Wanted
from venues.alpaca.plan import PLANS
from venues.alpaca.rest import Rest
from venues.alpaca.rules import CLASSES
from venues.alpaca.trading_stream import TradingStream
from venues.chains import Restored
from venues.rest import rest_url

DATA_URL, STREAM_URL = "https://data.alpaca.markets", "https://stream.data.alpaca.markets"
"""The venue's public addresses (docs, "Authentication", "Streaming Market Data")."""

UNSURE = (
    *(OrderState.PLANNED, OrderState.SENT, OrderState.CANCELLING),  # a cancel may be sent before there is a verdict
    *(OrderState.UNKNOWN, OrderState.REJECTED),
)
"""States of an order of which nobody knows that the venue ever had it."""


def login_of(settings: Settings, *, live: bool) -> Login:
    """The key for orders: of live, or of paper, which shadow uses too."""
    kind = "live" if live else "paper"
    key_id, secret = getattr(settings, f"alpaca_{kind}_key_id"), getattr(settings, f"alpaca_{kind}_secret")
    assert key_id is not None, "check_mode asks for it"
    assert secret is not None, "the same"
    return Login(key_id, secret)


def data_login_of(settings: Settings) -> tuple[Login, str]:
    """The key for market data, and the setting to tell it under: its own, else the one for orders, else paper's.

    A live key's one stream may be wanted elsewhere. Raises ConfigError where there is none.
    """
    for kind in ("data", *(["live"] if settings.mode == "live" else []), "paper"):
        key_id, secret = getattr(settings, f"alpaca_{kind}_key_id"), getattr(settings, f"alpaca_{kind}_secret")
        if key_id is not None and secret is not None:
            return Login(key_id, secret), f"alpaca_{kind}_key_id"
    right = (
        "is missing, and Alpaca's market data wants a login: set OBID_ALPACA_DATA_KEY_ID and OBID_ALPACA_DATA_SECRET"
    )
    raise ConfigError("alpaca_data_key_id", right)


def data_urls(settings: Settings) -> tuple[str, str]:
    """Where streams of data are, and where history is; an emulator has both at one address."""
    url = settings.alpaca_data_url or settings.alpaca_url
    if not url:
        return STREAM_URL, DATA_URL
    try:
        url = rest_url(url)
    except ValueError as error:
        raise ConfigError("alpaca_data_url", str(error)) from error
    return url, url


def shared_of(clock: Clock, settings: Settings, seed: int) -> Shared:
    """The account that the engines of a run share, made by the first that asks."""

    def make() -> Shared:
        live = settings.mode == "live"
        url, login = alpaca_url(settings, live=live), login_of(settings, live=live)
        field = f"alpaca_{'live' if live else 'paper'}_key_id"
        return Shared(Rest(url, login, clock), TradingStream(url, login, clock, seed), key_field=field)

    return clock.once("alpaca account", make)


def data_of(clock: Clock, settings: Settings, seed: int) -> Data:
    """The market data that a run shares, one connection of a kind, made by the first that asks. Raises ConfigError."""

    def make() -> Data:
        streams, history = data_urls(settings)
        login, field = data_login_of(settings)
        plan, feed = PLANS[settings.alpaca_plan], settings.alpaca_feed
        return Data(streams, history, login, plan, clock, seed, feed=feed, is_open=shares_trade, field=field)

    return clock.once("alpaca data", make)


def shares_trade(at_ns: int) -> bool:
    """Whether US shares trade at a time, by our calendar."""
    return is_rth(at_ns, session_calendar())


def adapter_of(
    profile: Profile, settings: Settings, opening: LedgerMind, clock: Clock, *, trades: bool, seed: int
) -> Alpaca:
    """The adapter of an engine; one for shadow knows no account."""
    known = load_universe(profile.universe)
    account, data = shared_of(clock, settings, seed), data_of(clock, settings, seed)
    account.close_data = data.close
    facts = tuple(known[symbol] for symbol in profile.symbols)
    fees = next((profile.fees[one.asset_class] for one in facts if one.asset_class in profile.fees), None)
    wanted = Wanted(
        engine=profile.engine,
        facts=facts,
        held=tuple(concerned(opening, profile.engine)),
        known=restored(profile.engine, opening),
        known_ns=known_ns(opening, clock.now_ns()),
        fee_bps=(fees.maker_bps, fees.taker_bps) if fees is not None else (0.0, 0.0),
        leverage=dict(profile.leverage),
        opened_ns=opening.opened_ns.get(profile.engine, 0),
        taken_minor=taken_minor(profile.engine, opening),
    )
    coins = profile.universe == "crypto"
    feed_of: Callable[[Sequence[str]], MarketFeed] = data.crypto if coins else data.stocks
    adapter = Alpaca(wanted, account, feed_of, clock, trades=trades)
    data.tell = adapter.say  # of whichever engine was made last: it is one log
    return adapter


def taken_minor(engine: str, opening: LedgerMind) -> int:
    """Cash that the books of other engines of the account have: those whose instruments are of its classes."""
    here = {name for (name, _), one in opening.books.instruments.items() if one.asset_class in CLASSES}
    return sum(opening.books.money(name).cash_minor for name in sorted(here & opening.opened_ns.keys() - {engine}))


def restored(engine: str, opening: LedgerMind) -> tuple[Restored, ...]:
    """The orders that the ledger knows of an engine, in the order in which they were planned."""
    return tuple(
        Restored(
            order.request,
            order.lots_filled,
            order.fill_ids,
            order.over,
            order.state not in UNSURE or bool(order.fill_ids),
        )
        for order in opening.orders.values()
        if order.request.engine == engine
    )
