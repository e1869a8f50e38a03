"""Operate: what the verbs of the control socket do. Questions are answered from the picture, orders become commands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from msgspec import Struct

from actors.messages import Command, Order
from daemon import verbs
from daemon.board import Board
from daemon.control_socket import ControlSocket, Verb
from daemon.errors import BadInput, Failed
from daemon.explain import explain
from daemon.logs import Log
from daemon.options import Mode, RunOptions
from daemon.picture import Picture
from daemon.snapshot import Explanation, Outcome, orders_of, positions_of, status_of
from risk.order import OrderState
from supervisor.program import Program
from supervisor.supervisor import House

DRILL_MODES = (Mode.SYNTHETIC, Mode.REPLAY)
"""Where an actor may be crashed on purpose."""


class Drill(Exception):
    """An actor was crashed by its operator, to see it come back."""


class WaitingDoor:
    """A door nobody comes through: virtual time has no operator."""

    async def serve(self, command: Callable[[Command], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Wait for ever."""
        ready()
        await asyncio.get_running_loop().create_future()


class SocketDoor:
    """The control socket as the control actor's door."""

    def __init__(self, socket: ControlSocket, operator: "Operator"):
        self.socket = socket
        self.operator = operator

    async def serve(self, command: Callable[[Command], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Serve; what operators order goes into the graph."""
        self.operator.command = command
        await self.socket.serve(ready)


class Operator:
    """The handler behind the socket."""

    def __init__(self, options: RunOptions, board: Board, log: Log):
        self.options = options
        self.board = board
        self.log = log
        self.command: Callable[[Command], Awaitable[None]] | None = None
        self.house: House | None = None
        self.program: Program | None = None
        self.picture: Picture | None = None
        orders = {
            order: partial(self._order, Order(order)) for order in ("pause", "resume", "reduce", "halt", "flatten")
        }
        answers: dict[str, Callable[[Any], Awaitable[object]]] = {
            "status": self._status,
            "ps": self._ps,
            "positions": self._positions,
            "orders": self._orders,
            "snapshot": self._snapshot,
            "explain": self._explain,
            "restart": self._restart,
            "crash": self._crash,
            "stop": self._stop,
            "cancel": self._cancel,
            **orders,
        }
        self.verbs: Mapping[str, Verb] = {name: Verb(verbs.ARGS[name], answer) for name, answer in answers.items()}

    def attach(self, house: House, program: Program, picture: Picture) -> None:
        """Be told of what there is to operate, once there is."""
        self.house, self.program, self.picture = house, program, picture

    def on_error(self, what: str, error: Exception) -> None:
        """A verb died, or a stranger knocked."""
        self.log.error("control_failed", verb=what, exc_info=error)

    # --- questions

    async def _status(self, _: Struct) -> object:
        return status_of(self._now())

    async def _ps(self, _: Struct) -> object:
        return self._now().actors

    async def _positions(self, args: verbs.Scope) -> object:
        return positions_of(self._now(), args.engine, args.symbol)

    async def _orders(self, args: verbs.Scope) -> object:
        return orders_of(self._now(), args.engine, args.symbol)

    async def _snapshot(self, _: Struct) -> object:
        return self._now()

    async def _explain(self, args: verbs.Explain) -> Explanation:
        """The log may be long: it is read beside the loop."""
        self.log.flush()
        told = partial(explain, self.options.data_dir, args.id, self.board.instruments)
        return await asyncio.get_running_loop().run_in_executor(None, told)

    # --- orders

    async def _order(self, order: Order, args: verbs.Ordered) -> Outcome:
        self._check(args.engine, args.symbol)
        if args.symbol and order is not Order.FLATTEN:
            right = f"{order} is for an engine or for all; only flatten and cancel take a symbol"
            raise BadInput("symbol", args.symbol, right)
        await self._say(order, args.engine, args.symbol, args.reason or f"operator: {order}")
        where = " ".join(filter(None, (args.engine or "all engines", args.symbol)))
        return Outcome((f"{order} is on its way to {where}; `obid ctl status` shows the state",))

    async def _cancel(self, args: verbs.CancelOrders) -> Outcome:
        """Cancel what rests; what is only on its way there is the watchdog's a moment later."""
        self._check(args.engine, args.symbol)
        rows = [row for row in orders_of(self._now(), args.engine, args.symbol) if row.state == OrderState.RESTING]
        order_id = ""
        if args.order_id:
            rows = [row for row in rows if row.order_id.startswith(args.order_id)]
            if len(rows) != 1:
                raise BadInput("order_id", args.order_id, f"must be one resting order, {len(rows)} fit")
            order_id = rows[0].order_id
        await self._say(Order.CANCEL, args.engine, args.symbol, args.reason or "operator: cancel", order_id)
        return Outcome(tuple(f"cancel asked for {row.order_id} of {row.symbol}" for row in rows))

    async def _restart(self, args: verbs.Restart) -> Outcome:
        house = self._house(args.actor)
        house.restart(args.actor)
        return Outcome((f"{args.actor} is being stopped and started again",))

    async def _crash(self, args: verbs.Restart) -> Outcome:
        if self.options.mode not in DRILL_MODES:
            raise BadInput(
                "verb", "crash", f"a drill is for {' and '.join(DRILL_MODES)} mode, this is {self.options.mode}"
            )
        try:
            self._house(args.actor).inject(args.actor, Drill(args.reason or "a drill"))
        except RuntimeError as error:
            raise Failed(f"{args.actor} is not running just now; see `obid ctl ps`") from error
        return Outcome((f"{args.actor} was crashed; `obid ctl ps` shows it coming back",))

    async def _stop(self, args: verbs.Stop) -> Outcome:
        if self.program is None:
            raise Failed("the daemon is not up yet")
        self.program.stop(args.reason or "stopped by the operator")
        return Outcome(("obid is stopping: what rests is cancelled first",))

    # --- helpers

    def _now(self) -> Any:
        if self.picture is None:
            raise Failed("the daemon is not up yet")
        return self.picture.snapshot()

    def _house(self, actor: str) -> House:
        if self.house is None:
            raise Failed("the daemon is not up yet")
        if actor not in self.house.runners:
            raise BadInput("actor", actor, f"one of {', '.join(self.house.runners)}")
        return self.house

    def _check(self, engine: str, symbol: str) -> None:
        known = self.board.instruments
        if engine and engine not in known:
            raise BadInput("engine", engine, f"one of {', '.join(known)}")
        places = [known[engine]] if engine else list(known.values())
        if symbol and not any(symbol in place for place in places):
            raise BadInput("symbol", symbol, "a symbol that is traded here, in the venue's own case")

    async def _say(self, order: Order, engine: str, symbol: str, reason: str, order_id: str = "") -> None:
        if self.command is None or self.house is None:
            raise Failed("the daemon is not up yet")
        await self.command(Command(order, engine, symbol, reason, self.house.clock.now_ns(), order_id))
