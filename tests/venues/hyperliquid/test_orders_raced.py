"""Orders that race: executor, ledger, reconciler and adapter against the emulated exchange, in virtual time.

Whatever is sent in whatever order, with answers and frames that are late or lost: the ledger's lots are the venue's,
every order ends, and the only fault is surplus that the venue did fill.
"""

import asyncio
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from actors.account import Account
from actors.executor import Executor, ExecutorMind
from actors.ledger import Ledger, LedgerMind
from actors.messages import Awoke, OrderChanged, OrderFaulted, OrderPlanned, PositionChanged, RunStarted, Unanswered
from actors.reconciler import Reconciler, ReconcilerMind, Told
from actors.records import written
from daemon import ending
from daemon.graph import EngineParts
from risk.intent import Approved, Cancel, Evidence, Intent, Purpose, Reprice
from risk.order import OVER, OrderState
from supervisor.actor import MindBody
from supervisor.child import ChildSpec
from supervisor.clock import NS_PER_S
from supervisor.journal import Journal
from supervisor.mailbox import Hears
from supervisor.messages import ChildCrashed
from supervisor.supervisor import House, Supervisor
from supervisor.virtual import run_virtual
from tests.fakes import notebook, say, tree
from tests.venues.emulator.desk import START_NS
from tests.venues.hyperliquid.in_process import LOST_AFTER, LOST_BEFORE, UNSENT, Delays, opened
from venues.hyperliquid.account import MONEY_NS
from venues.market import Accepted, Cancelled, Fill, OrderRequest, Rejected, Side, TimeInForce
from venues.rest import NotAnswered
from venues.venue import VenueUnreachable

MID = 66_000
SYMBOL = "BTC"
ALO, IOC, GTC = TimeInForce.ALO, TimeInForce.IOC, TimeInForce.GTC
EVIDENCE = Evidence(
    bar_start_ns=0,
    close=1.0,
    z=-2.0,
    z_bound=-1.0,
    obi=0.1,
    obi_bound=0.0,
    obi_at_ns=0,
    obi_age_ns=0,
    trend=1.0,
    facade=False,
)


class Yes:
    """Stands for the gate: strays are cancelled unasked."""

    hears = (Hears(Cancel),)
    says = (Approved,)

    def hear(self, message):
        return (Approved(message.engine, message, (), message.at_ns),)


class Floor:
    """A small house that trades one coin, and what it said."""

    def __init__(self, clock, house, adapter, wire, pages):
        self.clock, self.house, self.adapter, self.wire, self.pages = clock, house, adapter, wire, pages

    def of(self, kind):
        return [page for page in self.pages if type(page) is kind]

    def orders(self):
        """The newest word on each order, by id, oldest order first."""
        return {changed.order_id: changed for changed in self.of(OrderChanged)}

    def resting(self):
        return [one for one in self.orders().values() if one.state is OrderState.RESTING]

    def lots(self):
        held = self.of(PositionChanged)
        return held[-1].lots if held else 0

    def approve(self, wish):
        say(self.house, Approved("perps", wish, (), self.clock.now_ns()))

    def place(self, side, ticks, lots, tif, purpose=Purpose.ENTRY):
        now_ns = self.clock.now_ns()
        self.approve(
            Intent(
                id=f"i{len(self.of(OrderPlanned))}-{now_ns}",
                engine="perps",
                symbol=SYMBOL,
                side=Side(side),
                lots=lots,
                ticks=self.ticks(ticks),
                time_in_force=tif,
                purpose=purpose,
                reason="test",
                at_ns=now_ns,
                evidence=EVIDENCE,
            )
        )

    def modify(self, order, ticks, tif):
        self.approve(
            Reprice(
                engine="perps",
                intent_id=order.intent_id,
                order_id=order.order_id,
                symbol=SYMBOL,
                side=order.side,
                lots_left=order.lots - order.lots_filled,
                lots_total=order.lots,
                ticks=self.ticks(ticks),
                time_in_force=tif,
                purpose=Purpose.ENTRY,
                reason="test",
                at_ns=self.clock.now_ns(),
            )
        )

    def cancel(self, order):
        self.approve(
            Cancel(
                engine="perps",
                intent_id=order.intent_id,
                order_id=order.order_id,
                symbol=SYMBOL,
                reason="test",
                at_ns=self.clock.now_ns(),
            )
        )

    def ticks(self, away):
        return self.adapter.instruments[SYMBOL].ticks(MID + away)

    async def until_over(self, within_s=200):
        """Cancel what rests until nothing does."""
        for _ in range(within_s):
            for order in self.resting():
                self.cancel(order)
            await self.clock.sleep(5.0)
            if all(order.state in OVER for order in self.orders().values()) and not self.wire.open_orders():
                return
        raise AssertionError({one.order_id: (one.state, one.reason) for one in self.orders().values()})

    def check(self):
        """What must be so when all is over."""
        assert self.lots() == self.wire.lots()
        assert not self.adapter.orders.alive()
        assert not self.of(ChildCrashed), self.of(ChildCrashed)
        for fault in self.of(OrderFaulted):
            assert "lots more than the" in fault.error, fault
        assert bool(self.of(OrderFaulted)) == bool(self.surplus())

    def surplus(self):
        """Lots beyond what was ordered, of each chain, by the fills of the venue itself."""
        root, wanted, filled = {}, {}, {}
        for planned in self.of(OrderPlanned):
            order = planned.order
            root[order.id] = root.get(order.replaces, order.id)
            wanted[root[order.id]] = order.lots
        for fill in {fill.id: fill for fill in self.of(Fill)}.values():
            name = root[fill.order_id]
            filled[name] = filled.get(name, 0) + fill.lots
        return {name: filled.get(name, 0) - lots for name, lots in wanted.items() if filled.get(name, 0) > lots}


