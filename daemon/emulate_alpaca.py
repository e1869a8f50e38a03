"""`obid emulate alpaca` at work: coins and shares, their sessions, accounts with keys, and the faults of a bad day."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec import Struct

from config.sessions import load_sessions
from config.universe import SymbolFacts, load_universe
from daemon.emulate import PORT_MAX, USD_MAX, WARM_UP_NS, WHERE, Where, listening, serve
from daemon.errors import BadInput
from daemon.markets import model_of
from daemon.modes import session_calendar
from risk.session import is_open
from supervisor.clock import NS_PER_S, Clock
from supervisor.draws import identity
from venues.aleatoric.market import AleatoricMarket
from venues.emulator.agenda import VenueTime
from venues.emulator.alpaca.config import BASIC, FEES, NO_FEES, PLANS, PLUS, AccountConfig, ExchangeConfig, Plan
from venues.emulator.alpaca.doors import AlpacaDoors
from venues.emulator.alpaca.exchange import AlpacaExchange
from venues.emulator.alpaca.faults import DEFAULT
from venues.emulator.faults import HYPERLIQUIDS, BadFaults, Fault, read
from venues.emulator.schedule import Faults
from venues.emulator.serve import Emulator

__all__ = ["PORT_MAX", "AskedAlpaca", "asked_alpaca", "emulator_of_alpaca", "serve_alpaca"]
ENGINES = ("crypto", "equities")
USD_DEFAULT = Decimal(100_000)
"""What the real venue gives a new paper account."""
ACCOUNT = re.compile(r"([A-Za-z0-9]{4,64}):(\d+(?:\.\d+)?)((?::(?:cash|noshort|pdt))*)", re.ASCII)
KEY_DIGITS, SECRET_DIGITS = 18, 40


class AskedAlpaca(Struct, frozen=True, kw_only=True):
    """What to emulate."""

    where: Where
    seed: int
    speed: float | None  # None: stepped
    start_ns: int | None  # None: now
    faults: tuple[Fault, ...]
    faults_seed: int
    accounts: tuple[AccountConfig, ...]
    symbols: tuple[str, ...]
    plan: Plan
    fees: bool
    live: bool  # the trading stream speaks text, as the live venue's does


def universe() -> dict[str, SymbolFacts]:
    """Every coin and share that there is."""
    return {symbol: facts for engine in ENGINES for symbol, facts in load_universe(engine).items()}


def asked_alpaca(
    *,
    where: Where,
    seed: int,
    speed: float | None,
    start: str = "",
    faults: str = "none",
    accounts: Sequence[str] = (),
    symbols: tuple[str, ...] = (),
    plan: str = "basic",
    fees: bool = True,
    live: bool = False,
) -> AskedAlpaca:
    """What is asked for, complete. Raises BadInput for the first thing that is wrong."""
    known = universe()
    for symbol in symbols:
        if symbol not in known:
            raise BadInput("--symbols", symbol, "a pair like BTC/USD or a share like COST of config/universe")
    if plan not in PLANS:
        raise BadInput("--plan", plan, f"one of {', '.join(PLANS)}")
    try:
        rules, faults_seed = read(faults, DEFAULT, HYPERLIQUIDS)
    except BadFaults as error:
        raise BadInput("--faults", faults, str(error)) from error
    return AskedAlpaca(
        where=where,
        seed=seed,
        speed=speed,
        start_ns=parse_start(start) if start else None,
        faults=rules,
        faults_seed=seed if faults_seed is None else faults_seed,
        accounts=tuple(parse_account(text, seed) for text in accounts or [f"{throw_away_key(seed)}:{USD_DEFAULT}"]),
        symbols=symbols or tuple(known),
        plan=PLANS[plan],
        fees=fees,
        live=live,
    )


def parse_start(text: str) -> int:
    """A time in UTC that the calendar knows."""
    known = load_sessions()
    right = f"a time like 2026-01-05T14:00Z, from {known.first} to {known.last}"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadInput("--start", text, right) from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    if not known.first < at.date() < known.last:
        raise BadInput("--start", text, right)
    return round(at.timestamp()) * NS_PER_S


def parse_account(text: str, seed: int) -> AccountConfig:
    """KEY:USD, and what the account may not do; its secret is derived, so that none stands in a command."""
    told = ACCOUNT.fullmatch(text.strip())
    if told is None or not 0 <= Decimal(told[2]) <= USD_MAX:
        right = "KEY:USD, and :cash (no margin), :noshort or :pdt (day trading protection) if you like"
        raise BadInput("--account", text, right)
    ways = told[3].split(":")
    return AccountConfig(
        key_id=told[1],
        secret=secret_of(told[1], seed),
        usd=Decimal(told[2]),
        multiplier=1 if "cash" in ways else 2,
        shorting="noshort" not in ways,
        pdt="pdt" in ways,
    )


def plan_for(symbols: Sequence[str]) -> str:
    """The smallest plan on which all of them are heard."""
    coins = sum("/" in symbol for symbol in symbols)
    wanted = ((coins, BASIC.orderbooks_max), (len(symbols) - coins, BASIC.symbols_max))
    return (BASIC if all(most is None or count <= most for count, most in wanted) else PLUS).name


def throw_away_key(seed: int) -> str:
    """The key of the account that is there when none is named."""
    return "PK" + identity(seed, "emulated alpaca", 0).removeprefix("0x")[:KEY_DIGITS].upper()


def secret_of(key: str, seed: int) -> str:
    """A secret that everybody knows who knows the seed: good for an emulator, and for nothing else."""
    digits = (identity(seed, f"emulated alpaca/{key}", part).removeprefix("0x") for part in (1, 2))
    return "".join(digits)[:SECRET_DIGITS]


def serve_alpaca(asked: AskedAlpaca, *, as_json: bool) -> int:
    """Serve until a signal comes. Raises BadInput when the port is another's, Failed when the server can't be kept."""
    listener = listening(asked.where)
    port = int(listener.getsockname()[1])
    return serve(
        listener,
        lambda clock: emulator_of_alpaca(asked, clock),
        shown(asked, port, as_json=as_json),
        speed=asked.speed,
        epoch_ns=asked.start_ns,
    )


def emulator_of_alpaca(asked: AskedAlpaca, clock: Clock) -> Emulator:
    """The venue with its market, accounts and faults, at the clock's time."""
    known, calendar = universe(), session_calendar()
    time = VenueTime(clock, stepped=asked.speed is None)
    models = [model_of(known[symbol]) for symbol in asked.symbols]
    market = AleatoricMarket(
        models, asked.seed, time.start_ns - WARM_UP_NS, lambda at_ns: is_open("us_equities", at_ns, calendar)
    )
    config = ExchangeConfig(
        seed=asked.seed, plan=asked.plan, paper=not asked.live, fees=FEES if asked.fees else NO_FEES
    )
    exchange = AlpacaExchange(market, asked.accounts, config, load_sessions())
    exchange.advance(time.start_ns)
    return Emulator(AlpacaDoors(exchange), time, Faults(asked.faults, asked.faults_seed, time.start_ns))


