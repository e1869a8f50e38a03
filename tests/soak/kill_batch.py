"""A batch of kills: one emulated venue, one data directory, life after life, and what each has left.

Every batch is a process of its own, forked from the warm one, and so are its venue and its lives. A kill that leaves
anything wrong ends its batch. A place that was not come to in time is waited for again in a later life.
"""

import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from daemon.soak.plan import HASTY
from tests.soak import kill_checks, kill_points, kill_venue, kill_warm
from tests.soak.hour import post
from tests.soak.kill_controls import CONTROLS, plan_against
from tests.soak.kill_life import Home, Life
from tests.soak.kill_points import HALT, RANDOM, Plan, plan_of

BATCH = 50
"""Kills of one data directory, at most."""
SETTLE_S, SETTLE_LEAST_S = 60.0, 60.0
"""Of the venue's time, and of ours: an order in doubt is proven never to have come 20 s after it was sent, and asked
about then; a machine that has twenty others to serve takes longer. One that never settles is given the first alone."""
ARMED_S = 40.0
"""Of the venue's time: so long a place is waited for; then the life ends where it is."""
RANDOM_S = 12.0
EARLY_S = 0.5
"""In our time: a life is killed at random while it begins, which takes as long at any speed of the venue's."""
HALTED_S = 20.0
SURE_S = 0.5
"""What is wrong is looked at again after this: an answer that is on its way to be written down has come by then."""
POLL_TRUTH_S = 0.08
MARKETS = 100_000
"""Seeds of markets between those of two runs."""

ZEROS = ("orphans", "duplicates", "wrong_verdicts", "lost", "unequal", "latch", "ended")
"""Kinds of failures."""

ROUTES = {"hyperliquid": "native", "alpaca": "spot"}


class Failure(NamedTuple):
    """What a kill has left."""

    kind: str
    text: str


class Asked(msgspec.Struct, frozen=True):
    """Which batch it is: with its figures this is one line of the file of results."""

    venue: str
    seed: int
    first: int  # of the venue's kills
    kills: int
    speed: float
    control: str = ""
    cells: tuple[str, ...] = ()  # these and no others, in turn

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.control or ('again' if self.cells else 'batch')}-{self.venue}-{self.seed}-{self.first}"

    def again(self, kills: int) -> str:
        """The command that repeats its plan up to a kill, on the same market."""
        return (
            f"python -m tests.soak.kill --venue {self.venue} --seed {self.seed} --first {self.first} "
            f"--kills {kills}{f' --control {self.control}' if self.control else ''}"
            f"{f' --cells {chr(44).join(self.cells)}' if self.cells else ''}"
        )

    def plan(self, number: int) -> Plan:
        """Of its kill of a number: rounds of all places go on over a venue's batches."""
        if self.control:
            return plan_against(CONTROLS[self.control], self.seed, number)
        plan = plan_of(self.seed, self.venue, self.first + number)
        if not self.cells:
            return plan
        return plan._replace(cell=self.cells[number % len(self.cells)], nth=1, early=False, late_s=0.0)


class Tally(msgspec.Struct):
    """Figures of a batch."""

    kills: dict[str, int] = msgspec.field(default_factory=Counter)  # by where it was
    missed: dict[str, int] = msgspec.field(default_factory=Counter)  # by where it was to be
    early: int = 0
    halts: int = 0
    late: int = 0  # requests that were under way for longer than their sender lived, on purpose
    orders: int = 0
    fills: int = 0
    fees_adopted: int = 0  # drifts that were a fee's difference
    surplus: int = 0  # intents that a replace which raced a fill made larger
    failures: list[dict[str, Any]] = msgspec.field(default_factory=list)
    settle_s: list[float] = msgspec.field(default_factory=list)
    seconds: float = 0.0
    cpu_s: float = 0.0