def run_of(adapter, at_ns):
    """The first record of a journal."""
    return RunStarted(
        number=1,
        run_id="r1",
        mode="live",
        seed=1,
        version="0",
        engines=("perps",),
        instruments=tuple(adapter.instruments.values()),
        at_ns=at_ns,
    )


def floor(tmp_path, script):
    """Run a script with a house that trades."""
    numbers = count(1)

    async def main(clock):
        adapter, wire = await opened(clock, tmp_path)
        path = tmp_path / f"journal-{next(SERIAL)}"
        book = Journal.open(path)
        book.append([written(run_of(adapter, clock.now_ns()))])
        book.close()
        pages = []
        bodies = (
            ("ledger", lambda: Ledger(path, LedgerMind), Ledger, ""),
            ("yes", lambda: MindBody(Yes()), Yes, "perps"),
            ("account", lambda: Account(adapter), Account, "perps"),
            (
                "executor",
                lambda: Executor(ExecutorMind("perps", lambda: f"o{next(numbers)}", expires=True), adapter),
                Executor,
                "perps",
            ),
            (
                "reconciler",
                lambda: Reconciler(ReconcilerMind("perps"), adapter, told),
                Reconciler,
                "perps",
            ),
        )
        told = Told(clock.now_ns())
        children = [
            ChildSpec(name=name, start=start, hears=kind.hears, says=kind.says, engine=engine)
            for name, start, kind, engine in bodies
        ]
        heard = (OrderChanged, PositionChanged, OrderFaulted, OrderPlanned, Fill, ChildCrashed)
        root = tree(notebook("pages", pages, *heard), *children)
        house = House(root, clock, seed=7, outside=LOOSE)
        supervisor = Supervisor(root, house)
        tasks = [asyncio.create_task(supervisor.run()), asyncio.create_task(wire.pump())]
        try:
            await asyncio.wait([supervisor.ready, *tasks], return_when=asyncio.FIRST_COMPLETED)
            await clock.sleep(1)  # for the first books
            return await script(Floor(clock, house, adapter, wire, pages))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await adapter.close()

    return run_virtual(main, START_NS)


SERIAL = count(1)
LOOSE = (Approved, Awoke, *Ledger.says, *Account.says, *Reconciler.says, *(heard.message for heard in Ledger.hears))
"""What is said to nobody here, or by nobody."""

# --- whatever is done in whatever order