def shown(asked: AskedAlpaca, port: int, *, as_json: bool) -> str:
    """Where it listens, who has money there, and what a daemon is to be told."""
    url = f"http://{asked.where.host}:{port}"
    first = asked.accounts[0]
    lines_of_config = snippet(url, asked)
    if as_json:
        told = {
            "url": url,
            "seed": asked.seed,
            "accounts": [{"key_id": one.key_id, "secret": one.secret, "usd": one.usd} for one in asked.accounts],
            "throw_away_key_id": first.key_id,
            "throw_away_secret": first.secret,
            "config": "\n".join(lines_of_config),
        }
        return msgspec.json.encode(told).decode()  # one line: a script reads it while this runs on
    ws = f"ws{url.removeprefix('http')}"
    pace = "stepped by POST /emulator/advance" if asked.speed is None else f"{asked.speed:g}x"
    lines = [f"alpaca, emulated: {url}  {ws}/stream  {ws}/v1beta3/crypto/us  {ws}/v2/iex"]
    lines.append(f"{len(asked.symbols)} symbols, seed {asked.seed}, time {pace}, {len(asked.faults)} rules of faults")
    lines += [f"account {one.key_id}: {one.usd} USD" for one in asked.accounts]
    lines += ["for a daemon, emulator.toml:", "", *lines_of_config]
    keys = f"OBID_ALPACA_PAPER_KEY_ID={first.key_id} OBID_ALPACA_PAPER_SECRET={first.secret}"
    lines += ["", f"and in its environment {keys}", "  (throw-away keys: whoever knows the seed has them)"]
    lines.append(f"then: obid run --mode paper --engine {_engines(asked)[0]} {WHERE}")
    return "\n".join(lines)


def _engines(asked: AskedAlpaca) -> list[str]:
    return [engine for engine in ENGINES if any(symbol in load_universe(engine) for symbol in asked.symbols)]


def snippet(url: str, asked: AskedAlpaca) -> list[str]:
    """The configuration of a daemon that trades here."""
    lines = [
        "[daemon]",
        f'alpaca_url = "{url}"',
        f'alpaca_data_url = "{url}"',
        f'alpaca_plan = "{asked.plan.name}"',
        f'alpaca_feed = "{"sip" if asked.plan.sip else "iex"}"',
    ]
    for engine in _engines(asked):
        names = ", ".join(f'"{symbol}"' for symbol in asked.symbols if symbol in load_universe(engine))
        lines += [f"[{engine}]", f"symbols = [{names}]", f"[{engine}.live.macro]", 'when_degraded = "trade"']
    return lines
