"""The arguments of every verb of the control socket: what `obid ctl` sends and the daemon reads."""

from msgspec import Struct


class NoArgs(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say."""


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine and symbol; empty means all of them."""

    engine: str = ""
    symbol: str = ""


class Ordered(Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's order and why it was given; empty engine or symbol means all of them."""

    engine: str = ""
    symbol: str = ""
    reason: str = ""


class CancelOrders(Struct, frozen=True, forbid_unknown_fields=True):
    """Which resting orders to cancel: one by its id, or all of an engine and symbol."""

    order_id: str = ""
    engine: str = ""
    symbol: str = ""
    reason: str = ""


class Restart(Struct, frozen=True, forbid_unknown_fields=True):
    """Which actor to stop and start again, by its name in `ps`."""

    actor: str
    reason: str = ""


class Explain(Struct, frozen=True, forbid_unknown_fields=True):
    """What to explain: an order or an intent by its id or six characters of it, or a symbol that is not traded."""

    id: str


class Get(Struct, frozen=True, forbid_unknown_fields=True):
    """Which values that can be changed while it runs to show; empty means all."""

    name: str = ""
    symbol: str = ""
    engine: str = ""


class Set(Struct, frozen=True, forbid_unknown_fields=True):
    """A value to change while it runs; `default` takes the change back."""

    name: str
    value: str | float | bool
    symbol: str = ""
    engine: str = ""
    keep: bool = False  # after a restart too
    reason: str = ""


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events to stream, by name; none means all."""

    events: tuple[str, ...] = ()


class Stop(Struct, frozen=True, forbid_unknown_fields=True):
    """Stop the daemon as SIGTERM would: cancel what rests, then exit."""

    reason: str = ""


ARGS: dict[str, type[Struct]] = {
    **dict.fromkeys(("status", "ps", "snapshot", "names"), NoArgs),
    **dict.fromkeys(("positions", "orders"), Scope),
    **dict.fromkeys(("pause", "resume", "reduce", "halt", "flatten"), Ordered),
    "cancel": CancelOrders,
    "restart": Restart,
    "crash": Restart,
    "explain": Explain,
    "get": Get,
    "set": Set,
    "reload": NoArgs,
    "subscribe": Subscribe,
    "stop": Stop,
}
"""Every verb; `subscribe` is the server's own, the others are the control actor's."""

DOES: dict[str, str] = {
    "status": "clock, health, trading states and PnL of each engine",
    "ps": "every actor with its mailbox and restarts",
    "positions": "open positions with their PnL",
    "orders": "orders that are not over",
    "snapshot": "everything at this moment",
    "names": "what can be named: engines and their symbols, actors, orders, tunable values",
    "pause": "stop new entries; exits go on",
    "resume": "lift a pause, a reduce or a halt",
    "reduce": "exits and cancels only, until resume; outlives a restart",
    "halt": "stop new entries and cancel those that rest, until resume; outlives a restart",
    "flatten": "close positions and cancel what rests",
    "cancel": "cancel one resting order, or all that fit",
    "restart": "stop an actor and start it again; its mailbox is kept",
    "crash": "crash an actor, where no real orders are",
    "explain": "an order's chain from book to fill or refusal, or why a symbol is not traded",
    "get": "values that can be changed while it runs",
    "set": "change one of them, within what the configuration file allows",
    "reload": "read the configuration file again, take over what is tunable, name what wants a restart",
    "subscribe": "stream events on this connection",
    "stop": "cancel what rests and stop, as SIGTERM does",
}
"""What each does, for the documentation."""
