"""`obid deadman`: the second process, which cancels what rests when the daemon is gone, hangs or is cut off."""

from pathlib import Path
from typing import Annotated

import typer

from daemon import options
from daemon.errors import BadInput
from daemon.terminal import AsJson, DataDir, finish

MODES = ("live", "paper")
ModeName = Annotated[str, typer.Option(metavar="live|paper", help="The mode of the daemon it watches.")]
Engines = Annotated[list[str] | None, typer.Option(metavar="perps|crypto|equities", help="Repeatable. Default: perps.")]
Config = Annotated[Path | None, typer.Option(metavar="FILE.toml", help="Settings over the defaults.")]
Once = Annotated[
    bool, typer.Option("--once", help="Sweep now if the daemon is gone, until nothing is shown; then end.")
]
Check = Annotated[bool, typer.Option("--check", help="See that keys may cancel and venues answer; change nothing.")]


def deadman(
    mode: ModeName = "live",
    engine: Engines = None,
    config: Config = None,
    data_dir: DataDir = None,
    once: Once = False,
    check: Check = False,
    as_json: AsJson = False,
) -> None:
    """Cancel every open order of the account when the daemon's heartbeat ages. Never opens or closes a position."""

    def work() -> int:
        if mode not in MODES:
            raise BadInput("--mode", mode, f"one of {', '.join(MODES)}: elsewhere no order leaves the machine")
        if once and check:
            raise BadInput("--once", "with --check", "one or the other")
        engines = options.parse_engines(engine)
        file = options.parse_file(config)
        where = options.parse_data_dir(data_dir, file)
        from daemon import deadman as process

        return process.run(
            process.Asked(data_dir=where, mode=mode, engines=engines, config=file, once=once, check=check, json=as_json)
        )

    finish(work)
