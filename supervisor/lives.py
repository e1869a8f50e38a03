"""Several programs in one virtual loop, joined by a simulated network, and each of them mortal.

A program is a Life: whatever it starts (tasks, timers, callbacks, connections) carries it in its context. `kill` ends
it as SIGKILL does: nothing of it runs any more, no `finally` reaches anything outside, its connections are reset by the
machine, and what it had written to disk stays as it was. Other lives go on.
"""

import asyncio
import signal
import sys
import weakref
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from typing import Any, TypeVar

from supervisor.clock import Clock
from supervisor.network import HOST, Network
from supervisor.virtual import StableTask, VirtualLoop

T = TypeVar("T")


class Killed(BaseException):
    """What a life dies of at a place of its own: raised by a harness, caught by nobody."""


class Life:
    """One program in the loop."""

    def __init__(self, name: str):
        self.name = name
        self.dead = False
        self.complaints: list[dict[str, Any]] = []  # what the loop was told that nobody caught
        self.last_words: list[BaseException] = []  # what its tasks raised when they were closed
        self.handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


def life_of(context: Context) -> Life | None:
    """Whose a context is."""
    return context.get(LIFE)


class LivesLoop(VirtualLoop):
    """The virtual loop with a network inside and lives that can be killed."""

    def __init__(self, network: Network, shuffle: int | None = None):
        super().__init__(shuffle)
        self.network = network
        network.loop = self
        self.complaints: list[dict[str, Any]] = []  # of nobody's life
        self._doomed: list[Life] = []
        self._pulled: dict[int, tuple[weakref.ref[Any], weakref.ref[Life]]] = {}  # a generator and whose, by address
        self._leaving: dict[int, weakref.ref[Life]] = {}  # whose those are that are just going: hooks ask once more

    # --- lives

    def begin(self, life: Life, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run a program."""
        context = copy_context()
        context.run(LIFE.set, life)
        return self.create_task(work, name=life.name, context=context)

    def kill(self, life: Life) -> None:
        """End a life now; where it is its own step that is running, raise Killed after this."""
        life.dead = True
        self._doomed.append(life)
        self.network.vanish(lambda context: life_of(context) is life)
        self._silence(life)

    def exited(self, life: Life) -> None:
        """A life has ended by itself: its kernel closes what it left open."""
        self.network.vanish(lambda context: life_of(context) is life)

    def _silence(self, life: Life) -> None:
        for handle in (*self._ready, *self._scheduled):
            if not handle.cancelled() and handle._context.get(LIFE) is life:  # type: ignore[attr-defined]
                handle.cancel()

    def _bury(self) -> None:
        """Let go of what dead lives left, in order: their coroutines are closed, and what that stirs up is silenced."""
        doomed, self._doomed = self._doomed, []
        for life in doomed:
            self._silence(life)
            while tasks := [one for one in asyncio.all_tasks(self) if isinstance(one, StableTask) and one.life is life]:
                for task in sorted(tasks, key=hash):
                    self._close(task)
            self._silence(life)

    def _close(self, task: StableTask) -> None:
        """End a task's coroutine; what it starts on its way out is a task of the same dead life."""
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        try:
            task.context.run(task.get_coro().close)
        except BaseException as error:  # of a dead life: it harms nobody, and is there to be looked at
            task.life.last_words.append(error)
        asyncio._unregister_task(task)
        _forget_scopes(task)

    def _run_once(self) -> None:
        self._leaving.clear()
        if self._doomed:
            self._bury()
        super()._run_once()

    def _make_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> "asyncio.Task[Any]":
        context = options.pop("context", None) or copy_context()
        task = super()._make_task(loop, coro, context=context, **options)
        assert isinstance(task, StableTask)
        task.life, task.context = context.get(LIFE), context
        return task

    def _asyncgen_firstiter_hook(self, agen: Any) -> None:
        life, name = LIFE.get(), id(agen)
        if life is None:
            super()._asyncgen_firstiter_hook(agen)  # type: ignore[misc]
        else:
            self._pulled[name] = weakref.ref(agen, lambda _: self._leaves(name)), weakref.ref(life)

    def _asyncgen_finalizer_hook(self, agen: Any) -> None:
        """One that nobody pulls any more is closed in a task, but not for the dead."""
        whose = self._leaving.pop(id(agen), None)
        if whose is None or not ((life := whose()) is None or life.dead):
            super()._asyncgen_finalizer_hook(agen)  # type: ignore[misc]

    def _leaves(self, name: int) -> None:
        """One is going; most were read to their end, and the finalizer is not called for them."""
        _, self._leaving[name] = self._pulled.pop(name)

    def set_exception_handler(self, handler: Any) -> None:
        """Each life has its own."""
        if (life := LIFE.get()) is not None:
            life.handler = handler

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what nobody caught, and tell the life whose it was."""
        life = LIFE.get()
        if life is None:
            self.complaints.append(context)
        elif not life.dead:
            life.complaints.append(context)
            if life.handler is not None:
                life.handler(self, context)

    def add_signal_handler(self, sig: int, callback: Any, *args: Any) -> None:  # type: ignore[override]
        """Signals are for the process, not for a life in it: Ctrl-C ends the whole simulation."""
        assert sig in signal.Signals

    # --- the network

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **_: Any) -> Any:
        """Connect in the simulated network."""
        return await self.network.connect(protocol_factory, int(port))

    async def create_server(
        self, protocol_factory: Any, host: Any = None, port: Any = None, *, sock: Any = None, **_: Any
    ) -> Any:
        """Listen in the simulated network."""
        return self.network.serve(protocol_factory, sock.getsockname()[1] if sock is not None else int(port))

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Every name is this one machine."""
        return [(Network.family, Network.type, Network.proto, "", (HOST, int(port or 0)))]


def _forget_scopes(task: "asyncio.Task[Any]") -> None:
    """Let anyio forget a task that was closed inside one of its scopes: it holds on to both, each by the other."""
    anyio = sys.modules.get("anyio._backends._asyncio")
    if anyio is not None:
        anyio._task_states.pop(task, None)


def run_lives(
    main: Callable[[Clock], Coroutine[Any, Any, T]], network: Network, epoch_ns: int, shuffle: int | None = None
) -> T:
    """Run a world in virtual time from `epoch_ns` on; lives are begun by `main`."""
    loop = LivesLoop(network, shuffle)
    try:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.get_loop()
            loop.set_task_factory(loop._make_task)
            return runner.run(main(Clock(loop, epoch_ns, virtual=True)))
    finally:
        network.over()