away = st.sampled_from([1, 2, 3, 4, 6, -2])  # ticks behind the middle on the order's own side; the last crosses
sides = st.sampled_from(["buy", "sell"])
fates = st.sampled_from([""] * 9 + [UNSENT, LOST_BEFORE, LOST_AFTER])
tifs = st.sampled_from([GTC, GTC, ALO, IOC])
places = st.tuples(st.just("place"), sides, away, st.sampled_from([100, 20, 400]), tifs, fates)
modifies = st.tuples(st.just("modify"), st.integers(0, 1), away, tifs, fates)
cancels = st.tuples(st.just("cancel"), st.integers(0, 1), fates)
trades = st.tuples(st.just("trade"), sides, st.sampled_from([6, 4, 2]), st.sampled_from([0.0003, 0.001, 0.004]))
moves = st.tuples(st.just("move"), st.sampled_from([0, 3, -3]))
ways = st.sampled_from([0.01, 0.3, 0.9])
delays = st.tuples(st.just("delays"), ways, ways, st.sampled_from([0.0, 0.3, 2.0]))
pauses = st.sampled_from([0.0, 0.1, 0.5, 0.7, 3.0])
firsts = st.tuples(st.just("place"), sides, st.integers(1, 4), st.sampled_from([100, 400]), st.just(GTC), st.just(""))
races = st.lists(
    st.tuples(st.one_of(places, modifies, modifies, trades, trades, cancels, moves, delays), pauses),
    min_size=6,
    max_size=20,
)
setting = st.lists(st.tuples(delays, st.just(0.0)), min_size=1, max_size=1)
opening = st.lists(st.tuples(firsts, pauses), min_size=1, max_size=3)
steps = st.tuples(setting, opening, races).map(lambda parts: [step for part in parts for step in part])


def act(one, step):
    """Begin a step; its answer comes when it comes."""
    match step:
        case ("place", side, ticks, lots, tif, fate):
            one.wire.fates.append(fate)
            one.place(side, -Side(side).sign * ticks, lots, tif)
        case ("modify", number, ticks, tif, fate):
            if order := one.resting()[number : number + 1]:
                one.wire.fates.append(fate)
                one.modify(order[0], -order[0].side.sign * ticks, tif)
        case ("cancel", number, fate):
            if order := one.resting()[number : number + 1]:
                one.wire.fates.append(fate)
                one.cancel(order[0])
        case ("trade", side, ticks, size):
            one.wire.market.trades.append((SYMBOL, float(MID + Side(side).sign * ticks), size, Side(side)))
        case ("move", ticks):
            one.wire.market.mids[SYMBOL] = float(MID + ticks)
        case ("delays", *seconds):
            one.wire.delays = Delays(*seconds)


@settings(max_examples=60)
@given(steps)
def test_the_ledger_is_the_venue_and_every_order_ends(tmp_path_factory, sequence):
    async def script(one):
        for step, pause in sequence:
            act(one, step)
            await one.clock.sleep(pause)
        await one.clock.sleep(2)
        one.wire.fates.clear()
        await one.until_over()
        await one.clock.sleep(60)
        one.check()

    floor(tmp_path_factory.mktemp("floor"), script)


# --- one by one


async def rests(one, lots=400, ticks=-2, side="buy"):
    """An order that rests; its latest news."""
    one.place(side, ticks, lots, GTC)
    await one.clock.sleep(1)
    (order,) = one.resting()
    return order


BATCH_S = 1.1
"""What the market is told to show, it has shown by then: a batch each half second, and one is always ready."""


def sells(one, size, ticks=-6):
    """Somebody sells into our bids."""
    one.wire.market.trades.append((SYMBOL, float(MID + ticks), size, Side.SELL))


def test_an_excess_is_cancelled_though_another_question_is_not_answered(tmp_path):
    """Transfers could not be read for two minutes, and what a replace had made too large filled meanwhile."""

    async def script(one):
        usual = one.wire.info

        async def unanswered(body, read):
            if b"userNonFundingLedgerUpdates" in body:
                raise NotAnswered("/info", "HTTP 500: internal error", sent=True, status=500)
            return await usual(body, read)

        await one.clock.sleep(2)
        one.wire.info = unanswered
        await one.clock.sleep(MONEY_NS / NS_PER_S + 60)
        order = await rests(one)
        one.wire.delays = Delays(frames_s=1.5)
        sells(one, 0.001)  # 100 of 400 lots, while the replace is on its way
        await one.clock.sleep(BATCH_S)
        one.modify(order, -1, GTC)
        await one.clock.sleep(8)
        assert not one.wire.open_orders()
        sells(one, 0.004)
        await one.clock.sleep(5)
        assert one.lots() == one.wire.lots() == 100

    floor(tmp_path, script)


async def overfilled(one):
    """The old order fills in part while its replacement, for all of it, is under way; then that one fills whole."""
    order = await rests(one)
    one.wire.delays = Delays(frames_s=3.0)
    sells(one, 0.001)
    await one.clock.sleep(BATCH_S)
    one.modify(order, -1, GTC)
    await one.clock.sleep(0.1)
    sells(one, 0.004)
    await one.clock.sleep(5)


