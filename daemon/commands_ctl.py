"""`obid ctl`: what an operator says to a running daemon, one verb a command."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from daemon.terminal import AsJson, DataDir, finish, json_text

ctl = typer.Typer(
    help="Speak to the running daemon over its control socket.",
    epilog="Example: obid ctl status --json",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Engine = Annotated[str, typer.Option(metavar="NAME", help="Only this engine. Default: all.")]
Symbol = Annotated[str, typer.Option("--symbol", metavar="SYMBOL", help="Only this symbol, exact case. Default: all.")]
Reason = Annotated[str, typer.Option(metavar="TEXT", help="Why; kept in the log and on disk.")]
Timeout = Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Longest wait for an answer.")]
OrderOrAll = Annotated[str, typer.Argument(metavar="[ORDER]", help="Its id in `orders`; none: all that fit.")]
Events = Annotated[list[str] | None, typer.Argument(metavar="[EVENT...]", help="Names; none means all.")]
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
) -> None:
    """Ask the daemon one thing, print its answer, exit."""

    def work() -> int:
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


ORDERS = {
    "pause": ("Stop new entries; exits go on.", "obid ctl pause --engine crypto --reason 'news'"),
    "resume": ("Lift a pause, a reduce or a halt.", "obid ctl resume --engine crypto"),
    "reduce": ("Allow exits and cancels only, until resume.", "obid ctl reduce --engine perps"),
    "halt": ("Stop new entries and cancel those that rest, until resume.", "obid ctl halt --reason 'odd fills'"),
    "flatten": ("Close positions and cancel what rests.", "obid ctl flatten --engine perps --symbol BTC"),
}
"""The operator's orders that are alike: what each does, and an example. Reduce and halt outlive a restart."""


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
    actor: Annotated[str, typer.Argument(metavar="ACTOR", help="Its name in `ps`.")],
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop an actor and start it again; its mailbox is kept."""
    ask("restart", {"actor": actor, "reason": reason}, shown("outcome", "outcome_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl crash perps.signal")
def crash(
    actor: Annotated[str, typer.Argument(metavar="ACTOR", help="Its name in `obid ctl ps`.")],
    reason: Reason = "",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Drill: crash an actor to see it come back. Refused where real orders are."""
    ask("crash", {"actor": actor, "reason": reason}, shown("outcome", "outcome_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl explain 7f3a90c1")
def explain(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="An order's or an intent's id.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Tell an order's chain from book to fill or refusal."""
    ask("explain", {"id": order}, shown("explanation", "explanation_text"), data_dir, as_json)


@ctl.command(epilog="Example: obid ctl snapshot > now.json")
def snapshot(data_dir: DataDir = None, as_json: AsJson = False, timeout: Timeout = TIMEOUT_S) -> None:
    """Print everything at this moment as JSON."""
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
) -> None:
    """Stream events, one JSON object a line.

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

    finish(work)
