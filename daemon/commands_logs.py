"""`obid logs`: the JSONL log, filtered and followed."""

from typing import Annotated

import typer

from daemon.terminal import AsJson, DataDir, finish

Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is still to be written.")]
Event = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this event (repeatable): fill, refused.")]
Engine = Annotated[str, typer.Option(metavar="NAME", help="Only lines that name this engine.")]
Run = Annotated[str, typer.Option(metavar="ID", help="Only this run, by its id or the beginning of it.")]
Symbol = Annotated[str, typer.Option(metavar="S", help="Only lines that name this symbol, exact case.")]
Level = Annotated[str, typer.Option("--level", metavar="LEVEL", help="This or worse: debug, info, warning, error.")]
Since = Annotated[str, typer.Option(metavar="10m|TIME", help="The log's last 10m, or from an ISO time (UTC).")]
Until = Annotated[str, typer.Option(metavar="10m|TIME", help="Up to 10m before the log's end, or to an ISO time.")]
Document = Annotated[bool, typer.Option("--document", help="Print what each event is, as docs/events.md.")]
Last = Annotated[int, typer.Option("-n", "--last", metavar="N", min=0, help="Only the last N; 0: all.")]


def logs(
    follow: Follow = False,
    event: Event = None,
    symbol: Symbol = "",
    engine: Engine = "",
    run: Run = "",
    level: Level = "",
    since: Since = "",
    until: Until = "",
    last: Last = 0,
    document: Document = False,
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

        if document:
            from daemon.event_docs import document as events

            typer.echo(events(), nl=False)
            return 0
        if level and level not in log_reader.LEVELS:
            raise BadInput("--level", level, f"one of {', '.join(log_reader.LEVELS)}")
        if follow and last:
            raise BadInput("--last", last, "cannot be counted while the log is followed")
        if follow and until:
            raise BadInput("--until", until, "is over before what is followed begins")
        directory = parse_data_dir(data_dir)
        newest = log_reader.newest_at(directory) if since or until else ""
        wanted = log_reader.LogFilter(
            events=frozenset(event or ()),
            symbol=symbol,
            level=level,
            since=log_reader.time_of(since, newest),
            until=log_reader.time_of(until, newest, "--until"),
            engine=engine,
            run=run,
        )
        lines = log_reader.read(directory, wanted, follow)
        for line in deque(lines, maxlen=last) if last else lines:
            typer.echo(json.dumps(line, ensure_ascii=False) if as_json else log_reader.line_text(line))
        return 0

    finish(work, left=follow)
