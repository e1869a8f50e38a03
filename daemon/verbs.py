"""The arguments of every verb of the control socket: what `obid ctl` sends and the daemon reads."""

from msgspec import Struct


class NoArgs(Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say: status, ps, snapshot."""


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """Which engine and symbol; empty means all of them: positions, orders."""

    engine: str = ""
    symbol: str = ""


class Ordered(Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's order and why it was given: pause, resume, reduce, halt, flatten."""

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
    """Which order or intent to explain, by its id."""

    id: str


class Subscribe(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events to stream, by name; none means all."""

    events: tuple[str, ...] = ()


class Stop(Struct, frozen=True, forbid_unknown_fields=True):
    """Stop the daemon as SIGTERM would: cancel what rests, then exit."""

    reason: str = ""


ARGS: dict[str, type[Struct]] = {
    **dict.fromkeys(("status", "ps", "snapshot"), NoArgs),
    **dict.fromkeys(("positions", "orders"), Scope),
    **dict.fromkeys(("pause", "resume", "reduce", "halt", "flatten"), Ordered),
    "cancel": CancelOrders,
    "restart": Restart,
    "crash": Restart,
    "explain": Explain,
    "subscribe": Subscribe,
    "stop": Stop,
}
"""Every verb; `subscribe` is the server's own, the others are the control actor's."""
