"""One actor's life between start and end: its post, its body, its task."""

import asyncio
import traceback

from supervisor.actor import Body, Post
from supervisor.child import ChildSpec
from supervisor.messages import DeadLetter
from supervisor.secrets import hidden

DEAD_LETTER_CHARS_MAX = 4000
"""A dead letter holds at most this much of a message and of a traceback: a log line, not a core dump."""


class StartTimeout(Exception):
    """An actor did not say that it is ready."""


class StopTimeout(Exception):
    """An actor did not stop when it was told to; it was left behind, without mailbox and voice."""


class Runner:
    """Starts one body, stops it, and knows what ended it."""

    def __init__(self, spec: ChildSpec, post: Post):
        self.spec = spec
        self.post = post
        self.body: Body | None = None  # none before its task has begun
        self.task = asyncio.create_task(self._live(), name=spec.key)
        self.failure: StartTimeout | None = None
        self.left_behind = False

    async def _live(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self.post.group = group
                self.body = self.spec.start()
                await self.body.run(self.post)
                for helper in group._tasks:
                    helper.cancel()
        except* Exception as errors:
            raise innermost(errors) from None

    @property
    def up(self) -> bool:
        """Whether it was ready once."""
        return self.post.started.done() and self.failure is None

    async def started(self) -> None:
        """Wait until the actor is ready, dead, or out of time (then it is stopped); its supervisor sees which."""
        await asyncio.wait(
            [self.post.started, self.task], timeout=self.spec.start_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not self.post.started.done() and not self.task.done():
            self.failure = StartTimeout(f"{self.spec.key} was not ready within {self.spec.start_s:g} s")
            await self.stop()

    async def stop(self) -> None:
        """Cancel and wait; an actor that does not stop in its time is left behind."""
        if self.task.done() or self.left_behind:
            return
        self.task.cancel()
        await asyncio.wait([self.task], timeout=self.spec.shutdown_s)
        if not self.task.done():
            self.left_behind = True
            self.post.cut_off()
            asyncio._unregister_task(self.task)  # else the loop waits for it, for ever, before it closes

    def error(self) -> BaseException | None:
        """What ended the actor, if it was not us."""
        if self.failure is not None:
            return self.failure
        return None if self.task.cancelled() else self.task.exception()

    def stop_timeout(self) -> StopTimeout:
        """What is to be said of an actor that was left behind."""
        return StopTimeout(f"{self.spec.key} did not stop within {self.spec.shutdown_s:g} s")

    def bury(self, error: BaseException) -> DeadLetter:
        """The message in hand and what killed its actor."""
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        return DeadLetter(
            self.spec.key,
            repr(self.post.in_hand)[:DEAD_LETTER_CHARS_MAX],
            named(error),
            text[-DEAD_LETTER_CHARS_MAX:],
            self.post.clock.now_ns(),
        )


def named(error: BaseException) -> str:
    """An error in one line."""
    return hidden(f"{type(error).__name__}: {error}")


def innermost(error: BaseException) -> BaseException:
    """The first single error in a group of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
