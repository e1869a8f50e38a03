"""Supervision: starts children in order, restarts those that end, gives up when that does not help, stops in reverse.

    House        every mailbox and route of the program; outlives every restart
    Supervisor   one level of the tree; when a child's restart intensity is exceeded it stops all its children and
                 fails, and the supervisor above decides; at the top that ends the program
    Runner       one actor's life between start and end

A crash loses the mind, not the mailbox: the message in hand goes to the dead letters, the rest waits for the new mind.
"""

import asyncio
import traceback
from collections import deque
from collections.abc import Iterable
from typing import Any

from supervisor.actor import Post, Put
from supervisor.child import ChildSpec, Restart, Strategy, SupervisorSpec
from supervisor.clock import NS_PER_S, Clock
from supervisor.draws import uniform
from supervisor.mailbox import Mailbox, MailboxStatistics
from supervisor.messages import ChildCrashed, ChildStarted, DeadLetter, GaveUp
from supervisor.routing import check_routes, routes_of

SAYS = (ChildStarted, ChildCrashed, DeadLetter, GaveUp)
DEAD_LETTER_CHARS_MAX = 4000
"""A dead letter holds at most this much of a message and of a traceback: a log line, not a core dump."""


class SupervisorGaveUp(Exception):
    """Restarting did not help; carries what happened last."""

    def __init__(self, told: GaveUp, cause: BaseException | None):
        super().__init__(f"{told.supervisor} gave up: {told.child} crashed {told.restarts} times in {told.within_s:g} s: {cause}")
        self.told = told


class StartTimeout(Exception):
    """An actor did not say that it is ready."""


class House:
    """What all supervisors share: clock, mailboxes, routes and the children alive in them."""

    def __init__(self, root: SupervisorSpec, clock: Clock, seed: int = 0, outside: Iterable[type] = ()):
        self.root = root
        self.clock = clock
        self.seed = seed
        self.actors = root.actors()
        heard = {h.message for actor in self.actors for h in actor.hears}
        check_routes(self.actors, (*SAYS, *outside))
        self.mailboxes = {
            actor.key: Mailbox(actor.key, actor.hears, clock.now_ns, paced=actor.paced) for actor in self.actors
        }
        self.routes = {actor.key: routes_of(actor, self.actors, self.mailboxes) for actor in self.actors}
        voice = ChildSpec(name="supervisor", start=_nobody, says=tuple(m for m in SAYS if m in heard))
        self._voice = routes_of(voice, self.actors, self.mailboxes)
        self.runners: dict[str, Runner] = {}
        self.keepers: dict[str, Supervisor] = {}
        self.restarts = dict.fromkeys(self.mailboxes, 0)
        self.jitter_draws = 0

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

    def health(self) -> list["ChildHealth"]:
        """Every actor now, in graph order."""
        return [self._health(actor) for actor in self.actors]

    def _health(self, actor: ChildSpec) -> "ChildHealth":
        runner = self.runners.get(actor.key)
        box = self.mailboxes[actor.key].statistics()
        held_ns = 0
        if runner is not None and runner.post.in_hand_ns:
            held_ns = self.clock.now_ns() - runner.post.in_hand_ns
        alive = runner is not None and not runner.task.done()
        late = max(held_ns, 0 if actor.paced else box.age_ns) > actor.deadline_s * NS_PER_S
        return ChildHealth(actor.key, actor.engine, alive, alive and not late, self.restarts[actor.key], held_ns, box)


class ChildHealth:
    """One actor at one moment: healthy means alive and within its deadline."""

    __slots__ = ("alive", "engine", "healthy", "held_ns", "mailbox", "name", "restarts")

    def __init__(
        self, name: str, engine: str, alive: bool, healthy: bool, restarts: int, held_ns: int, mailbox: MailboxStatistics
    ):
        self.name, self.engine, self.alive, self.healthy = name, engine, alive, healthy
        self.restarts, self.held_ns, self.mailbox = restarts, held_ns, mailbox


async def _raise(error: Exception) -> None:
    raise error


def _nobody() -> Any:
    raise RuntimeError("the supervisors' voice is not an actor")


class Runner:
    """One actor's life: its post, its body, its task."""

    def __init__(self, spec: ChildSpec, house: House):
        self.spec = spec
        self.house = house
        self.post = Post(spec.name, spec.engine, house.mailboxes[spec.key], house.clock, house.routes[spec.key])
        self.task = asyncio.create_task(self._live(), name=spec.key)
        self.failure: StartTimeout | None = None

    async def _live(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self.post.group = group
                await self.spec.start().run(self.post)
                for helper in group._tasks:
                    helper.cancel()
        except* Exception as errors:
            raise _innermost(errors) from None

    async def started(self) -> None:
        """Wait until the actor is ready; its crash on the way is left for its supervisor to see."""
        await asyncio.wait(
            [self.post.started, self.task], timeout=self.spec.start_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not self.post.started.done() and not self.task.done():
            self.failure = StartTimeout(f"{self.spec.key} was not ready within {self.spec.start_s:g} s")
            self.task.cancel()

    async def stop(self) -> None:
        """Cancel and wait; an actor that does not stop in its time is left behind."""
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task], timeout=self.spec.shutdown_s)

    def error(self) -> BaseException | None:
        """What ended the actor, if it was not us."""
        return self.failure if self.task.cancelled() else self.task.exception()

    def bury(self, error: BaseException) -> DeadLetter:
        """The message in hand and what killed its actor."""
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return DeadLetter(
            self.spec.key,
            repr(self.post.in_hand)[:DEAD_LETTER_CHARS_MAX],
            _named(error),
            text[-DEAD_LETTER_CHARS_MAX:],
            self.house.clock.now_ns(),
        )


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


