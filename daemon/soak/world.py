"""A world: emulated venues, a network and a daemon that dies and comes back, all in one virtual loop.

Two phases. First faults befall (safety: nothing may be lost, doubled or misjudged), then they end (liveness: within
30 virtual seconds feeds are fresh, the books reconciled, and it trades or says why it does not). Then the last daemon
is stopped as an operator does, and venue, ledger and memory are compared for the last time.
"""

import gc
import hashlib
import io
from collections import Counter
from collections.abc import Callable
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from actors.messages import Order
from daemon.options import RunOptions
from daemon.soak import checks
from daemon.soak.befall import Befall
from daemon.soak.evidence import WELL_S_MAX, Calmed
from daemon.soak.kinds import rules_of
from daemon.soak.life import OPERATOR, DaemonLife, Machine, journal_of, mortal_journals
from daemon.soak.place import HYPERLIQUID, VENUE_OF, Place, mode_of
from daemon.soak.plan import WorldPlan
from supervisor.beside import Beside
from supervisor.clock import NS_PER_MS, NS_PER_S, Clock
from supervisor.draws import uniform
from supervisor.lives import Killed, Life, LivesLoop, run_lives
from supervisor.network import Network
from venues.emulator.serve import figures
from venues.hyperliquid.budget import SPAN_NS

LOOK_S = 0.5
"""Between looks at the world."""
SAMPLE_S = 60.0
"""Between samples of whoever measures."""
RESTART_S = 1.0
"""systemd's RestartSec of the unit that ships."""
STUBBORN_S = 60.0
"""A halt that was nobody's wish is lifted by the operator after so long, while faults befall."""
BURIED_EVERY = 4
"""Lives whose memory is let go of together: looking through all of it takes a tenth of a second."""
STOP_S = 60.0
"""A daemon that was asked to stop has stopped by then."""


class WorldEnded(Struct, kw_only=True):
    """What came of a world."""

    plan: WorldPlan
    failures: list[str]
    calmed: Calmed = Calmed()
    lives: int = 0
    kills: int = 0
    exits: Counter[str] = msgspec.field(default_factory=Counter)
    fired: Counter[str] = msgspec.field(default_factory=Counter)
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    digest: str = ""
    virtual_s: float = 0.0
    seconds: float = 0.0  # of one core's work

    @property
    def ok(self) -> bool:
        """Whether nothing was wrong."""
        return not self.failures


class Hooks(Struct):
    """What whoever runs a world wants to see of it."""

    on_life: Callable[[DaemonLife], None] = lambda _: None  # a daemon is up: its graph can be looked at
    on_minute: Callable[["World"], None] = lambda _: None  # every virtual minute
    on_end: Callable[["World"], None] = lambda _: None
    buried_every: int = BURIED_EVERY  # lives; 1 where memory is measured: the dead would count


