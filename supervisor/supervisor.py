"""Supervision: starts children in order, restarts those that end, gives up when that does not help, stops in reverse.

    House        every mailbox and route of the program; outlives every restart
    Supervisor   one level of the tree; when a child's restart intensity is exceeded it stops all its children and
                 fails, and the supervisor above decides; at the top that ends the program
    Runner       one actor's life between start and end

A crash loses the mind, not the mailbox: the message in hand goes to the dead letters, the rest waits for the new mind.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from supervisor.actor import Post, Put
from supervisor.child import ChildSpec, Restart, Strategy, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock, Timer, finish
from supervisor.draws import uniform
from supervisor.mailbox import Mailbox, MailboxStatistics
from supervisor.messages import ChildCrashed, ChildStarted, DeadLetter, GaveUp, Tick
from supervisor.routing import check_routes, routes_of
from supervisor.runner import Runner, named
from supervisor.secrets import hidden
from supervisor.turns import Turns

SAYS = (ChildStarted, ChildCrashed, DeadLetter, GaveUp)
DOUBLINGS_MAX = 30
"""A backoff doubled this often is past every bound; a float would overflow at a thousand."""


class SupervisorGaveUp(Exception):
    """Restarting did not help; carries what happened last."""

    def __init__(self, told: GaveUp, cause: BaseException | None, *, fatal: bool = False):
        times = f"{told.restarts} times in {told.within_s:g} s"
        super().__init__(hidden(f"{told.supervisor} gave up: {told.child} crashed {times}: {cause}"))
        self.told = told
        self.fatal = fatal  # of a kind that no restart can help, so the supervisors above give up as well


class House:
    """What all supervisors share: clock, mailboxes, routes and the children alive in them."""

    def __init__(self, root: SupervisorSpec, clock: Clock, seed: int = 0, outside: Iterable[type] = ()):
        self.root = root
        self.clock = clock
        self.turns = Turns(clock.loop)
        self.seed = seed
        self.actors = root.actors()
        heard = {h.message for actor in self.actors for h in actor.hears}
        check_routes(self.actors, (*SAYS, Tick, *outside))
        self.mailboxes = {
            actor.key: Mailbox(actor.key, actor.hears, clock.now_ns, paced=actor.paced) for actor in self.actors
        }
        self.routes = {actor.key: routes_of(actor, self.actors, self.mailboxes) for actor in self.actors}
        voice = ChildSpec(name="supervisor", start=_nobody, says=tuple(m for m in SAYS if m in heard))
        self._voice = routes_of(voice, self.actors, self.mailboxes)
        self.runners: dict[str, Runner] = {}
        self.keepers: dict[str, Supervisor] = {}
        self.restarts = dict.fromkeys(self.mailboxes, 0)
        self.over: set[str] = set()  # children that ended and stay down, as their specs say
        self.jitter_draws = 0

    def post(self, spec: ChildSpec) -> Post:
        """What a new life of an actor is given; the mailbox is that of its lives before."""
        mailbox, routes = self.mailboxes[spec.key], self.routes[spec.key]
        return Post(spec.name, spec.engine, mailbox, self.clock, routes, self.turns)

    def say(self, message: Any) -> None:
        """The supervisors' own voice; what nobody hears is nobody's."""
        for put in self._voice.get(type(message), ()):
            put(message)

    def route(self, message: type) -> tuple[Put, ...]:
        """Every mailbox that hears a type, for a speaker outside the graph (signals, the end of a run)."""
        return tuple(box.lanes[message].put for box in self.mailboxes.values() if message in box.lanes)

    def inject(self, name: str, error: Exception) -> None:
        """Crash an actor from inside, as its own bug would: for drills, scenarios and tests. Raises KeyError."""
        self.runners[name].post.spawn(_raise(error))

    def restart(self, name: str) -> None:
        """Stop an actor and start it with a new mind, at an operator's wish; no crash is counted. Raises KeyError."""
        keeper, runner = self.keepers[name], self.runners[name]
        keeper.ended.put_nowait((runner.spec, None))

    def jitter(self) -> float:
        """A factor in [0.5, 1.5), so that children that died together do not come back together."""
        self.jitter_draws += 1
        return 0.5 + uniform(self.seed, "backoff", self.jitter_draws)

    def mind(self, name: str) -> object | None:
        """An actor's mind to look at, as Erlang's `sys:get_state`; None where there is none, or it is down.

        Only to look at, and only now: it changes with the actor's next turn, and a crash replaces it.
        """
        runner = self.runners.get(name)
        return getattr(runner.body, "mind", None) if runner is not None and not runner.task.done() else None

    def health(self) -> list["ChildHealth"]:
        """Every actor now, in graph order."""
        return [self._health(actor) for actor in self.actors]

    def ill(self) -> list[str]:
        """Actors that are down though they should not be, or late."""
        return [one.name for one in self.health() if not one.healthy]

    def _health(self, actor: ChildSpec) -> "ChildHealth":
        runner = self.runners.get(actor.key)
        box = self.mailboxes[actor.key].statistics()
        since_jump_ns = self.clock.now_ns() - self.clock.jumped_ns  # nobody was late while the machine slept
        held_ns = 0
        if runner is not None and runner.post.in_hand_ns:
            held_ns = self.clock.now_ns() - runner.post.in_hand_ns
        if runner is not None and runner.post.progress_ns:
            held_ns = max(held_ns, self.clock.now_ns() - runner.post.progress_ns)
        alive = runner is not None and not runner.task.done()
        late_ns = min(max(held_ns, 0 if actor.paced else box.age_ns), since_jump_ns)
        late = late_ns > actor.deadline_s * NS_PER_S
        starting = runner is not None and not runner.up  # bounded by start_s
        healthy = actor.key in self.over or (alive and (starting or not late))
        return ChildHealth(actor.key, actor.engine, alive, healthy, self.restarts[actor.key], held_ns, box)


