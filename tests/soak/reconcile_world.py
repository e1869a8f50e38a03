"""A world for the reconciler: the real ledger, executor and reconciler under their supervisor, and a model venue.

The journal is a list that a commit takes its time to be added to; a kill loses what was not. Every step checks what may
never be, and `settle` what must be so once all faults are over.
"""

import asyncio
from contextlib import suppress
from itertools import count

from actors.account import Account
from actors.executor import Executor, ExecutorMind
from actors.ledger import Ledger, LedgerMind
from actors.ledger_recovery import recover
from actors.messages import (
    Awoke,
    Drift,
    OrderChanged,
    OrderFaulted,
    OrderPlanned,
    PositionChanged,
    Reconciled,
    RunStarted,
)
from actors.reconciler import Reconciler, ReconcilerMind, Told
from actors.records import read, written
from config.profile import ReconcileLimits
from daemon.books import looked_ns
from risk.intent import Approved, Cancel, Evidence, Intent, Purpose, Reprice
from risk.ledger.postings import Entry
from risk.order import OrderState
from supervisor.actor import MindBody
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears
from supervisor.messages import ChildCrashed
from supervisor.supervisor import House, Supervisor
from supervisor.virtual import VirtualLoop
from tests.soak.reconcile_venue import ENGINE, INSTRUMENTS, ModelVenue, Order
from venues.market import Rejected, Side, TimeInForce

START_NS = 1_767_571_200 * NS_PER_S
QUIET_S = 240.0
"""Faults are over for so long when everything must be equal: an order's fence and proof, a look, and a stream that was
a hundred seconds behind."""
EVIDENCE = Evidence(
    bar_start_ns=0,
    close=1.0,
    z=0.0,
    z_bound=0.0,
    obi=0.0,
    obi_bound=0.0,
    obi_at_ns=0,
    obi_age_ns=0,
    trend=0.0,
    facade=False,
)
EACH_SEES = ReconcileLimits()


class Violated(AssertionError):
    """Something was so that may never be."""


class Yes:
    """Risk, for whom everything is right: what the reconciler wants cancelled is."""

    hears = (Hears(Cancel),)
    says = (Approved,)

    def hear(self, wish):
        """Yes."""
        return (Approved(wish.engine, wish, (), wish.at_ns),)


class ListLedger(Ledger):
    """The ledger over a journal in memory."""

    def __init__(self, world, new_mind):
        super().__init__(None, new_mind)
        self.world = world

    async def run(self, post):
        """As the ledger does, without a file."""
        mind = self.world.mind = recover(self.world.journal, self.new_mind())
        await self._handle(post, None, mind, mind.recovered(post.clock.now_ns()))
        post.ready()
        while True:
            while batch := post.mailbox.take():
                unread = iter(batch)
                try:
                    await self._handle(post, None, mind, unread)
                except Exception:
                    post.mailbox.put_back(list(unread))
                    raise
            await post.mailbox.wait()

    async def _commit(self, post, book, records, news):
        if records:
            if self.world.commit_s:
                await post.clock.sleep(self.world.commit_s)
            self.world.journal += records
        for message in news:
            post.say(message)


class Pages:
    """Who hears what is told, and remembers what the world asks about."""

    hears = tuple(map(Hears, (Drift, OrderChanged, OrderFaulted, OrderPlanned, PositionChanged, Reconciled, Cancel)))
    hears = (*hears, Hears(ChildCrashed))
    says = ()

    def __init__(self, world):
        self.world = world

    def hear(self, message):
        """Write it down."""
        world = self.world
        match message:
            case PositionChanged():
                world.told[message.symbol] = message.lots
            case OrderPlanned():
                world.planned.add(message.order.id)
            case Reconciled():
                world.verdict = message
            case Drift() if not world.venue.gifts and not world.venue.hid:
                world.wrongs.append(f"{message.symbol} was said to have drifted, and has not")
            case Cancel(reason="stray") if message.order_id in world.planned:
                world.wrongs.append(f"{message.order_id} is ours and was cancelled as a stray")
            case ChildCrashed() if "drill" not in message.error:
                world.wrongs.append(f"{message.child} crashed: {message.error}")
        return ()