class Batch:
    """Kills at one venue, on one data directory."""

    def __init__(self, home: Home, asked: Asked):
        self.home, self.asked, self.tally = home, asked, Tally()
        self.books = kill_checks.Books(home.data, home.venue)
        self.halted = False
        self.known: set[Failure] = set()
        self.owed: list[str] = []  # places that were not come to

    def run(self) -> Tally:
        """Kill so often, or until something is wrong; with a wrong design, until what it is to be found by is."""
        wanted = CONTROLS[self.asked.control].finds if self.asked.control else ""
        alone = os.getppid()
        for number in range(self.asked.kills):
            if os.getppid() != alone:
                raise SystemExit("who started this batch is gone")
            plan = self.plan(number)
            failed = self.told(self.kill(plan), number, plan)
            if any(one.kind == wanted or not wanted for one in failed):
                return self.tally
        life = Life(self.home, None)
        try:
            failed = self.settled(life)
            life.ask("halt", reason="the end")  # of a purchase a moment old Alpaca has not told the fee yet
            failed += [*self.settled(life), *self.ended(life)]
        finally:
            life.end()
        truth = self.truth()
        self.tally.orders += len(truth["orders"])
        self.tally.fills += len(truth["fills"])
        self.tally.fees_adopted += self.books.fees_adopted
        self.tally.surplus += kill_checks.surplus(truth, self.books)
        self.told(failed, self.asked.kills, None)
        return self.tally

    def plan(self, number: int) -> Plan:
        """The kill of a number; one of chance makes room for a place that is owed."""
        plan = self.asked.plan(number)
        if plan.cell == RANDOM and self.owed:
            return plan._replace(cell=self.owed.pop(0), nth=1, early=False)
        return plan

    def told(self, failed: list[Failure], number: int, plan: Plan | None) -> list[Failure]:
        """Note failures, each with what repeats it."""
        again = self.asked.again(min(number + 1, self.asked.kills))
        for kind, text in failed:
            where = plan.cell if plan else "the end"
            self.tally.failures.append({"kind": kind, "kill": number, "at": where, "what": text, "again": again})
        return failed

    def kill(self, plan: Plan) -> list[Failure]:
        """One life: it recovers, is checked, goes on, and is killed."""
        kinds = {order.id: kill_points.kind_of(order) for order in self.books.planned.values()}
        life, tally = Life(self.home, plan, kinds), self.tally
        try:
            if plan.early:
                tally.early += 1
                life.arm()
                if plan.cell == RANDOM:
                    life.wait(plan.later_s * EARLY_S)
                    life.end()
            if not life.over and (failed := self.settled(life)):
                tally.kills[RANDOM] += 1
                return failed
            if not life.over:
                if self.halted:
                    life.ask("resume")
                    self.halted = False  # unless it dies before: then nobody was shown either
                    life.wait(HALTED_S, lambda: self.trading(life) == "active")
                self.doomed(life, plan)
            hit = life.fired or plan.cell in (RANDOM, HALT)
            tally.kills[plan.cell if hit else RANDOM] += 1
            tally.late += bool(life.fired and plan.late_s)
            if not hit:
                tally.missed[plan.cell] += 1
                self.owed.append(plan.cell)
            if life.code != -signal.SIGKILL:
                return [Failure("ended", f"it ended by itself, with {life.code}: {self.home.data.parent / 'out.txt'}")]
            return []
        finally:
            life.end()

    def doomed(self, life: Life, plan: Plan) -> None:
        """From settled to dead."""
        life.arm()
        if plan.cell == HALT:
            self.tally.halts += 1
            life.ask("halt", reason="a drill")
            self.halted = life.wait(HALTED_S, lambda: self.trading(life) == "halted") and not life.over
            time.sleep(plan.later_s * 0.03)
        elif plan.cell == RANDOM:
            life.wait(plan.later_s * RANDOM_S / self.home.speed)
        elif life.wait(ARMED_S / self.home.speed, lambda: life.fired):
            life.wait(kill_points.LATER_S_MAX * 4)
        life.end()

    def trading(self, life: Life) -> str:
        """The state that its operator is shown."""
        told = life.ask("status")
        return told["engines"][0]["trading"] if told else ""

    def forgot(self, life: Life) -> bool:
        """Whether it shows another state than halted; one that died while it was asked shows none."""
        states: list[str] = []
        answered = life.wait(SETTLE_LEAST_S, lambda: states.append(self.trading(life)) or states[-1])
        return not life.over and (not answered or states[-1] != "halted")

    def truth(self) -> Any:
        """What is so at the venue."""
        (truth,) = post(self.home.url, "truth").values()
        return truth

    def settled(self, life: Life) -> list[Failure]:
        """Wait until venue, ledger and memory are one; what is wrong, if it is. Nothing of a life that is over."""
        started_s = time.monotonic()
        seen: list[str] = []

        def equal() -> bool:
            memory = life.ask("snapshot")
            seen[:] = ["it does not answer"]
            if memory is not None:
                truth = self.truth()
                self.books.read_on()
                lives = len(self.books.mind.runs) - 1
                seen[:] = kill_checks.unsettled(truth, self.books, memory, self.home.engine, lives)
            return not seen

        never = self.asked.control and CONTROLS[self.asked.control].finds in ("unequal", "lost")
        within_s = max(SETTLE_S / self.home.speed, 0 if never else SETTLE_LEAST_S)
        in_time = life.wait(within_s, equal, POLL_TRUTH_S)
        if life.over:
            return []
        failed = [] if in_time else [Failure("unequal", "; ".join(seen))]
        failed += self.wrongs()
        if self.halted and self.forgot(life):
            failed.append(Failure("latch", f"it was halted before it was killed, now it is {self.trading(life)}"))
        self.tally.settle_s.append(round(time.monotonic() - started_s, 3))
        return failed

    def wrongs(self) -> list[Failure]:
        """What is wrong for good, and still is when what was under way has come; each is told once."""
        found = self.found()
        if found:
            time.sleep(SURE_S)
            found &= self.found()
        new, self.known = found - self.known, self.known | found
        return sorted(new)

    def found(self) -> set[Failure]:
        """What looks wrong now."""
        truth = self.truth()
        self.books.read_on()
        found = kill_checks.wrongs(truth, self.books)
        found["wrong_verdicts"] += kill_checks.never_there(self.truth(), self.books)
        return {Failure(kind, text) for kind, texts in found.items() for text in texts}

    def ended(self, life: Life) -> list[Failure]:
        """Stop the last life as an operator does, and compare to the last lot."""
        life.end(signal.SIGTERM)
        truth = self.truth()
        self.books.read_on()
        failed = self.wrongs()
        if life.code:
            failed.append(Failure("ended", f"the last life ended with {life.code}"))
        alive = list(self.books.alive()) + [order["name"] for order in truth["orders"] if order["open"]]
        failed += [Failure("orphans", f"{name} is alive at the end") for name in alive]
        left = kill_checks.unsettled(truth, self.books, None, self.home.engine, len(self.books.mind.runs))
        return failed + [Failure("unequal", text) for text in left]