class ChildHealth:
    """One actor at one moment: healthy means alive and within its deadline, or over as it should be."""

    __slots__ = ("alive", "engine", "healthy", "held_ns", "mailbox", "name", "restarts")

    def __init__(
        self,
        name: str,
        engine: str,
        alive: bool,
        healthy: bool,
        restarts: int,
        held_ns: int,
        mailbox: MailboxStatistics,
    ):
        self.name, self.engine, self.alive, self.healthy = name, engine, alive, healthy
        self.restarts, self.held_ns, self.mailbox = restarts, held_ns, mailbox


async def _raise(error: Exception) -> None:
    raise error


def _nobody() -> Any:
    raise RuntimeError("the supervisors' voice is not an actor")


Child = ChildSpec | SupervisorSpec


class Supervisor:
    """One level of the tree, alive; to the supervisor above it has what a Runner has."""

    task: "asyncio.Task[None]"

    def __init__(self, spec: SupervisorSpec, house: House):
        self.spec = spec
        self.house = house
        self.alive: dict[str, Runner | Supervisor] = {}
        self.crashes_ns: dict[str, deque[int]] = {child.key: deque() for child in spec.children}
        self.backoffs: dict[str, Timer] = {}
        self.wanted: tuple[Child, ...] = ()  # to be started, or not ready yet, in order
        self.ended: asyncio.Queue[tuple[Child, asyncio.Task[None] | None]] = asyncio.Queue()
        self.starting: dict[asyncio.Task[None], Runner | Supervisor] = {}  # waited for beside all else
        self.ready = house.clock.loop.create_future()
        self.stopping = False

    async def run(self) -> None:
        """Start the children in order and keep them alive until cancelled. Raises SupervisorGaveUp."""
        try:
            self._want(self.spec.children)
            while True:
                await self._bring_up()
                await self._answer()
        finally:
            self.stopping = True
            await finish(asyncio.ensure_future(self._stop(self.spec.children)))
            for waiting in self.starting:
                waiting.cancel()
            await finish(asyncio.gather(*self.starting, return_exceptions=True))

    def begin(self) -> None:
        """Run as a task of the supervisor above."""
        self.task = asyncio.create_task(self.run(), name=self.spec.key)

    @property
    def up(self) -> bool:
        """Whether every child was ready once."""
        return self.ready.done()

    async def started(self) -> None:
        """Wait until the children are up, or the supervisor gave up."""
        await asyncio.wait([self.ready, self.task], return_when=asyncio.FIRST_COMPLETED)

    async def stop(self) -> None:
        """Stop the children in reverse order; each has its own bound of time."""
        self.task.cancel()
        await asyncio.wait([self.task])

    def error(self) -> BaseException | None:
        """What ended it, if it was not us."""
        return None if self.task.cancelled() else self.task.exception()

    def _settled(self, child: Child) -> bool:
        living = self.alive.get(child.key)
        return child.key in self.house.over or (living is not None and living.up)

    def _want(self, children: tuple[Child, ...]) -> None:
        self.house.over.difference_update(child.key for child in children)
        self.wanted = tuple(child for child in self.spec.children if child in children or child in self.wanted)

    async def _bring_up(self) -> None:
        """Start what is wanted, each when the one before is ready; stop short where an end has to be answered first."""
        for child in self.wanted:
            if child.key not in self.alive and child.key not in self.house.over:
                await self._start(child)
            if self._settled(child):
                self.wanted = tuple(other for other in self.wanted if other is not child)
            elif self.spec.strategy is not Strategy.ONE_FOR_ONE or not self.up:
                return  # the others stand on it
            if not self.ended.empty():
                return
        if not self.wanted and not self.up:
            self.ready.set_result(None)

    async def _start(self, child: Child) -> None:
        living = self._make(child)
        self.alive[child.key] = living
        living.task.add_done_callback(lambda task: self._note_end(child, task))
        if self.spec.strategy is Strategy.ONE_FOR_ONE and self.up:  # others that end meanwhile do not wait for it
            waiting = asyncio.create_task(living.started(), name=f"start of {child.key}")
            self.starting[waiting] = living
            waiting.add_done_callback(lambda task: self._note_end(child, task))
        else:
            await living.started()
            self._say_started(child, living)

    def _say_started(self, child: Child, living: "Runner | Supervisor | None") -> None:
        if not isinstance(living, Runner):
            return
        if living.left_behind:
            self.ended.put_nowait((child, living.task))
        elif living.up and not living.task.done():
            restarts = self.house.restarts[child.key]
            self.house.say(ChildStarted(child.name, living.spec.engine, restarts, self.house.clock.now_ns()))

    def _make(self, child: Child) -> "Runner | Supervisor":
        if isinstance(child, SupervisorSpec):
            below = Supervisor(child, self.house)
            below.begin()
            return below
        runner = Runner(child, self.house.post(child))
        self.house.restarts[child.key] += child.key in self.house.runners
        self.house.runners[child.key] = runner
        self.house.keepers[child.key] = self
        return runner

    def _note_end(self, child: Child, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            task.exception()  # seen here: the supervisor answers for it
        if not self.stopping:
            self.ended.put_nowait((child, task))

    async def _answer(self) -> None:
        """Wait for a child that ended, was started, or is to be restarted (no task), and do what its spec says."""
        child, task = await self.ended.get()
        if task is None:
            await self._restart(child)
            return
        living = self.alive.get(child.key)
        if task in self.starting:
            task.result()  # it raises nothing, or is broken
            if self.starting.pop(task) is living:
                self._say_started(child, living)
            return
        if living is None or task is not living.task:
            return  # stopped by us
        error = living.error()
        if isinstance(living, Runner) and error is not None:
            self.house.say(living.bury(error))
            self._say_crashed(living.spec, error)
        if _stays_down(child, error):
            self.house.over.add(child.key)
            return
        delay_s = self._intensity(child, error)
        if delay_s <= 0:
            await self._restart(child)
        else:
            at_ns = self.house.clock.now_ns() + round(delay_s * NS_PER_S)
            self.backoffs[child.key] = self.house.clock.call_at(at_ns, lambda: self.ended.put_nowait((child, None)))

    def _forget_backoff(self, child: Child) -> None:
        if (backoff := self.backoffs.pop(child.key, None)) is not None:
            backoff.cancel()

    def _say_crashed(self, spec: ChildSpec, error: BaseException) -> None:
        self.house.say(ChildCrashed(spec.name, spec.engine, named(error), self.house.clock.now_ns()))

    def _intensity(self, child: Child, error: BaseException | None) -> float:
        """Seconds to wait before the restart. Raises SupervisorGaveUp when there were too many in the window."""
        now_ns = self.house.clock.now_ns()
        crashes_ns = self.crashes_ns[child.key]
        crashes_ns.append(now_ns)
        while now_ns - crashes_ns[0] > child.within_s * NS_PER_S:
            crashes_ns.popleft()
        recent = len(crashes_ns)
        if _fatal(child, error) or recent > child.restarts_max:
            told = GaveUp(self.spec.name, child.key, recent, child.within_s, now_ns)
            self.house.say(told)
            raise SupervisorGaveUp(told, error, fatal=_fatal(child, error)) from error
        if recent == 1:
            return 0.0
        doublings = min(recent - 2, DOUBLINGS_MAX)
        return min(self.spec.backoff_s * 2.0**doublings, self.spec.backoff_s_max) * self.house.jitter()

    async def _restart(self, child: Child) -> None:
        children = self.spec.children
        place = children.index(child)
        together: tuple[Child, ...] = {
            Strategy.ONE_FOR_ONE: (child,),
            Strategy.REST_FOR_ONE: children[place:],
            Strategy.ONE_FOR_ALL: children,
        }[self.spec.strategy]
        await self._stop(together)
        stay = {one.key for one in together if one is not child and _never_restarts(one)}
        self.house.over |= stay
        self._want(tuple(one for one in together if one.key not in stay))

    async def _stop(self, children: tuple[Child, ...]) -> None:
        left_behind: list[Runner] = []
        for child in reversed(children):
            self._forget_backoff(child)
            if (living := self.alive.get(child.key)) is None:
                continue
            known = isinstance(living, Runner) and living.left_behind
            await living.stop()
            self.alive.pop(child.key, None)
            if isinstance(living, Runner) and living.left_behind and not known:
                left_behind.append(living)
        for runner in left_behind:
            self._say_crashed(runner.spec, runner.stop_timeout())


def _fatal(child: Child, error: BaseException | None) -> bool:
    """Whether no restart can help, of this child or of the supervisor that is this child."""
    if isinstance(child, ChildSpec):
        return isinstance(error, child.fatal)
    return isinstance(error, SupervisorGaveUp) and error.fatal


def _never_restarts(child: Child) -> bool:
    return isinstance(child, ChildSpec) and child.restart is Restart.TEMPORARY


def _stays_down(child: Child, error: BaseException | None) -> bool:
    transient = isinstance(child, ChildSpec) and child.restart is Restart.TRANSIENT
    return _never_restarts(child) or (transient and error is None)