Child = ChildSpec | SupervisorSpec


class Supervisor:
    """One level of the tree, alive."""

    def __init__(self, spec: SupervisorSpec, house: House):
        self.spec = spec
        self.house = house
        self.alive: dict[str, Runner | asyncio.Task[None]] = {}
        self.crashes_ns: dict[str, deque[int]] = {child.key: deque() for child in spec.children}
        self.ended: asyncio.Queue[tuple[Child, asyncio.Task[None] | None]] = asyncio.Queue()
        self.ready = house.clock.loop.create_future()
        self.stopping = False

    async def run(self) -> None:
        """Start the children in order and keep them alive until cancelled. Raises SupervisorGaveUp."""
        try:
            for child in self.spec.children:
                await self._start(child)
            if not self.ready.done():
                self.ready.set_result(None)
            while True:
                child, task = await self.ended.get()
                await self._on_end(child, task)
        finally:
            self.stopping = True
            await asyncio.shield(self._stop(self.spec.children))

    async def _start(self, child: Child) -> None:
        if isinstance(child, SupervisorSpec):
            below = Supervisor(child, self.house)
            task = asyncio.create_task(below.run(), name=child.key)
            self.alive[child.key] = task
            task.add_done_callback(lambda t: self._note_end(child, t))
            await asyncio.wait([below.ready, task], return_when=asyncio.FIRST_COMPLETED)
            return
        runner = Runner(child, self.house)
        self.alive[child.key] = runner
        self.house.runners[child.key] = runner
        self.house.keepers[child.key] = self
        runner.task.add_done_callback(lambda t: self._note_end(child, t))
        await runner.started()
        if not runner.task.done():
            restarts = self.house.restarts[child.key]
            self.house.say(ChildStarted(child.name, child.engine, restarts, self.house.clock.now_ns()))

    def _note_end(self, child: Child, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            task.exception()  # seen here: the supervisor answers for it
        if not self.stopping:
            self.ended.put_nowait((child, task))

    async def _on_end(self, child: Child, task: "asyncio.Task[None] | None") -> None:
        """A child ended, or its backoff is over (no task)."""
        if task is None:
            await self._restart(child)
            return
        living = self.alive.get(child.key)
        if living is None or task is not (living.task if isinstance(living, Runner) else living):
            return  # stopped by us
        error = living.error() if isinstance(living, Runner) else task.exception()
        if isinstance(child, ChildSpec):
            self._report(child, error)
            if child.restart is Restart.TEMPORARY or (child.restart is Restart.TRANSIENT and error is None):
                return
        delay_s = self._intensity(child, error)
        if delay_s <= 0:
            await self._restart(child)
        else:
            at_ns = self.house.clock.now_ns() + round(delay_s * NS_PER_S)
            self.house.clock.call_at(at_ns, lambda: self.ended.put_nowait((child, None)))

    def _report(self, child: ChildSpec, error: BaseException | None) -> None:
        if error is None:
            return
        runner = self.house.runners[child.key]
        self.house.say(runner.bury(error))
        self.house.say(ChildCrashed(child.name, child.engine, _named(error), self.house.clock.now_ns()))

    def _intensity(self, child: Child, error: BaseException | None) -> float:
        """Seconds to wait before the restart. Raises SupervisorGaveUp when there were too many in the window."""
        now_ns = self.house.clock.now_ns()
        crashes_ns = self.crashes_ns[child.key]
        crashes_ns.append(now_ns)
        while crashes_ns[0] < now_ns - child.within_s * NS_PER_S:
            crashes_ns.popleft()
        recent = len(crashes_ns)
        fatal = isinstance(child, ChildSpec) and isinstance(error, child.fatal)
        if fatal or recent > child.restarts_max:
            told = GaveUp(self.spec.name, child.key, recent, child.within_s, now_ns)
            self.house.say(told)
            raise SupervisorGaveUp(told, error) from error
        if recent == 1:
            return 0.0
        doubled_s = self.spec.backoff_s * float(2 ** (recent - 2))
        return min(doubled_s, self.spec.backoff_s_max) * self.house.jitter()

    async def _restart(self, child: Child) -> None:
        children = self.spec.children
        place = children.index(child)
        together: tuple[Child, ...] = {
            Strategy.ONE_FOR_ONE: (child,),
            Strategy.REST_FOR_ONE: children[place:],
            Strategy.ONE_FOR_ALL: children,
        }[self.spec.strategy]
        await self._stop(together)
        for one in together:
            if isinstance(one, ChildSpec):
                self.house.restarts[one.key] += 1
            await self._start(one)

    async def _stop(self, children: tuple[Child, ...]) -> None:
        for child in reversed(children):
            living = self.alive.pop(child.key, None)
            if isinstance(living, Runner):
                await living.stop()
            elif living is not None and not living.done():
                living.cancel()
                await asyncio.wait([living])
