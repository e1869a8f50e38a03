"""`obid report`: what a day, a week or a run came to."""

from pathlib import Path
from typing import Annotated

import typer

from daemon.terminal import AsJson, DataDir, finish, json_text

Day = Annotated[bool, typer.Option("--day", help="One account day (UTC). What is made when nothing is asked for.")]
Week = Annotated[bool, typer.Option("--week", help="Seven of them.")]
On = Annotated[str, typer.Option("--on", metavar="DATE", help="The (last) day. Default: that of the newest record.")]
Run = Annotated[
    str, typer.Option("--run", metavar="ID|last", help="One run, by its id, the beginning of it or its number.")
]
Out = Annotated[
    list[Path] | None,
    typer.Option("--out", metavar="FILE.html|FILE.md", help="Where to; repeatable. Default: Markdown, printed."),
]
WRITERS = (".html", ".md")


def report(
    day: Day = False,
    week: Week = False,
    on: On = "",
    run: Run = "",
    out: Out = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Report equity, PnL, costs, fills, refusals, halts, incidents and round trips, from the journal and the log."""

    def work() -> int:
        from importlib.metadata import version

        from daemon.errors import BadInput, Failed
        from daemon.options import parse_data_dir
        from daemon.report.html import html
        from daemon.report.made import made
        from daemon.report.markdown import markdown

        if day + week + bool(run) > 1:
            raise BadInput("--run" if run else "--week", run or "", "one of --day, --week and --run")
        if run and on:
            raise BadInput("--on", on, "is for --day and --week; a run has its own times")
        for path in out or ():
            if path.suffix.lower() not in WRITERS:
                raise BadInput("--out", path, f"a file that ends in {' or '.join(WRITERS)}")
        told = made(parse_data_dir(data_dir), week=week, on=on, run=run)
        release = version("obid")
        for path in out or ():
            text = html(told, release) if path.suffix.lower() == WRITERS[0] else markdown(told, release)
            try:
                path.write_text(text, encoding="utf-8")
            except OSError as error:
                raise Failed(f"--out {path}: {error.strerror}") from error
            typer.echo(f"wrote {path}", err=True)
        if as_json:
            typer.echo(json_text(told))
        elif not out:
            typer.echo(markdown(told, release))
        return 0

    finish(work)