def test_a_modify_that_races_a_fill_overfills_its_chain_and_the_books_hold_it_all(tmp_path):
    async def script(one):
        await overfilled(one)
        await one.until_over()
        one.check()
        assert one.lots() == 500
        assert {state.state for state in one.orders().values()} <= {OrderState.FILLED, OrderState.CANCELLED}
        (fault,) = one.of(OrderFaulted)
        assert "100 lots more than the 400" in fault.error
        for order_id in one.orders():
            found = await one.adapter.find(SYMBOL, order_id)
            assert isinstance(found, Cancelled) and found.lots_filled <= 400
        await one.clock.sleep(90)
        assert len(one.of(OrderFaulted)) == 1, "it is said once, and not by each look"

    floor(tmp_path, script)


def test_an_excess_is_cancelled_though_the_answer_to_its_modify_was_lost(tmp_path):
    async def script(one):
        order = await rests(one)
        one.wire.delays = Delays(frames_s=1.5)
        sells(one, 0.001)
        await one.clock.sleep(BATCH_S)
        one.wire.fates.append(LOST_AFTER)
        one.modify(order, -1, GTC)
        await one.clock.sleep(5)
        assert not one.wire.open_orders(), "it would have filled 400 beside the 100 of the first"
        await one.until_over()
        one.check()
        assert one.lots() == 100

    floor(tmp_path, script)


@pytest.mark.parametrize("fate", [UNSENT, "no room"])
def test_a_replace_that_was_not_sent_leaves_the_old_order_resting_at_once(tmp_path, fate):
    async def script(one):
        order = await rests(one)
        if fate == UNSENT:
            one.wire.fates.append(UNSENT)
        else:
            orders_room = one.adapter.shared.budget.weight
            orders_room.spend(orders_room.room(1, one.clock.now_ns()), one.clock.now_ns())
        one.modify(order, -1, GTC)
        await one.clock.sleep(1)
        first, second = one.orders().values()
        assert (first.state, second.state) == (OrderState.RESTING, OrderState.REJECTED)
        assert "not sent" in second.reason
        one.wire.market.trades.clear()
        tracked = one.adapter.orders.get(order.order_id)
        assert tracked.successor == "", "nothing took its place"
        await one.clock.sleep(70)
        await one.until_over()
        one.check()

    floor(tmp_path, script)


def test_an_order_that_stays_in_doubt_is_asked_about_alone_and_less_and_less(tmp_path):
    """Twelve looks at everything, 65 each, every half minute: more than questions have in a minute."""

    async def script(one):
        await one.clock.sleep(5)
        adapter = one.adapter
        ask = adapter.find

        async def mute(symbol, order_id):
            await ask(symbol, order_id)
            raise VenueUnreachable("no word")

        adapter.find = mute
        one.wire.fates.append(LOST_BEFORE)
        one.place("buy", -2, 100, IOC)
        await one.clock.sleep(5)
        one.wire.asked.clear()
        await one.clock.sleep(60)
        assert one.orders()["o1"].state is OrderState.UNKNOWN
        assert one.wire.asked.count("clearinghouseState") <= 6
        assert 4 <= one.wire.asked.count("orderStatus") <= 14
        adapter.find = ask
        await one.until_over()
        one.check()

    floor(tmp_path, script)


@pytest.mark.parametrize("fate", [LOST_BEFORE, LOST_AFTER])
def test_an_exit_in_doubt_ends_by_a_cancel_where_no_question_is_answered(tmp_path, fate):
    """/info was down, so nobody could prove anything: the symbol had no other exit until it came back."""

    async def script(one):
        one.place("buy", 4, 100, IOC)
        await one.clock.sleep(3)
        assert one.lots() == 100
        one.wire.info_down = True
        one.wire.fates.append(fate)
        began_ns = one.clock.now_ns()
        one.place("sell", -4, 100, IOC, Purpose.EXIT)
        await one.clock.sleep(5)
        if fate == LOST_BEFORE:
            assert one.orders()["o2"].state is OrderState.UNKNOWN
            await one.clock.sleep(23)
            changed = one.orders()["o2"]
            assert changed.state is OrderState.CANCELLED and "never placed" in changed.reason
            assert changed.at_ns - began_ns > 20 * NS_PER_S, "before the fence, and a while behind it, it is no proof"
        assert one.orders()["o2"].state in OVER
        assert one.lots() == one.wire.lots()
        assert not one.adapter.orders.alive()

    floor(tmp_path, script)


