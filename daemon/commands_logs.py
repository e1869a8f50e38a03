"""`obid logs`: the JSONL log, filtered and followed."""

from typing import Annotated

import typer

from daemon.terminal import AsJson, DataDir, finish

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is still to be written.")]
Event = Annotated[str, typer.Option(metavar="NAME", help="Only this event: fill, refused, child_crashed.")]
Symbol = Annotated[str, typer.Option(metavar="S", help="Only lines that name this symbol, exact case.")]
Level = Annotated[str, typer.Option("--level", metavar="LEVEL", help="This or worse: debug, info, warning, error.")]
Since = Annotated[str, typer.Option(metavar="10m|TIME", help="The log's last 10m, or from an ISO time (UTC).")]
Last = Annotated[int, typer.Option("-n", "--last", metavar="N", min=0, help="Only the last N; 0: all.")]


def logs(
    follow: Follow = False,
    event: Event = "",
    symbol: Symbol = "",
    level: Level = "",
    since: Since = "",
    last: Last = 0,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Show the log, oldest line first; --json prints the lines as they were written."""

    def work() -> int:
        import json
        from collections import deque

        from daemon import log_reader
        from daemon.errors import BadInput
        from daemon.options import parse_data_dir

        if level and level not in log_reader.LEVELS:
            raise BadInput("--level", level, f"one of {', '.join(log_reader.LEVELS)}")
        if follow and last:
            raise BadInput("--last", last, "cannot be counted while the log is followed")
        directory = parse_data_dir(data_dir)
        start = log_reader.since_of(since, log_reader.newest_at(directory) if since else "")
        lines = log_reader.read(directory, log_reader.LogFilter(event, symbol, level, start), follow)
        for line in deque(lines, maxlen=last) if last else lines:
            typer.echo(json.dumps(line, ensure_ascii=False) if as_json else log_reader.line_text(line))
        return 0

    finish(work)
