"""`obid top`: the running daemon on a terminal."""

from typing import Annotated

import typer

from daemon.terminal import DataDir, finish

ReadOnly = Annotated[bool, typer.Option("--read-only", help="Only look: the keys that give orders do nothing.")]


def top(data_dir: DataDir = None, read_only: ReadOnly = False) -> None:
    """Show the running daemon on this terminal; ? shows the keys.

    State, money, positions with z and rho, orders, feeds, actors, headroom, the next release, and the log's last lines.
    """

    def work() -> int:
        import os
        import sys

        from daemon.errors import BadInput
        from daemon.options import parse_data_dir

        instead = "top needs a terminal that can move its cursor; `obid ctl status` tells the same in plain lines"
        for name, stream in (("stdin", sys.stdin), ("stdout", sys.stdout)):
            if not stream.isatty():
                raise BadInput(name, "no terminal", instead)
        if (term := os.environ.get("TERM", "")) in ("", "dumb", "unknown") and os.name == "posix":
            raise BadInput("TERM", term, instead)
        directory = parse_data_dir(data_dir)
        if not directory.is_dir():
            raise BadInput("--data-dir", directory, "must be where obid has run; name the --data-dir of `obid run`")

        for name in ("COLUMNS", "LINES"):  # exported by some shells and tools; they would outrank the terminal's size
            os.environ.pop(name, None)
        from importlib.metadata import version

        from daemon.top.app import Top
        from daemon.top.poller import Poller

        Top(lambda hear: Poller(directory, hear), version("obid"), read_only=read_only).run(mouse=False)
        return 0

    finish(work, left=True)