@contextmanager
def emulated(asked: Asked, folder: Path) -> Iterator[Home]:
    """A venue in a fork of this process, and a home for lives that trade there."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    read, write = os.pipe()
    market = asked.seed * MARKETS + asked.first
    emulator = os.fork()
    if not emulator:
        code = 70
        try:
            os.close(read)
            with (folder / "venue.txt").open("ab", buffering=0) as out:
                os.dup2(out.fileno(), 2)
            os.dup2(write, 1)
            code = kill_venue.serve(asked.venue, market, asked.speed)
        finally:
            os._exit(code)
    os.close(write)
    try:
        with os.fdopen(read) as said:
            told = msgspec.json.decode(said.readline())
            os.environ.update(kill_venue.environment_of(asked.venue, told, market))
            home = Home(asked.venue, told["url"], folder / "kill.toml", folder / "data", asked.speed, asked.control)
            config = HASTY.format(engine=home.engine, route=ROUTES[asked.venue], exit="taker", orders_per_minute=6000)
            home.config.write_text(told["config"] + "\n" + config)
            kill_warm.load(home)
            yield home
    finally:
        os.kill(emulator, signal.SIGTERM)
        os.waitpid(emulator, 0)


def run(asked: Asked, folder: Path) -> Tally:
    """All of it, in this process, which is good for nothing else afterwards."""
    started_s = time.monotonic()
    with emulated(asked, folder) as home:
        tally = Batch(home, asked).run()
    tally.seconds = round(time.monotonic() - started_s, 1)
    times = os.times()
    tally.cpu_s = round(times.user + times.system + times.children_user + times.children_system, 2)
    if not tally.failures:
        shutil.rmtree(folder, ignore_errors=True)
    return tally
