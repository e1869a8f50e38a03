"""Where a daemon is killed: named points of the life of an order, and how a process is made to stop dead at one.

The hooks are laid around the journal and around the line to the venue, in the process that is to die and by the harness
alone: nothing that ships knows of them. SIGKILL comes from within, so it comes exactly there.
"""

import asyncio
import json
import mmap
import os
import signal
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from msgspec import msgpack

from actors.messages import OrderPlanned
from supervisor.draws import uniform, word
from supervisor.journal import Entry, Journal
from venues.market import OrderRequest, TimeInForce
from venues.rest import Answer, Rest

PLACE, CROSS, MOVE, CANCEL = "place", "cross", "move", "cancel"
"""Kinds of requests: an order that is to rest, one that takes at once, a replace, a cancel."""

RANDOM, HALT = "random", "halted"
"""Killed at a moment of chance, and right after an operator was shown that trading is halted."""
VERDICTS = {"Accepted", "Rejected", "Cancelled", "CancelRefused"}

OF_JOURNAL = ("before_write", "mid_write", "after_write")
OF_LINE = ("before_send", "after_send", "in_flight", "after_ack")
CELLS = (
    *(f"{point}/{kind}" for point in OF_JOURNAL for kind in (PLACE, CROSS, MOVE)),
    *(f"{point}/{kind}" for point in OF_LINE for kind in (PLACE, CROSS, MOVE, CANCEL)),
    *(f"{point}/verdict" for point in ("before_write", "after_write")),
    *(f"{point}/fill" for point in ("before_write", "mid_write", "after_write")),
)
"""Every journal step and every step of the line, for each kind of request: all of these are visited in turn."""

RANDOMS = 10
"""Kills at a moment of chance in each round of all cells: a fourth, some of them while a life begins."""

HALTS = 2

LATER_S_MAX = 0.120
"""A kill "in flight" comes this long after the request left at most: its way there and back on the slow line."""
NTH_MAX = 2
ARMED, FIRED = 0, 1
"""Bytes that parent and child share: whether it may die yet, and whether it died where it was to."""


class Plan(NamedTuple):
    """One kill."""

    cell: str
    nth: int  # the first, or second time that the place is come to
    later_s: float  # in flight, and at random: so long after
    early: bool  # it may die while it begins and recovers, too


def plan_of(seed: int, batch: int, number: int) -> Plan:
    """The kill of a number: in each round all cells come once, in an order of its own, and some moments of chance."""
    purpose = f"kill/{batch}"
    every = [*CELLS, *[RANDOM] * RANDOMS, *[HALT] * HALTS]
    turn, place = divmod(number, len(every))
    cells = sorted(range(len(every)), key=lambda one: word(seed, f"{purpose}/round {turn}", one))
    cell = every[cells[place]]
    return Plan(
        cell,
        1 + int(uniform(seed, f"{purpose}/nth", number) * NTH_MAX),
        uniform(seed, f"{purpose}/later", number),
        uniform(seed, f"{purpose}/early", number) < (0.5 if cell == RANDOM else 0.25),
    )


class Trap:
    """A plan in the process that is to die by it."""

    def __init__(self, plan: Plan, shared: mmap.mmap):
        self.plan, self.shared = plan, shared
        self.seen = 0

    def reach(self, cell: str) -> bool:
        """A place was come to; whether it is the one. Where nothing is to be waited for it is the last."""
        if cell != self.plan.cell or not self.shared[ARMED]:
            return False
        self.seen += 1
        if self.seen < self.plan.nth:
            return False
        self.shared[FIRED] = 1
        if not cell.startswith("in_flight"):
            die()
        asyncio.get_running_loop().call_later(self.plan.later_s * LATER_S_MAX, die)
        return True


def die() -> None:
    """As by an operator's kill -9, or the kernel's: no handler, no flush."""
    os.kill(os.getpid(), signal.SIGKILL)


def install(trap: Trap) -> None:
    """Lay the hooks, in this process."""
    around_journal(trap)
    around_line(trap)


def around_journal(trap: Trap) -> None:
    """Before a transaction, before its commit, after it."""
    usual = Journal.append

    def append(self: Journal, entries: Iterable[Entry]) -> None:
        entries = list(entries)
        subjects = subjects_of(entries)
        for subject in subjects:
            trap.reach(f"before_write/{subject}")
        if not isinstance(self._db, Watched):
            self._db = Watched(self._db)  # type: ignore[assignment]
        self._db.before_commit = lambda: [trap.reach(f"mid_write/{subject}") for subject in subjects]
        usual(self, entries)
        for subject in subjects:
            trap.reach(f"after_write/{subject}")

    Journal.append = append  # type: ignore[method-assign]


class Watched:
    """A connection that says when it is about to commit."""

    def __init__(self, connection: Any):
        self.connection = connection
        self.before_commit: Callable[[], object] = lambda: None

    def execute(self, statement: str, *more: Any) -> Any:
        if statement == "COMMIT":
            self.before_commit()
        return self.connection.execute(statement, *more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def subjects_of(entries: list[Entry]) -> list[str]:
    """What a transaction is about, by the names that cells have."""
    found = [
        kind_of(msgpack.decode(one.body, type=OrderPlanned).order) for one in entries if one.kind == "OrderPlanned"
    ]
    kinds = {entry.kind for entry in entries}
    found += ["verdict"] if kinds & VERDICTS else []
    return [*dict.fromkeys(found), *(["fill"] if "Fill" in kinds else [])]


def kind_of(order: OrderRequest) -> str:
    """What an order is, as the line sees it."""
    if order.replaces:
        return MOVE
    return CROSS if order.time_in_force is TimeInForce.IOC else PLACE


def around_line(trap: Trap) -> None:
    """Before a request leaves, when its last byte has left, while it is under way, when its answer is there."""
    usual = Rest._send

    async def send(self: Rest, path: str, request: Any) -> Answer:
        kind = act_of(request.method, path, request.content)
        if not kind:
            return await usual(self, path, request)
        before = request.extensions["trace"]

        async def trace(event: str, told: Any) -> None:
            await before(event, told)
            if event.endswith(".send_request_body.complete"):
                trap.reach(f"after_send/{kind}")
                trap.reach(f"in_flight/{kind}")

        request.extensions["trace"] = trace
        trap.reach(f"before_send/{kind}")
        answer = await usual(self, path, request)
        trap.reach(f"after_ack/{kind}")
        return answer

    Rest._send = send  # type: ignore[method-assign]


def act_of(method: str, path: str, body: bytes) -> str:
    """What a request does to orders, of both venues; nothing for a question."""
    if path == "/exchange":
        action = json.loads(body)["action"]
        kind = {"order": PLACE, "batchModify": MOVE, "modify": MOVE, "cancel": CANCEL, "cancelByCloid": CANCEL}
        found = kind.get(action["type"], "")
        return CROSS if found == PLACE and action["orders"][0]["t"]["limit"]["tif"] == "Ioc" else found
    if not path.startswith("/v2/orders"):
        return ""
    if method == "POST":
        return CROSS if json.loads(body)["time_in_force"] == "ioc" else PLACE
    return {"PATCH": MOVE, "DELETE": CANCEL}.get(method, "")
