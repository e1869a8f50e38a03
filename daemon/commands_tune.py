"""`obid ctl get`, `set` and `reload`: what may be changed while it runs."""

from typing import Annotated, Any

import typer

from daemon import completion
from daemon.commands_ctl import Engine, Reason, ask, ctl, shown
from daemon.errors import BadInput
from daemon.terminal import AsJson, DataDir

__all__ = ["ctl", "get", "reload", "set_"]

Name = Annotated[str, typer.Argument(metavar="NAME", help="As in `obid ctl get`.", autocompletion=completion.tunables)]
NameOrAll = Annotated[
    str, typer.Argument(metavar="[NAME]", help="One value; none: all.", autocompletion=completion.tunables)
]
OfSymbol = Annotated[
    str, typer.Argument(metavar="[SYMBOL]", help="Of one symbol, exact case.", autocompletion=completion.symbols)
]
SymbolOrValue = Annotated[
    str,
    typer.Argument(metavar="[SYMBOL]", help="Of one symbol; none: all.", autocompletion=completion.symbol_or_value),
]
Value = Annotated[
    str,
    typer.Argument(
        metavar="VALUE", help="A number, on, off; `default` takes it back.", autocompletion=completion.value
    ),
]
Keep = Annotated[bool, typer.Option("--keep", help="After a restart too. Default: until the end of this run.")]


@ctl.command(epilog="Example: obid ctl get, or obid ctl get z_entry xyz:MSTR")
def get(
    name: NameOrAll = "", symbol: OfSymbol = "", engine: Engine = "", data_dir: DataDir = None, as_json: AsJson = False
) -> None:
    """Show what may be changed while it runs: as configured, now, since when and by whom."""
    args = {"name": name, "symbol": symbol, "engine": engine}
    ask("get", args, shown("tunables", "tunables_text"), data_dir, as_json)


@ctl.command(
    "set",
    epilog="Example: obid ctl set z_entry xyz:MSTR -1.75, or obid ctl set notional_usd 100 --keep",
    context_settings={"ignore_unknown_options": True},  # -1.75 is a number
)
def set_(
    name: Name,
    symbol: SymbolOrValue = "",
    value: Value = "",
    engine: Engine = "",
    keep: Keep = False,
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Change a value while it runs, within what the configuration file allows; limits only get stricter."""

    def before() -> None:
        if not symbol:
            raise BadInput("value", "", "expected a number, on, off or `default`")
        for word in (name, symbol, value):
            if word.startswith("-") and not word[1:2].isdigit() and word[1:2] != ".":
                raise BadInput("option", word, "is none of this command's; see obid ctl set --help")

    args: dict[str, Any] = {"name": name, "symbol": symbol, "value": value}
    if not value:
        args |= {"symbol": "", "value": symbol}
    args |= {"engine": engine, "keep": keep, "reason": reason}
    ask("set", args, shown("outcome", "outcome_text"), data_dir, as_json, before=before)


@ctl.command(epilog="Example: obid ctl reload")
def reload(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Read the configuration file again: take over what is tunable, name what wants a restart."""
    ask("reload", {}, shown("reloaded", "reloaded_text"), data_dir, as_json)
