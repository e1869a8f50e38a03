"""`obid emulate`: venues on a port of this machine that a client cannot tell from the real ones."""

from typing import Annotated

import typer

from daemon import options
from daemon.terminal import AsJson, finish

emulate = typer.Typer(
    help="Serve a venue on this machine, for daemons, SDKs and tests.",
    epilog="Example: obid emulate hyperliquid --faults default",
    no_args_is_help=True,
    rich_markup_mode=None,
)

PORT_DEFAULT = 3001
"""Where Hyperliquid's own SDK looks for a local node."""

ALPACA_PORT_DEFAULT = 3002
AlpacaSymbols = Annotated[str, typer.Option("--symbols", metavar="BTC/USD,COST", help="Default: every coin and share.")]

Port = Annotated[int, typer.Option(metavar="P", help="0: any free one.")]
Host = Annotated[str, typer.Option(metavar="ADDRESS", help="Who can reach it: this machine alone, by default.")]
Seed = Annotated[int, typer.Option(metavar="N", help="Same seed, same market, faults and throw-away key.")]
Speed = Annotated[str, typer.Option(metavar="1|60|step", help="step: time stands till POST /emulator/advance.")]
FaultsName = Annotated[str, typer.Option("--faults", metavar="FILE.toml|default|none", help="What befalls clients.")]
Accounts = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="ADDRESS:USD[:AGENT]", help="Repeatable. Default: one with a throw-away key."),
]
Symbols = Annotated[str, typer.Option(metavar="BTC,xyz:TSLA", help="Default: all that the perps engine knows.")]


AlpacaAccounts = Annotated[
    list[str] | None,
    typer.Option("--account", metavar="KEY:USD[:cash|noshort|pdt]", help="Repeatable. Secrets are made and shown."),
]
Start = Annotated[str, typer.Option(metavar="2026-01-05T14:00Z", help="Venue's time at the start. Default: now.")]
PlanName = Annotated[str, typer.Option("--plan", metavar="basic|plus", help="What its market data streams allow.")]
TakesFees = Annotated[bool, typer.Option(help="Take fees of coins out of what is received, as the venue does.")]
LiveFrames = Annotated[bool, typer.Option("--live-frames", help="Trading stream in text, as of the live venue.")]


@emulate.command(epilog="Example: obid emulate alpaca --symbols BTC/USD,COST --start 2026-01-05T14:00Z --speed 10")
def alpaca(
    port: Port = ALPACA_PORT_DEFAULT,
    host: Host = "127.0.0.1",
    seed: Seed = options.SEED_DEFAULT,
    speed: Speed = "1",
    start: Start = "",
    faults: FaultsName = "none",
    account: AlpacaAccounts = None,
    symbols: AlpacaSymbols = "",
    plan: PlanName = "basic",
    fees: TakesFees = True,
    live_frames: LiveFrames = False,
    as_json: AsJson = False,
) -> None:
    """Emulate Alpaca: trading, market data and their streams for coins and US shares, on one port."""

    def work() -> int:
        from daemon import emulate as emulated
        from daemon import emulate_alpaca

        asked = emulate_alpaca.asked_alpaca(
            where=emulated.parse_where(host, port),
            seed=options.parse_seed(seed),
            speed=emulated.parse_speed(speed),
            start=start,
            faults=faults,
            accounts=account or [],
            symbols=options.parse_symbols(symbols),
            plan=plan,
            fees=fees,
            live=live_frames,
        )
        return emulate_alpaca.serve_alpaca(asked, as_json=as_json)

    finish(work, left=True)


@emulate.command(epilog="Example: obid emulate hyperliquid --seed 7 --faults default --account 0x5e9e...:10000")
def hyperliquid(
    port: Port = PORT_DEFAULT,
    host: Host = "127.0.0.1",
    seed: Seed = options.SEED_DEFAULT,
    speed: Speed = "1",
    faults: FaultsName = "none",
    account: Accounts = None,
    symbols: Symbols = "",
    as_json: AsJson = False,
) -> None:
    """Emulate Hyperliquid: /info, /exchange and /ws, with real matching, signatures, limits and faults."""

    def work() -> int:
        from daemon import emulate as emulated

        asked = emulated.asked(
            where=emulated.parse_where(host, port),
            seed=options.parse_seed(seed),
            speed=emulated.parse_speed(speed),
            faults=faults,
            accounts=account or [],
            symbols=options.parse_symbols(symbols),
        )
        return emulated.serve_hyperliquid(asked, as_json=as_json)

    finish(work, left=True)
