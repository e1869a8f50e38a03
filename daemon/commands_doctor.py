"""`obid doctor`: whether machine, keys and venues would let a daemon trade; a line each, and what to do."""

from pathlib import Path
from typing import Annotated

import typer

from daemon import options
from daemon.terminal import AsJson, DataDir, finish, json_text

ModeName = Annotated[str, typer.Option("--mode", metavar="live|paper|shadow|synthetic", help="As what it would run.")]
Engines = Annotated[list[str] | None, typer.Option(metavar="perps|crypto|equities", help="Repeatable. Default: perps.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the defaults.")]
Symbols = Annotated[str, typer.Option(metavar="BTC,ETH", help="Only these, as the venue spells them.")]


def doctor(
    mode: ModeName = "synthetic",
    engine: Engines = None,
    config: Config = None,
    data_dir: DataDir = None,
    symbols: Symbols = "",
    as_json: AsJson = False,
) -> None:
    """Look at machine, keys, disk, service and venues, and say what to do. Exit 1 where a line fails, within 15 s.

    Nothing is changed, signed or sent; it may run beside the daemon.
    """

    def work() -> int:
        file = options.parse_file(config)
        asked = options.RunOptions(
            mode=options.parse_mode(mode),
            engines=options.parse_engines(engine),
            config=file,
            symbols=options.parse_symbols(symbols),
            data_dir=options.parse_data_dir(data_dir, file),
        )
        from daemon.doctor.examine import examine, worst
        from daemon.doctor.line import text_of
        from supervisor.secrets import hidden

        lines = examine(asked)
        typer.echo(hidden(json_text(lines)) if as_json else text_of(lines))
        return worst(lines)

    finish(work)
