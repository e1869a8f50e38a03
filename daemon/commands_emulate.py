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

    finish(work)