def test_an_order_that_is_to_rest_is_not_cancelled_to_learn_what_it_is(tmp_path):
    async def script(one):
        order = await rests(one)
        await one.clock.sleep(20)
        one.wire.info_down = True
        with pytest.raises(VenueUnreachable):
            await one.adapter.find(SYMBOL, order.order_id)
        assert one.wire.open_orders()

    floor(tmp_path, script)


def test_an_order_that_never_arrived_is_not_kept_for_ever(tmp_path):
    async def script(one):
        one.wire.fates.append(LOST_BEFORE)
        one.place("buy", -2, 100, GTC)
        await one.clock.sleep(5)
        assert one.adapter.orders.alive()
        await one.clock.sleep(30)
        assert one.orders()["o1"].state is OrderState.REJECTED
        assert not one.adapter.orders.alive()

    floor(tmp_path, script)


def test_fills_are_asked_for_only_where_some_may_be_missing(tmp_path):
    async def script(one):
        one.place("buy", 4, 100, IOC)
        order = await rests(one)
        one.cancel(order)
        await one.clock.sleep(3)
        one.wire.asked.clear()
        for order_id, lots in (("o1", 100), ("o2", 0)):
            found = await one.adapter.find(SYMBOL, order_id)
            assert (type(found), found.lots_filled) == (Cancelled, lots)
        assert one.wire.asked == ["orderStatus", "orderStatus"]
        one.adapter.orders.get("o1").own_lots = 60
        assert isinstance(await one.adapter.find(SYMBOL, "o1"), Cancelled)
        assert one.wire.asked[-1] == "userFillsByTime"

    floor(tmp_path, script)


def test_no_action_is_sent_for_which_the_room_was_taken_meanwhile(tmp_path):
    """The room was seen, then the nonce was written to disk, then it was sent, room or not."""

    async def script(one):
        weight = one.adapter.shared.budget.weight
        left = weight.room(1, one.clock.now_ns())
        weight.spend(left - 1, one.clock.now_ns())
        orders = [order_of(one, f"x{number}") for number in range(3)]
        said = await asyncio.gather(*map(one.adapter.submit, orders))
        assert [type(verdict) for verdict in said].count(Accepted) == 1
        assert all("not sent" in verdict.reason for verdict in said if isinstance(verdict, Rejected))
        assert weight.room(1, one.clock.now_ns()) >= 0
        assert one.wire.asked.count("order") == 1

    floor(tmp_path, script)


def order_of(one, order_id):
    """A bid that rests."""
    return OrderRequest(
        id=order_id,
        intent_id="i",
        engine="perps",
        symbol=SYMBOL,
        side=Side.BUY,
        lots=100,
        ticks=one.ticks(-3),
        time_in_force=ALO,
        expires_ns=one.clock.now_ns() + 15 * NS_PER_S,
    )


def test_a_stop_takes_back_by_name_what_it_cannot_ask_about(tmp_path):
    """/info was down at the stop: what rested went on resting, and doubt was left to the next start."""

    async def script(one):
        mind = LedgerMind()
        mind.fold(run_of(one.adapter, one.clock.now_ns()))
        doubtful = replace(order_of(one, "x2"), time_in_force=IOC)
        for order in (order_of(one, "x1"), doubtful):
            mind.hear(OrderPlanned("perps", order, True, one.clock.now_ns()))
        mind.hear(await one.adapter.submit(order_of(one, "x1")))
        one.wire.fates.append(LOST_BEFORE)
        with pytest.raises(VenueUnreachable):
            await one.adapter.submit(doubtful)
        mind.hear(Unanswered("perps", "x2", doubtful.expires_ns, "lost", one.clock.now_ns()))
        one.wire.info_down = True
        part = EngineParts(profile=None, instruments={}, venue=one.adapter, streams={})
        records, wrongs = await ending._last_words("perps", part, mind, one.clock, whole=True)
        assert not one.wire.open_orders()
        assert [mind.orders[order_id].state for order_id in ("x1", "x2")] == [OrderState.CANCELLED] * 2
        assert {record.order_id for record in records if type(record) is Cancelled} == {"x1", "x2"}
        assert "could not be asked" in wrongs[0], "nobody compared, so nobody may say that all is well"

    floor(tmp_path, script)
