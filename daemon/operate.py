"""Operate: what the verbs of the control socket do. Questions are answered from the picture, orders become commands."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from threading import Event
from typing import Any

from msgspec import Struct

from actors.feed import Stream
from actors.messages import Command, Order, Tune
from config.explain import nearest
from config.tuning import TUNABLES
from daemon import verbs
from daemon.board import Board
from daemon.control_socket import ControlSocket, Verb
from daemon.errors import BadInput, Failed
from daemon.explain import ID_CHARS_MIN, explain
from daemon.logs import Log
from daemon.options import Mode, RunOptions
from daemon.picture import Picture
from daemon.snapshot import (
    Explanation,
    Names,
    Outcome,
    Reloaded,
    WhyAnswer,
    orders_of,
    positions_of,
    status_of,
)
from daemon.tuner import Tuner
from daemon.why import why
from risk.order import OrderState
from supervisor.program import Program
from supervisor.supervisor import House

ID_BEGINS = "0x"
"""How ids of orders and intents begin, and no symbol does."""

DRILL_MODES = (Mode.SYNTHETIC, Mode.REPLAY)
"""Where an actor may be crashed on purpose."""


class Drill(Exception):
    """An actor was crashed by its operator, to see it come back."""


class WaitingDoor:
    """A door nobody comes through: virtual time has no operator."""

    async def serve(self, command: Callable[[Command | Tune], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Wait for ever."""
        ready()
        await asyncio.get_running_loop().create_future()


class SocketDoor:
    """The control socket as the control actor's door."""

    def __init__(self, socket: ControlSocket, operator: "Operator"):
        self.socket = socket
        self.operator = operator

    async def serve(self, command: Callable[[Command | Tune], Awaitable[None]], ready: Callable[[], None]) -> None:
        """Serve; what operators order goes into the graph."""
        self.operator.command = command
        await self.socket.serve(ready)


class Operator:
    """The handler behind the socket."""

    def __init__(self, options: RunOptions, board: Board, log: Log, tuner: Tuner):
        self.options = options
        self.board = board
        self.log = log
        self.tuner = tuner
        self.command: Callable[[Command | Tune], Awaitable[None]] | None = None
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
            "names": self._names,
            "get": self._get,
            "set": self._set,
            "reload": self._reload,
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
        self._check(args.engine, args.symbol)
        return positions_of(self._now(), args.engine, args.symbol)

    async def _orders(self, args: verbs.Scope) -> object:
        self._check(args.engine, args.symbol)
        return orders_of(self._now(), args.engine, args.symbol)

    async def _snapshot(self, _: Struct) -> object:
        return self._now(whole=True)

    async def _names(self, _: Struct) -> Names:
        """What can be named, for tab completion."""
        symbols = {engine: profile.symbols for engine, profile in self.tuner.tunings.base.items()}
        actors = tuple(self.house.runners) if self.house else ()
        return Names(symbols, actors, tuple(self.board.orders), tuple(TUNABLES))

    async def _explain(self, args: verbs.Explain) -> Explanation | WhyAnswer:
        """An order out of the log, which may be long and is read beside the loop; or a symbol, as it is now."""
        if engines := [engine for engine, known in self.board.instruments.items() if args.id in known]:
            return self._why(args.id, engines)
        if len(args.id) < ID_CHARS_MIN or not args.id.startswith(ID_BEGINS):
            known = [symbol for of_engine in self.board.instruments.values() for symbol in of_engine]
            right = f"a symbol that is traded here ({nearest(args.id, known)}), or at least {ID_CHARS_MIN} characters"
            raise BadInput("ORDER|SYMBOL", args.id, f"{right} of the id of an order or intent")
        self.log.flush()
        left = Event()
        told = partial(explain, self.options.data_dir, args.id, self.board.instruments, left.is_set)
        try:
            return await asyncio.get_running_loop().run_in_executor(None, told)
        finally:
            left.set()

    def _why(self, symbol: str, engines: Sequence[str]) -> WhyAnswer:
        if self.house is None or self.picture is None:
            raise Failed("the daemon is not up yet")
        streams: Mapping[str, Mapping[str, Stream]] = self.picture.streams  # type: ignore[assignment]  # names are text
        profiles = [self.tuner.tunings.profile(engine) for engine in engines]
        return WhyAnswer(symbol, tuple(why(self.house, streams[p.engine][symbol], p, symbol) for p in profiles))

    async def _get(self, args: verbs.Get) -> object:
        return self.tuner.get(args)

    # --- orders

    async def _set(self, args: verbs.Set) -> Outcome:
        return await self.tuner.set(args, self._speak, self._now_ns)

    async def _reload(self, _: Struct) -> Reloaded:
        return await self.tuner.reload(self._speak, self._now_ns)

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

    def _now(self, *, whole: bool = False) -> Any:
        if self.picture is None:
            raise Failed("the daemon is not up yet")
        return self.picture.snapshot(whole=whole)

    def _house(self, actor: str) -> House:
        if self.house is None:
            raise Failed("the daemon is not up yet")
        if actor not in self.house.mailboxes:
            raise BadInput("actor", actor, f"one of {', '.join(self.house.mailboxes)}")
        if actor not in self.house.runners:
            raise Failed(f"{actor} is not up yet")
        return self.house

    def _check(self, engine: str, symbol: str) -> None:
        known = self.board.instruments
        if engine and engine not in known:
            raise BadInput("engine", engine, f"one of {', '.join(known)}")
        places = [known[engine]] if engine else list(known.values())
        if symbol and not any(symbol in place for place in places):
            near = nearest(symbol, [known for place in places for known in place])
            raise BadInput("symbol", symbol, f"a symbol that is traded here, in the venue's own case; {near}")

    async def _say(self, order: Order, engine: str, symbol: str, reason: str, order_id: str = "") -> None:
        await self._speak(Command(order, engine, symbol, reason, self._now_ns(), order_id))

    async def _speak(self, message: Command | Tune) -> None:
        if self.command is None:
            raise Failed("the daemon is not up yet")
        await self.command(message)

    def _now_ns(self) -> int:
        if self.house is None:
            raise Failed("the daemon is not up yet")
        return self.house.clock.now_ns()