class World:
    """One story."""

    def __init__(self, limits=EACH_SEES, minds=(LedgerMind, Reconciler), epoch_ns=START_NS):
        self.loop = VirtualLoop()
        self.clock = Clock(self.loop, epoch_ns, virtual=True)
        self.new_mind, self.reconciler = minds
        self.limits = limits
        self.venue = ModelVenue(self.clock)
        self.journal = []
        self.commit_s = 0.0
        self.numbers = count(1)
        self.lives = 0
        self.told, self.planned, self.wrongs = {}, set(), []
        self.verdict = None
        self.read_to = 0
        self.entries, self.filled_ids, self.never = set(), set(), set()
        self.adopted = 0
        self.start()

    # --- lives

    def start(self):
        """A daemon starts on the journal that is there."""
        self.lives += 1
        self.told.clear()
        run = RunStarted(
            number=self.lives,
            run_id=f"r{self.lives}",
            mode="live",
            seed=1,
            version="0",
            engines=(ENGINE,),
            instruments=tuple(INSTRUMENTS.values()),
            at_ns=self.clock.now_ns(),
        )
        known = recover(self.journal, self.new_mind())
        self.mind = known
        self.journal.append(written(run))
        memory = Told(looked_ns(known, run.at_ns))
        executor = ExecutorMind(ENGINE, lambda: f"o{next(self.numbers)}", expires=True)
        self.venue.stream = asyncio.Queue()
        bodies = (
            ("pages", Pages, lambda: MindBody(Pages(self))),
            ("ledger", Ledger, lambda: ListLedger(self, self.new_mind)),
            ("yes", Yes, lambda: MindBody(Yes())),
            ("executor", Executor, lambda: Executor(executor, self.venue)),
            ("account", Account, lambda: Account(self.venue)),
            ("reconciler", Reconciler, lambda: self._reconciler(memory)),
        )
        shared = ("pages", "ledger")
        children = tuple(
            ChildSpec(
                name=name,
                engine="" if name in shared else ENGINE,
                start=start,
                hears=kind.hears,
                says=kind.says,
                restarts_max=1_000_000,
            )
            for name, kind, start in bodies
        )
        root = SupervisorSpec(name="world", children=children)
        said = (*(h.message for h in Ledger.hears), *(h.message for h in Executor.hears), *Ledger.says, *Account.says)
        self.house = House(root, self.clock, self.lives, (*said, *Reconciler.says, Awoke))

        async def begin():
            supervisor = Supervisor(root, self.house)
            self.task = self.loop.create_task(supervisor.run())
            await asyncio.wait([supervisor.ready, self.task], return_when=asyncio.FIRST_COMPLETED)

        self.loop.run_until_complete(begin())

    def _reconciler(self, memory):
        return self.reconciler(ReconcilerMind(ENGINE), self.venue, memory, self.limits)

    def kill(self):
        """The daemon dies at once; what it had sent still arrives."""

        async def end():
            self.task.cancel()
            await asyncio.wait([self.task])

        self.loop.run_until_complete(end())

    def close(self):
        """The end of the story."""
        self.kill()

        async def rest():
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            if left:
                await asyncio.wait(left)

        self.loop.run_until_complete(rest())
        self.loop.close()

    def crash(self, name):
        """One actor dies."""
        key = name if name in ("ledger", "pages") else f"{ENGINE}.{name}"
        runner = self.house.runners.get(key)
        if runner is not None and not runner.task.done() and runner.up:
            with suppress(RuntimeError):  # it is dying already
                self.house.inject(key, RuntimeError("drill"))

    # --- wishes

    def _approve(self, wish):
        for put in self.house.route(Approved):
            put(Approved(ENGINE, wish, (), self.clock.now_ns()))

    def place(self, symbol, lots, time_in_force, fate):
        """An order of ours."""
        self.venue.fates.append(fate)
        wish = Intent(
            id=f"i{self.clock.now_ns()}-{len(self.planned)}",
            engine=ENGINE,
            symbol=symbol,
            side=Side.BUY if lots > 0 else Side.SELL,
            lots=abs(lots),
            ticks=1000,
            time_in_force=TimeInForce(time_in_force),
            purpose=Purpose.ENTRY,
            reason="z_entry",
            at_ns=self.clock.now_ns(),
            evidence=EVIDENCE,
        )
        self._approve(wish)

    def _ours(self, which):
        alive = [o for o in self.mind.orders.values() if not o.over]
        return alive[which % len(alive)] if alive else None

    def move(self, which, lots_more, fate):
        """A replace of an order of ours."""
        order = self._ours(which)
        if order is None or order.state is not OrderState.RESTING:
            return
        self.venue.fates.append(fate)
        request = order.request
        wish = Reprice(
            engine=ENGINE,
            intent_id=request.intent_id,
            order_id=request.id,
            symbol=request.symbol,
            side=request.side,
            lots_left=order.lots_left,
            lots_total=request.lots + lots_more,
            ticks=1001,
            time_in_force=TimeInForce.GTC,
            purpose=Purpose.ENTRY,
            reason="behind",
            at_ns=self.clock.now_ns(),
        )
        self._approve(wish)

    def cancel(self, which, fate):
        """A cancel of an order of ours."""
        order = self._ours(which)
        if order is None:
            return
        self.venue.fates.append(fate)
        request = order.request
        self._approve(
            Cancel(
                engine=ENGINE,
                intent_id=request.intent_id,
                order_id=request.id,
                symbol=request.symbol,
                reason="lifetime",
                at_ns=self.clock.now_ns(),
            )
        )

    # --- the venue's doings

    def trade(self, which, lots, telling):
        """Somebody meets an order that rests, of ours or by hand."""
        resting = [name for name, order in self.venue.orders.items() if order.open]
        if resting:
            self.venue.telling = telling
            self.venue.trade(resting[which % len(resting)], lots)
            self.venue.telling = "prompt"

    def hand(self, symbol, lots, telling):
        """Somebody trades by hand."""
        self.venue.telling = telling
        self.venue.fill("", symbol, Side.BUY if lots > 0 else Side.SELL, abs(lots))
        self.venue.telling = "prompt"

    def repeat(self):
        """A reconnect tells the newest fills again, and says that something was not heard."""
        self.venue.unheard = set(INSTRUMENTS)
        for fill in self.venue.fills_made[-20:]:
            self.venue.stream.put_nowait(fill)
        self.loop.call_later(5.0, self.venue.unheard.clear)

    # --- time and truth

    def wait(self, seconds):
        """Let it all happen, and look."""
        self.loop.run_until_complete(self.clock.sleep(seconds))
        self.check()

    def _wrong(self, text):
        raise Violated(f"{text} (life {self.lives}, {(self.clock.now_ns() - START_NS) / NS_PER_S:.2f} s)")

    def check(self):
        """What may never be."""
        if self.wrongs:
            self._wrong(self.wrongs[0])
        if self.venue.twice:
            self._wrong(f"{self.venue.twice[0]} was sent twice")
        new, self.read_to = self.journal[self.read_to :], len(self.journal)
        for record in map(read, new):
            self._note(record)
        for order_id in self.never & self.venue.orders.keys():
            self._wrong(f"{order_id} was said never to have arrived, and did")
        for order_id, order in self.mind.orders.items():
            there = self.venue.orders.get(order_id)
            if order.over and there is not None and there.open:
                self._wrong(f"{order_id} is {order.state} in the ledger and rests at the venue")
        reasons = self.venue.gifts + self.venue.hid
        if self.adopted > reasons:
            self._wrong(f"{self.adopted} drifts were adopted, of {reasons} that there can have been")

    def _note(self, record):
        if isinstance(record, Entry) and record.position is not None:
            if record.id in self.entries:
                self._wrong(f"{record.id} was booked twice")
            self.entries.add(record.id)
            self.adopted += record.id.startswith("fill:adopted-")
        elif isinstance(record, Rejected) and record.reason.startswith("the venue does not know it"):
            self.never.add(record.order_id)

    def settle(self):
        """Faults end; then everything must be equal."""
        self.venue.heal()
        self.commit_s = 0.0
        self.wait(QUIET_S)
        held = {symbol: lots for symbol, lots in self.venue.lots.items() if lots}
        ledger = {symbol: one.lots for symbol, one in self.mind.books.positions.get(ENGINE, {}).items()}
        told = {symbol: lots for symbol, lots in self.told.items() if lots}
        if not held == ledger == told:
            self._wrong(f"the venue holds {held}, the ledger {ledger}, the others were told {told}")
        if self.verdict is None or not self.verdict.ok:
            self._wrong(f"quiet, and not reconciled: {self.verdict and self.verdict.reason}")
        self._check_orders()
        self.mind.books.check()
        again = recover(self.journal, self.new_mind())
        if again.books.positions != self.mind.books.positions or vars(again.foreign) != vars(self.mind.foreign):
            self._wrong("the journal folds to something else")
        self._check_sums()

    def _check_orders(self):
        there = {name for name, order in self.venue.orders.items() if order.open}
        here = {name for name, order in self.mind.orders.items() if not order.over}
        if self.limits.by_hand == "quarantine":
            there = {name for name in there if not name.startswith("hand")}
        if there != here:
            self._wrong(f"the venue has {sorted(there)} open, the ledger {sorted(here)}")
        for name in here:
            if self.mind.orders[name].state is not OrderState.RESTING:
                self._wrong(f"{name} rests and is {self.mind.orders[name].state} in the ledger")

    def _check_sums(self):
        """Every fill is booked once, and what is left of adoptions is what no fill stands behind."""
        booked = {entry.removeprefix("fill:") for entry in self.entries}
        if missing := [fill.id for fill in self.venue.fills_made if fill.id not in booked]:
            self._wrong(f"{len(missing)} fills were never booked, as {missing[0]}")
        for name, order in self.mind.orders.items():
            there = self.venue.orders.get(name)
            if there is not None and order.lots_filled + order.lots_surplus < there.filled:
                self._wrong(f"{name} filled {there.filled} lots, {order.lots_filled} in the ledger")

    def second_run(self):
        """What two daemons would book on the same journal at different times, of the same that befell meanwhile.

        Gives both lists of ids.
        """
        ids = []
        for after_s in (0.0, 777.7):
            other = World.__new__(World)
            other.__dict__.update(self._fork(after_s))
            try:
                for symbol, lots in zip(INSTRUMENTS, (5, -3), strict=True):
                    other.venue.gift(symbol, lots)
                other.start()
                other.wait(QUIET_S)
                ids.append(sorted(other.entries))
            finally:
                other.close()
        return ids

    def _fork(self, after_s):
        loop = VirtualLoop()
        clock = Clock(loop, self.clock.now_ns() + round(after_s * NS_PER_S), virtual=True)
        venue, ours = ModelVenue(clock), self.venue
        venue.orders = {name: Order(*(getattr(o, f) for f in o.__struct_fields__)) for name, o in ours.orders.items()}
        venue.lots, venue.fills_made, venue.numbers = dict(ours.lots), list(ours.fills_made), ours.numbers
        venue.past.append((0, dict(ours.lots)))
        fields = {name: value for name, value in vars(self).items() if name not in ("house", "task", "mind")}
        fields |= {"loop": loop, "clock": clock, "venue": venue, "journal": list(self.journal), "entries": set()}
        fields |= {"told": {}, "wrongs": [], "verdict": None, "read_to": len(self.journal), "never": set()}
        return fields | {"adopted": 0, "planned": set(self.planned)}
