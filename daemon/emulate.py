"""`obid emulate` at work: options become a market, accounts and faults, and those are served until a signal comes."""

import re
import socket
from collections.abc import Callable, Sequence
from decimal import Decimal
from ipaddress import IPv4Address

import msgspec
import typer
from msgspec import Struct
from msgspec.structs import replace

from config.settings import PLAY
from config.universe import load_universe
from daemon import options
from daemon.errors import BadInput, Failed
from daemon.markets import model_of
from daemon.modes import session_calendar
from risk.session import is_open
from supervisor.clock import NS_PER_S, Clock
from supervisor.draws import identity
from supervisor.wall import on_signals, run_wall
from venues.aleatoric.market import AleatoricMarket
from venues.emulator.agenda import VenueTime
from venues.emulator.faults import BadFaults, Fault, read
from venues.emulator.hyperliquid.config import AccountConfig, ExchangeConfig
from venues.emulator.hyperliquid.doors import HyperliquidDoors
from venues.emulator.hyperliquid.exchange import HyperliquidExchange
from venues.emulator.program import nothing_to_wind_down, program_of
from venues.emulator.schedule import Faults
from venues.emulator.serve import Emulator, PortTaken, listen
from venues.hyperliquid.sign import Chain, Signer

ENGINE = "perps"
WHERE = "--config emulator.toml --data-dir emulated"
"""What a daemon is told that tries it: a directory of its own, since every mode and account has its own books."""
PORT_MAX = 65_535
WARM_UP_NS = 60 * NS_PER_S
"""The market has been open for this long when the first client comes: there are books, and trades to replay."""
USD_DEFAULT, USD_MAX = Decimal(10_000), Decimal(10) ** 12
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
ACCOUNT = re.compile(rf"({ADDRESS.pattern}):(\d+(?:\.\d+)?)(?::({ADDRESS.pattern}))?", re.ASCII)
STEPPED = "step"
DAEMON, DEADMAN = AGENTS = "obid", "deadman"
"""Names of the API wallets of the throw-away account: nonces are counted by signer, so each process has its own."""


class Where(Struct, frozen=True):
    """Where to listen."""

    host: str
    port: int


class Asked(Struct, frozen=True, kw_only=True):
    """What to emulate."""

    where: Where
    seed: int
    speed: float | None  # None: stepped
    faults: tuple[Fault, ...]
    faults_seed: int
    accounts: tuple[AccountConfig, ...]
    key: str  # of the throw-away account, where no account was named
    agents: dict[str, str]  # keys of the wallets that this account approved, by their names
    symbols: tuple[str, ...]


class _Plain(Struct, frozen=True):
    """A key that is no secret: anybody can derive it from the seed."""

    digits: str

    def get_secret_value(self) -> str:
        return self.digits


def asked(
    *, where: Where, seed: int, speed: float | None, faults: str, accounts: Sequence[str], symbols: tuple[str, ...]
) -> Asked:
    """What is asked for, complete. Raises BadInput for the first thing that is wrong."""
    known = load_universe(ENGINE)
    for symbol in symbols:
        if symbol not in known:
            raise BadInput("--symbols", symbol, f"one of {', '.join(known)}")
    try:
        rules, faults_seed = read(faults)
    except BadFaults as error:
        raise BadInput("--faults", faults, str(error)) from error
    names = symbols or tuple(known)
    dexs = sorted({symbol.rpartition(":")[0] for symbol in names} | {""})
    key = "" if accounts else throw_away_key(seed)
    agents = {name: throw_away_key(seed, name) for name in AGENTS} if key else {}
    approved = {name: address_of(agent) for name, agent in agents.items()}
    named = tuple(parse_account(text, dexs) for text in accounts or [f"{address_of(key)}:{USD_DEFAULT}"])
    return Asked(
        where=where,
        seed=seed,
        speed=speed,
        faults=rules,
        faults_seed=seed if faults_seed is None else faults_seed,
        accounts=(replace(named[0], agents=approved),) if key else named,
        key=key,
        agents=agents,
        symbols=names,
    )


def parse_where(host: str, port: int) -> Where:
    """An address of this machine and a port of it."""
    try:
        IPv4Address(host)
    except ValueError:
        raise BadInput("--host", host, "an IPv4 address of this machine, as 127.0.0.1") from None
    if not 0 <= port <= PORT_MAX:
        raise BadInput("--port", port, f"a whole number from 0 to {PORT_MAX}")
    return Where(host, port)


def parse_speed(text: str) -> float | None:
    """A number, or None for "step"."""
    if text.strip().lower() == STEPPED:
        return None
    speed = None if text.strip().lower() == "max" else options.parse_speed(text)
    if speed is None:
        raise BadInput("--speed", text, f"a number, or {STEPPED}: clients on sockets live in some time, if not in ours")
    return speed


def parse_account(text: str, dexs: Sequence[str]) -> AccountConfig:
    """ADDRESS:USD or ADDRESS:USD:AGENT; the account has so much collateral on each dex."""
    told = ACCOUNT.fullmatch(text.strip())
    usd = Decimal(told[2]) if told else Decimal(-1)
    if told is None or not 0 <= usd <= USD_MAX:
        right = "ADDRESS:USD, or ADDRESS:USD:AGENT with an approved API wallet; addresses are 0x and 40 hex digits"
        raise BadInput("--account", text, right)
    agents = {"obid": told[3]} if told[3] else {}
    return AccountConfig(address=told[1].lower(), usd=dict.fromkeys(dexs, usd), agents=agents)


