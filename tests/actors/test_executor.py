"""The executor's plans, and its answers when the venue's are lost."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from actors.executor import EXPIRY_S, NEVER_SENT, STOPPED, TOO_LATE, Executor, ExecutorMind
from actors.messages import CancelSent, Journaled, OrderPlanned, TradingState, Unanswered
from risk.intent import Approved, Cancel, Evidence, Intent, Purpose, Reprice, Trading
from supervisor.actor import MindBody
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears
from supervisor.supervisor import House, Supervisor
from supervisor.virtual import run_virtual
from venues.market import Accepted, CancelRefused, OrderRequest, Rejected, Side, TimeInForce
from venues.venue import VenueUnreachable

NO_EVIDENCE = Evidence(
    bar_start_ns=0,
    close=100.0,
    z=-2.0,
    z_bound=-1.25,
    obi=0.3,
    obi_bound=0.0,
    obi_at_ns=0,
    obi_age_ns=0,
    trend=90.0,
    facade=False,
)


def intent(purpose: Purpose = Purpose.ENTRY) -> Intent:
    return Intent(
        id="i-1",
        engine="perps",
        symbol="BTC",
        side=Side.BUY,
        lots=10,
        ticks=1000,
        time_in_force=TimeInForce.ALO,
        purpose=purpose,
        reason="z_entry",
        at_ns=5,
        evidence=NO_EVIDENCE,
    )


def reprice() -> Reprice:
    return Reprice(
        engine="perps",
        intent_id="i-1",
        order_id="o-0",
        symbol="BTC",
        side=Side.BUY,
        lots_left=6,
        lots_total=10,
        ticks=1001,
        time_in_force=TimeInForce.ALO,
        purpose=Purpose.EXIT,
        reason="behind",
        at_ns=5,
    )


def cancel() -> Cancel:
    return Cancel(engine="perps", intent_id="i-1", order_id="o-0", symbol="BTC", reason="lifetime", at_ns=5)


def approved(wish: Any) -> Approved[Any]:
    return Approved("perps", wish, (), 7)


def mind(*, expires: bool = True) -> ExecutorMind:
    ids = iter(f"o-{n}" for n in range(1, 100))
    return ExecutorMind("perps", lambda: next(ids), expires=expires)


def test_an_intent_becomes_an_order_that_expires_and_waits_for_the_disk() -> None:
    executor = mind()
    planned = executor.plan(approved(intent()))
    assert planned.entry and planned.order.id == "o-1" and planned.order.intent_id == "i-1"
    assert planned.order.expires_ns == 7 + EXPIRY_S * NS_PER_S
    assert not planned.order.reduce_only and planned.order.replaces == ""
    assert executor.release(Journaled("perps", "o-1", "BTC"), 8) == planned.order
    assert executor.release(Journaled("perps", "o-1", "BTC"), 8) is None, "an order is sent once"


def test_an_order_that_a_crashed_executor_planned_was_never_sent() -> None:
    """Who hears that it is on disk is who would have sent it; at Alpaca nobody could prove it any more."""
    executor = mind()
    assert executor.release(Journaled("perps", "o-1", "BTC"), 8) == Rejected("perps", "o-1", "BTC", NEVER_SENT, 8)
    planned = executor.plan(approved(intent()))
    assert executor.withdraw(planned.order.id)
    assert executor.release(Journaled("perps", planned.order.id, "BTC"), 9) is None, "withdrawn, and said to be"


@pytest.mark.parametrize("engine", ["", "perps"])
@pytest.mark.parametrize("state", [Trading.REDUCING, Trading.HALTED])
def test_an_entry_that_waits_for_the_disk_while_trading_is_stopped_is_not_sent(engine: str, state: Trading) -> None:
    """The gate had let it pass, and a disk that stood for seconds let it go after everybody had heard the halt."""
    executor = mind()
    entry, exit_ = (executor.plan(approved(intent(purpose))).order for purpose in (Purpose.ENTRY, Purpose.EXIT))
    executor.trading[engine] = state
    assert executor.release(Journaled("perps", entry.id, "BTC"), 8) == Rejected(
        "perps", entry.id, "BTC", STOPPED.format(state), 8
    )
    assert executor.release(Journaled("perps", exit_.id, "BTC"), 8) == exit_, "an exit goes"
    executor.trading[engine] = Trading.ACTIVE
    later = executor.plan(approved(intent())).order
    assert executor.release(Journaled("perps", later.id, "BTC"), 9) == later


def test_an_entry_is_not_sent_long_after_it_was_approved() -> None:
    """Alpaca refuses nothing for being late: ten minutes behind a full disk it would have bought at an old price."""
    executor, late_ns = mind(expires=False), 7 + 600 * NS_PER_S
    entry, exit_ = (executor.plan(approved(intent(purpose))).order for purpose in (Purpose.ENTRY, Purpose.EXIT))
    said = executor.release(Journaled("perps", entry.id, "BTC"), late_ns)
    assert said == Rejected("perps", entry.id, "BTC", TOO_LATE.format(600, EXPIRY_S), late_ns)
    assert said.reason == "never sent: it waited 600.0 s for the disk, and an entry holds for 15 s"
    assert executor.release(Journaled("perps", exit_.id, "BTC"), late_ns) == exit_
    for beyond_ns in (0, 1):
        edge = executor.plan(approved(intent())).order
        said = executor.release(Journaled("perps", edge.id, "BTC"), 7 + round(EXPIRY_S * NS_PER_S) + beyond_ns)
        assert isinstance(said, Rejected) is bool(beyond_ns)


def test_exits_reduce_only_and_a_venue_without_expiry_gets_none() -> None:
    order = mind(expires=False).plan(approved(intent(Purpose.EXIT))).order
    assert order.reduce_only and order.expires_ns == 0


def test_a_reprice_asks_for_the_total_of_the_chain_in_place_of_the_old_order() -> None:
    order = mind().plan(approved(reprice())).order
    assert (order.replaces, order.lots, order.ticks, order.intent_id) == ("o-0", 10, 1001, "i-1")


class Scripted:
    """A venue whose answers the test writes."""

    def __init__(self, answer: Callable[[], Awaitable[Any]]):
        self.answer = answer
        self.asked: list[str] = []

    async def submit(self, order: OrderRequest) -> Any:
        self.asked.append(f"submit {order.id}")
        return await self.answer()

    async def replace(self, order: OrderRequest) -> Any:
        self.asked.append(f"replace {order.replaces} by {order.id}")
        return await self.answer()

    async def cancel(self, symbol: str, order_id: str) -> Any:
        self.asked.append(f"cancel {order_id}")
        return await self.answer()


HEARD = (OrderPlanned, CancelSent, Accepted, Rejected, CancelRefused, Unanswered)


class Clerk:
    """Stands for the ledger: notes what it hears and lets every planned order go."""

    hears = tuple(Hears(message) for message in HEARD)
    says = (Journaled,)

    def __init__(self, heard: list[Any]):
        self.heard = heard

    def hear(self, message: Any) -> tuple[Any, ...]:
        self.heard.append(message)
        planned = isinstance(message, OrderPlanned)
        return (Journaled("perps", message.order.id, message.order.symbol),) if planned else ()


def outcome(
    answer: Callable[[], Awaitable[Any]], *wishes: Any, expires: bool = True, mind: Callable[..., ExecutorMind] = mind
) -> tuple[list[Any], list[str]]:
    """What the executor says of wishes when the venue answers so, and what the venue was asked."""
    heard: list[Any] = []
    venue: Any = Scripted(answer)

    async def main(clock: Clock) -> None:
        root = SupervisorSpec(
            name="root",
            children=(
                ChildSpec(name="ledger", start=lambda: MindBody(Clerk(heard)), hears=Clerk.hears, says=Clerk.says),
                ChildSpec(
                    name="executor",
                    engine="perps",
                    start=lambda: Executor(mind(expires=expires), venue),
                    hears=Executor.hears,
                    says=Executor.says,
                ),
            ),
        )
        house = House(root, clock, outside=(Approved, TradingState, *Executor.says))
        tree = asyncio.ensure_future(Supervisor(root, house).run())
        await clock.sleep(0.1)
        for wish in wishes:
            said = wish if isinstance(wish, TradingState) else approved(wish)
            for put in house.route(type(said)):
                put(said)
        await clock.sleep(60)
        tree.cancel()
        await asyncio.wait([tree])

    run_virtual(main, 0)
    return heard, venue.asked


async def accept() -> Accepted:
    return Accepted("perps", "o-1", "BTC", 9)


async def lose() -> Any:
    raise VenueUnreachable("connection reset")


async def hang() -> Any:
    await asyncio.Event().wait()


def test_an_order_is_on_disk_before_it_is_sent() -> None:
    heard, asked = outcome(accept, intent())
    assert [type(m) for m in heard] == [OrderPlanned, Accepted]
    assert asked == ["submit o-1"]


def test_a_halt_is_heard_before_the_disk_s_word() -> None:
    halt = TradingState("", Trading.HALTED, "operator", "operator", 8)
    heard, asked = outcome(accept, intent(), halt)
    assert [type(m) for m in heard] == [OrderPlanned, Rejected] and heard[1].reason == STOPPED.format(Trading.HALTED)
    assert asked == []


def test_a_reprice_marks_the_old_order_and_replaces_it() -> None:
    heard, asked = outcome(accept, reprice())
    assert [type(m) for m in heard] == [OrderPlanned, CancelSent, Accepted]
    assert heard[1].order_id == "o-0" and asked == ["replace o-0 by o-1"]


class Fragile(ExecutorMind):
    """Dies of exits."""

    def plan(self, approved: Approved[Any]) -> OrderPlanned:
        if approved.wish.purpose is Purpose.EXIT:
            raise ZeroDivisionError("a bug")
        return super().plan(approved)


def test_what_came_behind_a_wish_that_it_dies_of_is_carried_out_by_its_successor() -> None:
    ids = iter(f"o-{n}" for n in range(1, 100))
    fragile = lambda expires: Fragile("perps", lambda: next(ids), expires=expires)  # noqa: E731
    _, asked = outcome(accept, intent(), intent(Purpose.EXIT), cancel(), intent(), mind=fragile)
    assert asked == ["cancel o-0", "submit o-2"], "o-1 was planned by the dead one, and never sent"


def test_a_lost_answer_is_doubt_behind_a_fence_and_never_a_rejection() -> None:
    for answer, word in ((lose, "connection reset"), (hang, "TimeoutError")):
        heard, _ = outcome(answer, intent())
        doubt = heard[-1]
        assert isinstance(doubt, Unanswered) and word in doubt.error
        assert doubt.fence_ns == heard[0].order.expires_ns > 0


def test_an_order_that_never_expires_has_no_fence_however_long_ago_its_answer_was_lost() -> None:
    heard, _ = outcome(lose, intent(), expires=False)
    assert isinstance(heard[-1], Unanswered) and heard[-1].fence_ns == 0


def test_a_lost_answer_to_a_cancel_is_doubt_too_and_makes_no_fence() -> None:
    heard, asked = outcome(lose, cancel())
    assert [type(m) for m in heard] == [CancelSent, Unanswered]
    assert heard[-1].fence_ns == 0
    assert asked == ["cancel o-0"]