class World:
    """One world at work."""

    def __init__(self, plan: WorldPlan, folder: Path, clock: Clock, network: Network, hooks: Hooks):
        assert isinstance(clock.loop, LivesLoop)
        self.plan, self.folder, self.clock, self.network, self.hooks = plan, folder, clock, network, hooks
        self.loop = clock.loop
        self.machine = Machine(self.loop, clock.now_ns() + plan.skew_ms * NS_PER_MS)
        self.beside = Beside(clock)
        venues = dict.fromkeys(VENUE_OF[engine] for engine in plan.engines)
        self.places = [Place(venue, plan, clock, rules_of(plan, venue)) for venue in venues]
        self.life: DaemonLife | None = None
        self.books = checks.Books(journal_of(folder / "data"))
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()
        self.exits: Counter[str] = Counter()
        self.digests: list[str] = []
        self.befall = Befall(self)
        self.ending = False
        self.restart_s = RESTART_S
        self._halted_s = 0.0
        self.latched = 0  # the life in which its operator was shown that his halt is obeyed
        self.lifting = False  # he has asked for its end, which a slow disk may not have yet

    # --- the daemon

    def options(self) -> RunOptions:
        """How each life is started."""
        plan = self.plan
        symbols = tuple(symbol for place in self.places for symbol in place.symbols)
        return RunOptions(
            mode=mode_of(plan),
            engines=plan.engines,
            data_dir=self.folder / "data",
            seed=plan.seed,
            speed=None,
            config=self.folder / "world.toml",
            symbols=symbols,
        )

    def write_config(self) -> None:
        """The daemon's file: where the venues are, and a strategy."""
        of_daemon, lines = ["[daemon]"], list[str]()
        for place in self.places:
            told = place.config()
            tables = next((n for n, line in enumerate(told) if line.startswith("[") and n), len(told))
            of_daemon += told[1:tables]
            lines += told[tables:]
        for engine in self.plan.engines:
            route = self.plan.route if engine == "perps" and self.plan.route else ROUTES[engine]
            about = {"route": route, "exit": self.plan.exit}
            more = {"orders_per_minute": self.plan.orders_per_minute}
            lines.append(self.plan.strategy.format(engine=engine, **about, **more))
        (self.folder / "world.toml").write_text("\n".join([*of_daemon, *lines]))

    async def keep_alive(self) -> None:
        """Start the daemon, and again whenever it ends, as systemd does."""
        keys = {name: value for place in self.places for name, value in place.keys.items()}
        while not self.ending:
            self.counts["lives"] += 1
            number = self.counts["lives"]
            life = DaemonLife(number, self.options(), f"sim-{self.plan.seed}-{number}", self.machine, self.loop)
            self.life = life
            task = self.loop.begin(life, life.live(keys))
            met = False
            while not life.dead and not task.done():
                await self.clock.sleep(LOOK_S / 2)
                if not met and life.trading:
                    met = True
                    self.hooks.on_life(life)
            self._ended(life, None if life.dead else task.exception(), -9 if life.dead else task)
            self.loop.exited(life)
            if number % self.hooks.buried_every == 0:  # a process takes its memory along, also what its start froze
                gc.unfreeze()
                gc.collect()
            if not self.ending:
                self.befall.lasts(self._budget_s())
                await self.clock.sleep(self.restart_s)

    def _budget_s(self) -> float:
        """How long a start has to be sparing: what the life before may have asked of the venue counts for a minute."""
        return SPAN_NS / NS_PER_S if any(place.venue == HYPERLIQUID for place in self.places) else 0.0

    def _ended(self, life: DaemonLife, error: BaseException | None, task: Any) -> None:
        """Note how a life ended."""
        if life.operator is not None and life.operator.picture is not None:
            self.digests.append(life.operator.picture.digest.hexdigest())
        if error is not None:
            self.exits[f"{type(error).__name__}: {error}"] += 1
            self.failures.append(f"life {life.number} crashed: {type(error).__name__}: {error}")
        elif life.dead:
            self.exits["killed"] += 1
        else:
            reason = life.reason.replace(f"{self.folder}/", "")  # where it happens to be is not what happened
            self.exits[f"code {task.result()} {reason[:120]}".strip()] += 1
        if life.operator is not None and (broken := life.operator.board.counts["InvariantBroken"]):
            self.failures.append(f"life {life.number} broke {broken} invariants; its log names them")
        for complaint in life.complaints:
            if isinstance(complaint.get("exception"), Killed):
                continue  # a task that nobody was left to wait for
            self.failures.append(f"life {life.number}: {complaint['message']}: {complaint.get('exception')!r}")

    # --- time

    async def live(self) -> None:
        """From the first venue to the last comparison."""
        for place in self.places:
            self.loop.begin(Life(place.venue), place.live())
        self.write_config()
        self.beside.start(self.keep_alive(), "the daemon's keeper")
        self.befall.begin()
        sample_ns = self.clock.now_ns()
        while self.clock.now_ns() < self.plan.faulty_ns:
            await self.clock.sleep(LOOK_S)
            self.beside.check()
            self.watch_latch()
            self.tend()
            if self.clock.now_ns() >= sample_ns:
                sample_ns += round(SAMPLE_S * NS_PER_S)
                self.hooks.on_minute(self)

    def tend(self) -> None:
        """What an operator does: lift a halt that nobody wanted, after a while."""
        life = self.life
        if life is None or not life.trading or life.operator is None:
            return
        halted = [told for told in life.operator.board.trading.values() if told.state.value == "halted"]
        self._halted_s = self._halted_s + LOOK_S if halted else 0.0
        if self._halted_s >= STUBBORN_S:
            self._halted_s = 0.0
            self.counts["resumed"] += self.resume()

    def watch_latch(self) -> None:
        """What an operator halted stays halted until he says otherwise, whoever dies meanwhile."""
        life = self.life
        if life is None or not life.trading or life.operator is None:
            return
        rows = life.operator.board.engine_rows()
        halted = any(row.trading == "halted" and row.reason.startswith(OPERATOR) for row in rows)
        self.lifting &= halted
        if not self.latched and halted and not self.lifting:
            self.latched = life.number
        elif 0 < self.latched < life.number and any(row.reconciled and row.trading == "active" for row in rows):
            self.failures.append(f"the halt of life {self.latched} was forgotten in life {life.number}")
            self.latched = 0

    def resume(self) -> bool:
        """Its operator lifts a halt."""
        self.latched, self.lifting = 0, True
        return self.life is not None and self.life.order(Order.RESUME)

    async def calm(self) -> Calmed:
        """No more faults; wait until all is well, and until every symbol is traded.

        A fault may still end the daemon that it befell; what that one has asked is charged to the next one's start.
        """
        self.befall.end()
        lives = self.counts["lives"]
        while self.clock.now_ns() < self.befall.quiet_ns:
            await self.clock.sleep(LOOK_S)
        started_ns, why = self.clock.now_ns(), ["nothing was looked at"]
        well_s: float | None = None
        while (seconds := max(0, self.clock.now_ns() - started_ns) / NS_PER_S) <= max(WELL_S_MAX, self.plan.calm_s):
            if self.counts["lives"] == lives + 1:
                started_ns = max(started_ns, self.befall.quiet_ns)
            why = checks.unwell(self)
            if not why:
                well_s = seconds if well_s is None else well_s
                if not checks.learning(self):
                    return Calmed(well_s, seconds, checks.state_of(self))
            elif well_s is None and seconds > WELL_S_MAX:
                break
            await self.clock.sleep(LOOK_S)
            self.beside.check()
        why = why or [f"{checks.learning(self)} symbols still wait for their histories"]
        self.failures += [f"not well {seconds:g} s after the last fault: {one}" for one in why]
        return Calmed(well_s, None, "not well")

    async def stop(self) -> None:
        """Stop the daemon as an operator does."""
        self.ending = True
        life = self.life
        if life is None:
            return
        life.stop("the world ends")
        until_ns = self.clock.now_ns() + round(STOP_S * NS_PER_S)
        while self.beside.tasks and self.clock.now_ns() < until_ns:
            await self.clock.sleep(LOOK_S)
            self.beside.check()
        if self.beside.tasks:
            self.failures.append(f"it did not stop within {STOP_S:g} s")

    def fired(self) -> Counter[str]:
        """What befell, by kind."""
        told = Counter(self.befall.fired)
        for place in self.places:
            told.update(place.emulator.faults.fired)
        return told

    def figures(self) -> Counter[str]:
        """What happened, in numbers."""
        told = Counter(self.counts)
        for place in self.places:
            truth = place.truth()
            told.update(orders=len(truth.orders), fills=len(truth.fills))
            told.update({f"{place.venue}_{k}": v for k, v in figures(place.emulator).items()})
        told.update({f"network_{name}": count for name, count in self.network.counted.items()})
        return told