def throw_away_key(seed: int, agent: str = "") -> str:
    """A private key that everybody knows who knows the seed: good for an emulator, and for nothing else.

    The account's own, or of an API wallet that the account approved.
    """
    purpose = f"emulator key {agent}".strip()
    return "0x" + "".join(identity(seed, purpose, half).removeprefix("0x") for half in (1, 2))


def address_of(key: str) -> str:
    """Whose key it is."""
    return Signer(_Plain(key), Chain.TESTNET).address


def serve_hyperliquid(asked: Asked, *, as_json: bool) -> int:
    """Serve until a signal comes. Raises BadInput when the port is another's, Failed when the server can't be kept."""
    listener = listening(asked.where)
    text = shown(asked, int(listener.getsockname()[1]), as_json=as_json)
    return serve(listener, lambda clock: emulator_of(asked, clock), text, speed=asked.speed)


def listening(where: Where) -> socket.socket:
    """A listening socket. Raises BadInput when the port is another's."""
    try:
        return listen(where.host, where.port)
    except PortTaken as error:
        right = f"cannot listen there: {error.strerror}; name another, or 0 for any that is free"
        raise BadInput("--port", where.port, right) from error


def serve(
    listener: socket.socket,
    build: Callable[[Clock], Emulator],
    text: str,
    *,
    speed: float | None,
    epoch_ns: int | None = None,
) -> int:
    """Say `text` and serve a venue until a signal comes, from a time on. Raises Failed when it can't be kept."""

    async def live(clock: Clock) -> str:
        program = program_of(build(clock), listener, clock)
        on_signals(clock.loop, program.stop, lambda: None)
        typer.echo(text)
        ending = await program.run(nothing_to_wind_down)
        return ending.reason if ending.gave_up else ""

    with listener:
        if wrong := run_wall(live, epoch_ns, speed or 1.0):
            raise Failed(wrong)
    return 0


def emulator_of(asked: Asked, clock: Clock) -> Emulator:
    """The venue with its market, accounts and faults, at the clock's time."""
    known, calendar = load_universe(ENGINE), session_calendar()
    time = VenueTime(clock, stepped=asked.speed is None)
    models = [model_of(known[symbol]) for symbol in asked.symbols]
    market = AleatoricMarket(
        models, asked.seed, time.start_ns - WARM_UP_NS, lambda at_ns: is_open("us_equities", at_ns, calendar)
    )
    exchange = HyperliquidExchange(market, asked.accounts, ExchangeConfig(seed=asked.seed))
    exchange.advance(time.start_ns)
    return Emulator(HyperliquidDoors(exchange), time, Faults(asked.faults, asked.faults_seed, time.start_ns))


def shown(asked: Asked, port: int, *, as_json: bool) -> str:
    """Where it listens, who has money there, and what a daemon is to be told."""
    url = f"http://{asked.where.host}:{port}"
    first = asked.accounts[0]
    if as_json:
        accounts = [{"address": one.address, "usd": one.usd, "agents": one.agents} for one in asked.accounts]
        config = "\n".join(snippet(url, first.address, asked.symbols))
        keys = {"throw_away_key": asked.key, "throw_away_agent_keys": asked.agents}
        told = {"url": url, "seed": asked.seed, "accounts": accounts, **keys, "config": config}
        return msgspec.json.encode(told).decode()  # one line: a script reads it while this runs on
    lines = [f"hyperliquid, emulated: {url}  ws{url.removeprefix('http')}/ws"]
    pace = "stepped by POST /emulator/advance" if asked.speed is None else f"{asked.speed:g}x"
    lines.append(f"{len(asked.symbols)} symbols, seed {asked.seed}, time {pace}, {len(asked.faults)} rules of faults")
    lines += [f"account {one.address}: {next(iter(one.usd.values()))} USD on each dex" for one in asked.accounts]
    unknown = "the key of that account, or of its agent"
    lines += ["for a daemon, emulator.toml:", "", *snippet(url, first.address, asked.symbols)]
    lines += ["", f"and in its environment OBID_HYPERLIQUID_AGENT_KEY={asked.agents.get(DAEMON, unknown)}"]
    if asked.key:
        lines.append("  (a throw-away key: whoever knows the seed has it)")
    lines.append(f"then: obid run --mode live --engine {ENGINE} {WHERE}")
    if asked.key:
        lines.append(f"with a dead man: OBID_HYPERLIQUID_DEADMAN_KEY={asked.agents[DEADMAN]}")
        lines.append(f"  and, without the line deadman, obid deadman --mode live --engine {ENGINE} {WHERE}")
    return "\n".join(lines)


def snippet(url: str, address: str, symbols: Sequence[str]) -> list[str]:
    """The configuration of a daemon that trades here: no money is at stake, and it says so itself."""
    names = ", ".join(f'"{symbol}"' for symbol in symbols)
    return [
        "[daemon]",
        f'hyperliquid_url = "{url}"',
        'hyperliquid_chain = "testnet"',
        f'hyperliquid_master_address = "{address}"',
        f'live = "{PLAY}"',
        'deadman = "off"',
        f"[{ENGINE}]",
        f"symbols = [{names}]",
        f"[{ENGINE}.live.macro]",
        'when_degraded = "trade"',
    ]
