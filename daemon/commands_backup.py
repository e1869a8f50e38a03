"""`obid backup`: a copy of the data directory that can be started on, made beside a running daemon or without one."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.terminal import AsJson, DataDir, finish, json_text

Dest = Annotated[Path, typer.Argument(metavar="DEST", help="A directory that is not there yet, or is empty.")]
WithLog = Annotated[bool, typer.Option("--log", help="The log, too: up to a gibibyte.")]


def backup(dest: Dest, data_dir: DataDir = None, log: WithLog = False, as_json: AsJson = False) -> None:
    """Copy journal, calendars and nonces, checked; the daemon goes on. A start on the copy is halted by name."""

    def work() -> int:
        from daemon.backup import backup as make
        from daemon.options import parse_data_dir

        made = make(parse_data_dir(data_dir), dest.absolute(), log=log)
        typer.echo(json_text(made) if as_json else made.text())
        return 0

    finish(work)
