"""`obid ctl`: what an operator says to a running daemon, one verb a command."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon import completion
from daemon.errors import BadInput, Failed
from daemon.terminal import AsJson, DataDir, finish, json_text

ctl = typer.Typer(
    help="Speak to the running daemon over its control socket.",
    epilog="Example: obid ctl status --json",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Engine = Annotated[
    str,
    typer.Option(metavar="NAME", help="Only this engine. Default: all.", autocompletion=completion.engines),
]
Symbol = Annotated[
    str,
    typer.Option(
        "--symbol",
        metavar="SYMBOL",
        help="Only this symbol, exact case. Default: all.",
        autocompletion=completion.symbols,
    ),
]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the log and on disk.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Longest wait for an answer.")]
Document = Annotated[bool, typer.Option("--document", hidden=True, help="Print the tables of docs/control.md.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
OrderOrAll = Annotated[
    str,
    typer.Argument(metavar="[ORDER]", help="Its id in `orders`; none: all that fit.", autocompletion=completion.orders),
]
Events = Annotated[
    list[str] | None,
    typer.Argument(metavar="[EVENT...]", help="Names; none means all.", autocompletion=completion.events),
]
Actor = Annotated[str, typer.Argument(metavar="ACTOR", help="Its name in `ps`.", autocompletion=completion.actors)]
What = Annotated[
    str,
    typer.Argument(
        metavar="ORDER|SYMBOL",
        help="An order's or an intent's id, or a symbol.",
        autocompletion=completion.orders_and_symbols,
    ),
]
Count = Annotated[int, typer.Option(metavar="N", min=0, help="Leave after N events; 0: never.")]
TIMEOUT_S = 10.0
"""Longest wait for an answer unless --timeout says otherwise."""


def ask(
    verb: str,
    args: dict[str, Any],
    show: Callable[[Any], str],
    data_dir: Path | None,
    as_json: bool,
    timeout_s: float = TIMEOUT_S,
    before: Callable[[], None] | None = None,
) -> None:
    """Ask the daemon one thing, print its answer, exit; `before` may still refuse."""

    def work() -> int:
        if before is not None:
            before()
        from daemon.control_client import ControlClient
        from daemon.options import parse_data_dir

        with ControlClient(parse_data_dir(data_dir), timeout_s) as client:
            data = client.ask(verb, args)
        typer.echo(json_text(data) if as_json else show(data))
        return 0

    finish(work)


def shown(kind: str, text: str) -> Callable[[Any], str]:
    """A printer that reads plain data back into structs and formats them with a function of daemon.tables."""

    def show(data: Any) -> str:
        import msgspec

        from daemon import snapshot, tables

        types: dict[str, Any] = {
            "status": snapshot.StatusAnswer,
            "actors": tuple[snapshot.ActorRow, ...],
            "positions": tuple[snapshot.PositionRow, ...],
            "orders": tuple[snapshot.OrderRow, ...],
            "explanation": snapshot.Explanation,
            "why": snapshot.WhyAnswer,
            "tunables": tuple[snapshot.TunedRow, ...],
            "reloaded": snapshot.Reloaded,
            "outcome": snapshot.Outcome,
        }
        formatted: str = getattr(tables, text)(msgspec.convert(data, types[kind]))
        return formatted

    return show


def scoped(engine: str, symbol: str, reason: str) -> dict[str, str]:
    """The arguments of an operator's order."""
    return {"engine": engine, "symbol": symbol, "reason": reason}


@ctl.command(epilog="Example: obid ctl status")
def status(data_dir: DataDir = None, as_json: AsJson = False, timeout: Timeout = TIMEOUT_S) -> None:
    """Show clock, health, trading states and PnL."""
    ask("status", {}, shown("status", "status_text"), data_dir, as_json, timeout)


@ctl.command(epilog="Example: obid ctl ps")
def ps(data_dir: DataDir = None, as_json: AsJson = False, timeout: Timeout = TIMEOUT_S) -> None:
    """Show every actor with its mailbox and restarts."""
    ask("ps", {}, shown("actors", "actors_text"), data_dir, as_json, timeout)


