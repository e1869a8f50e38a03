"""How every command ends: what it prints, where errors go, which code it exits with."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from config.errors import ConfigError
from daemon.errors import BadInput, ObidError

DataDir = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Where state lives. Default: the platform's state folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


INTERRUPTED = 130
"""What was ended by Ctrl-C did not do its work: a soak has not passed, an order was not taken."""


def finish(work: Callable[[], int], *, left: bool = False) -> None:
    """Do the work and exit with its code; an error of ours becomes one line on stderr, Ctrl-C ends quietly.

    `left`: Ctrl-C is how one leaves it, as `logs -f` and `ctl subscribe`; a run catches SIGINT itself.
    """
    try:
        code = work()
    except (ObidError, ConfigError) as error:
        from supervisor.secrets import hidden

        typer.echo(hidden(f"obid: {' '.join(str(error).split())}"), err=True)
        code = getattr(error, "exit_code", BadInput.exit_code)
    except KeyboardInterrupt:
        code = 0 if left else INTERRUPTED
    raise typer.Exit(code)


def json_text(data: Any) -> str:
    """Any plain data or struct as JSON that people can read too; nan and inf become null."""
    import msgspec

    return msgspec.json.format(msgspec.json.encode(data), indent=2).decode()
