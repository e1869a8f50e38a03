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
from venues.market import Accepted, Cancelled, CancelRefused, Fill, OrderRequest, Rejected, TimeInForce
from venues.rest import Answer, Rest

PLACE, CROSS, MOVE, CANCEL = "place", "cross", "move", "cancel"
"""Kinds of requests: an order that is to rest, one that takes at once, a replace, a cancel."""

RANDOM, HALT = "random", "halted"
"""Killed at a moment of chance, and right after an operator was shown that trading is halted."""

OF_JOURNAL = ("before_write", "mid_write", "after_write")
OF_LINE = ("before_send", "after_send", "in_flight", "after_ack")
OF_VERDICT = ("before_verdict", "after_verdict")
OF_FILL = ("before_fill", "mid_fill", "after_fill")
ORDERS = (PLACE, CROSS, MOVE)
REQUESTS = (*ORDERS, CANCEL)
CELLS = (
    *(f"{point}/{kind}" for point in (*OF_JOURNAL, *OF_FILL) for kind in ORDERS),
    *(f"{point}/{kind}" for point in (*OF_LINE, *OF_VERDICT) for kind in REQUESTS),
)
"""Every journal step and every step of the line, for each kind of request: all of these are visited in turn. A cancel
is not written down before it is sent: after a restart the venue is asked about an order that rests all the same."""

ON_THE_LINE = tuple(f"{point}/{kind}" for point in ("after_send", "in_flight") for kind in REQUESTS)
"""Where the request that was just sent is under way when its sender dies."""

RANDOMS = 10
"""Kills at a moment of chance in each round of all cells, some of them while a life begins."""

HALTS = 2

LATER_S_MAX = 0.120
"""A kill "in flight" comes this long after the request left at most: its way there and back on the slow line."""
NTH_MAX = 2
ARMED, FIRED = 0, 1
"""Bytes that parent and child share: whether it may die yet, and whether it died where it was to."""

LATE_HEADER = "x-late-s"
"""Of the request that its sender does not survive: so long it is under way."""

QUESTIONS_MAX = 3
"""Below zero: it is under way until so many questions what became of an order were answered, and comes right behind
the answer "not found". A life that begins asks for itself, then its reconciler asks."""

LATE_SHARE, ASKED_SHARE = 0.6, 0.3
"""Of requests that were just sent, so many are under way for longer than the line needs: some until somebody has asked,
the others for a time, the longest of them until they must be refused."""

LATE_S_MAX = 24.0
"""Of the venue's time: an order expires 15 s after it was wished for, and the proof that it never came is 20 s old."""


class Plan(NamedTuple):
    """One kill."""

    cell: str
    nth: int  # the first, or second time that the place is come to
    later_s: float  # in flight, and at random: so long after
    early: bool  # it may die while it begins and recovers, too
    late_s: float = 0.0  # of the venue's time: so late comes the request that was just sent; -2: at the second question


def plan_of(seed: int, venue: str, number: int) -> Plan:
    """The kill of a number: in each round all cells come once, in an order of its own, and some moments of chance."""
    purpose = f"kill/{venue}"
    every = [*CELLS, *[RANDOM] * RANDOMS, *[HALT] * HALTS]
    turn, place = divmod(number, len(every))
    cells = sorted(range(len(every)), key=lambda one: word(seed, f"{purpose}/round {turn}", one))
    cell = every[cells[place]]
    share = uniform(seed, f"{purpose}/late", number) if cell in ON_THE_LINE else 1.0
    late_s = uniform(seed, f"{purpose}/how late", number) * LATE_S_MAX
    return Plan(
        cell,
        1 + int(uniform(seed, f"{purpose}/nth", number) * NTH_MAX),
        uniform(seed, f"{purpose}/later", number),
        uniform(seed, f"{purpose}/early", number) < (0.5 if cell == RANDOM else 0.25),
        -1.0 - number % QUESTIONS_MAX if share < ASKED_SHARE else late_s if share < LATE_SHARE else 0.0,
    )


class Trap:
    """A plan in the process that is to die by it."""

    def __init__(self, plan: Plan, shared: mmap.mmap, speed: float = 1.0, kinds: dict[str, str] | None = None):
        self.plan, self.shared, self.speed = plan, shared, speed
        self.kinds = kinds or {}  # of orders, by our ids
        self.seen = 0

    def next_is(self, cell: str) -> bool:
        """Whether it is the last place that this process comes to."""
        return cell == self.plan.cell and bool(self.shared[ARMED]) and self.seen + 1 >= self.plan.nth

    def reach(self, cell: str) -> None:
        """A place was come to. Where nothing is to be waited for it is the last, if it is the one."""
        if cell != self.plan.cell or not self.shared[ARMED] or self.shared[FIRED]:
            return
        if self.next_is(cell):
            self.shared[FIRED] = 1
            if cell.startswith("in_flight"):
                asyncio.get_running_loop().call_later(self.plan.later_s * LATER_S_MAX, die)
            else:
                die()
        self.seen += 1

    def late_s(self, kind: str) -> float:
        """How late the request of a kind is to come that is about to leave, in our time, or in questions; 0: as any."""
        last = self.next_is(f"after_send/{kind}") or self.next_is(f"in_flight/{kind}")
        late_s = self.plan.late_s
        return 0.0 if not last else late_s if late_s < 0 else late_s / self.speed

    def cells_of(self, entries: Iterable[Entry]) -> list[tuple[str, str]]:
        """What a transaction is about: stems of points, as "write", "verdict" and "fill", and kinds of requests."""
        found = [one for entry in entries if (one := self._cell_of(entry)) is not None]
        return list(dict.fromkeys(found))

    def _cell_of(self, entry: Entry) -> tuple[str, str] | None:
        made = RECORDS.get(entry.kind)
        record: Any = msgpack.decode(entry.body, type=made) if made else None
        match record:
            case OrderPlanned():
                self.kinds[record.order.id] = kind = kind_of(record.order)
                return "write", kind
            case Accepted() | Rejected():
                return "verdict", self.kinds.get(record.order_id, PLACE)
            case Cancelled():
                return "verdict", CROSS if self.kinds.get(record.order_id) == CROSS else CANCEL
            case CancelRefused():  # of a replace it names the new order
                return "verdict", MOVE if self.kinds.get(record.order_id) == MOVE else CANCEL
            case Fill() if record.order_id:
                return "fill", self.kinds.get(record.order_id, PLACE)
        return None


RECORDS: dict[str, Any] = {
    one.__name__: one for one in (OrderPlanned, Accepted, Rejected, Cancelled, CancelRefused, Fill)
}


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
        cells = trap.cells_of(entries)

        def reach(when: str) -> None:
            for stem, kind in cells:
                trap.reach(f"{when}_{stem}/{kind}")

        reach("before")
        if not isinstance(self._db, Watched):
            self._db = Watched(self._db)  # type: ignore[assignment]
        self._db.before_commit = lambda: reach("mid")
        usual(self, entries)
        reach("after")

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
        if late_s := trap.late_s(kind):
            request.headers[LATE_HEADER] = f"{late_s:.6f}"
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