@ctl.command(epilog="Example: obid ctl positions --engine perps")
def positions(engine: Engine = "", symbol: Symbol = "", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show open positions with their PnL."""
    args = {"engine": engine, "symbol": symbol}
    ask("positions", args, shown("positions", "positions_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl orders --symbol BTC")
def orders(engine: Engine = "", symbol: Symbol = "", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Show orders that are not over."""
    ask("orders", {"engine": engine, "symbol": symbol}, shown("orders", "orders_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl names --json")
def names(data_dir: DataDir = None, as_json: AsJson = False, document: Document = False) -> None:
    """Show what can be named: engines and symbols, actors, orders, tunable values."""
    if document:
        from daemon.control_docs import tables

        typer.echo(tables(), nl=False)
        raise typer.Exit()

    def lines(data: Any) -> str:
        engines = [f"{engine}: {' '.join(known)}" for engine, known in data["engines"].items()]
        return "\n".join([*engines, *(f"{part}: {' '.join(data[part])}" for part in ("actors", "orders", "tunables"))])

    ask("names", {}, lines, data_dir, as_json)


ORDERS = {
    "pause": ("Stop new entries; exits go on.", "obid ctl pause --engine crypto --reason 'news'"),
    "resume": ("Lift a pause, a reduce or a halt.", "obid ctl resume --engine crypto"),
    "reduce": ("Allow exits and cancels only, until resume.", "obid ctl reduce --engine perps"),
}
"""Orders that are alike and are not asked about: what each does, and an example. Reduce outlives a restart."""


def add_order(verb: str, summary: str, example: str) -> None:
    """Make a command of an operator's order."""

    @ctl.command(verb, help=summary, epilog=f"Example: {example}")
    def command(
        engine: Engine = "",
        symbol: Symbol = "",
        reason: Reason = "",
        data_dir: DataDir = None,
        as_json: AsJson = False,
    ) -> None:
        ask(verb, scoped(engine, symbol, reason), shown("outcome", "outcome_text"), data_dir, as_json)


for _verb, (_summary, _example) in ORDERS.items():
    add_order(_verb, _summary, _example)


def sure(question: str, yes: bool, *, default: bool) -> None:
    """Ask on a terminal. Raises Failed where the answer is no."""
    if yes or not sys.stdin.isatty():
        return
    try:
        agreed = typer.confirm(question, default=default, err=True)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise Failed("nothing was done")


def where(engine: str, symbol: str = "") -> str:
    """What an order is about, in words."""
    return " ".join(filter(None, [engine or "all engines", symbol]))


@ctl.command(epilog="Example: obid ctl halt --reason 'odd fills'")
def halt(
    engine: Engine = "",
    symbol: Symbol = "",
    reason: Reason = "",
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop new entries and cancel those that rest, until resume; asks on a terminal, never in a script."""

    def before() -> None:
        sure(f"Halt {where(engine)}: no entries until `obid ctl resume`?", yes, default=True)

    ask("halt", scoped(engine, symbol, reason), shown("outcome", "outcome_text"), data_dir, as_json, before=before)


@ctl.command(epilog="Example: obid ctl flatten --engine perps --symbol BTC --yes")
def flatten(
    engine: Engine = "",
    symbol: Symbol = "",
    reason: Reason = "",
    yes: Yes = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Close positions and cancel what rests; asks on a terminal, and in a script wants --yes."""

    def before() -> None:
        if not yes and not sys.stdin.isatty():
            raise BadInput("--yes", "", "is needed where nobody can be asked: flatten crosses the spread")
        sure(f"Close every position of {where(engine, symbol)} at the market, now?", yes, default=False)

    ask("flatten", scoped(engine, symbol, reason), shown("outcome", "outcome_text"), data_dir, as_json, before=before)


@ctl.command(epilog="Example: obid ctl cancel 7f3a90c1")
def cancel(
    order: OrderOrAll = "",
    engine: Engine = "",
    symbol: Symbol = "",
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Cancel one resting order, or all that fit."""
    args = {"order_id": order, **scoped(engine, symbol, reason)}
    ask("cancel", args, shown("outcome", "outcome_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl restart perps.signal")
def restart(
    actor: Actor,
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop an actor and start it again; its mailbox is kept."""
    ask("restart", {"actor": actor, "reason": reason}, shown("outcome", "outcome_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl crash perps.signal")
def crash(
    actor: Actor,
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Drill: crash an actor to see it come back. Refused where real orders are."""
    ask("crash", {"actor": actor, "reason": reason}, shown("outcome", "outcome_text"), data_dir, as_json)


def explained(data: Any) -> str:
    """An order's chain, or why a symbol is not traded."""
    return shown("why", "why_text")(data) if "symbol" in data else shown("explanation", "explanation_text")(data)


@ctl.command(epilog="Example: obid ctl explain 7f3a90c1, or obid ctl explain BTC")
def explain(what: What, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Tell an order's chain from book to fill or refusal, or why a symbol is not traded just now."""
    ask("explain", {"id": what}, explained, data_dir, as_json)


@ctl.command(epilog="Example: obid ctl snapshot > now.json")
def snapshot(data_dir: DataDir = None, as_json: AsJson = False, timeout: Timeout = TIMEOUT_S) -> None:
    """Print everything at this moment; JSON with --json and without."""
    ask("snapshot", {}, json_text, data_dir, as_json, timeout)


@ctl.command(epilog="Example: obid ctl stop --reason upgrade")
def stop(reason: Reason = "", data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Cancel what rests and stop the daemon, as SIGTERM does."""
    ask("stop", {"reason": reason}, shown("outcome", "outcome_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl subscribe fill refused --count 10")
def subscribe(
    events: Events = None,
    count: Count = 0,
    data_dir: DataDir = None,
    _as_json: AsJson = False,
) -> None:
    """Stream events, one JSON object a line, with --json and without.

    The event `dropped` counts those that came faster than this command read them.
    """

    def work() -> int:
        import json

        from daemon.control_client import ControlClient
        from daemon.options import parse_data_dir

        with ControlClient(parse_data_dir(data_dir)) as client:
            for number, (event, data) in enumerate(client.subscribe(tuple(events or ())), 1):
                typer.echo(json.dumps({"event": event, "data": data}))
                if number == count:
                    break
        return 0

    finish(work, left=True)