ROUTES = {"perps": "native", "crypto": "spot", "equities": "equity"}


async def lived(plan: WorldPlan, folder: Path, clock: Clock, network: Network, hooks: Hooks) -> WorldEnded:
    """Live through a world."""
    world = World(plan, folder, clock, network, hooks)
    try:
        await world.live()
        calmed = await world.calm()
        await world.stop()
        if calmed.whole_s is not None:
            world.failures += checks.at_end(world)
        world.failures += [
            f"of nobody's life: {one['message']}: {one.get('exception')!r}"
            for one in world.loop.complaints
            if not isinstance(one.get("exception"), Killed)
        ]
        hooks.on_end(world)
    finally:
        await world.beside.stop()
        for place in world.places:
            place.program.stop("the world ends")
        await clock.sleep(1.0)
    return WorldEnded(
        plan=plan,
        failures=world.failures,
        calmed=calmed,
        lives=world.counts["lives"],
        kills=world.exits["killed"],
        exits=world.exits,
        fired=world.fired(),
        counts=world.figures(),
        digest=digest_of(world),
        virtual_s=(clock.now_ns() - plan.start_ns) / NS_PER_S,
    )


def digest_of(world: World) -> str:
    """All decisions of all lives, and what is so at the venues."""
    told = [place.truth() for place in world.places]
    text = msgspec.json.encode([world.digests, told, world.fired(), world.exits], order="deterministic", enc_hook=str)
    return "sha256:" + hashlib.sha256(text).hexdigest()


def run_world(plan: WorldPlan, folder: Path, hooks: Hooks | None = None) -> WorldEnded:
    """A world in a loop of its own; `folder` is empty or does not exist, and keeps the journal and the log."""
    folder.mkdir(parents=True, exist_ok=True)
    network = Network(plan.seed, plan.weather)
    shuffle = int(uniform(plan.seed, "shuffle", 0) * 2**32) if plan.shuffle else None
    hooks = hooks or Hooks()
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), mortal_journals(), chdir(folder):
        here = Path()  # reasons name files, and are part of the digest
        return run_lives(lambda clock: lived(plan, here, clock, network, hooks), network, plan.start_ns, shuffle)
