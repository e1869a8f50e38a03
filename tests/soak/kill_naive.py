"""The control: an executor that sends first and records what it was answered. The harness must find it out."""

from typing import Any

from actors.executor import Executor
from actors.messages import Journaled
from risk.intent import Cancel
from supervisor.actor import Post
from venues.venue import VenueMisspoke, VenueUnreachable


def install() -> None:
    """Put it in the place of the real one, in this process."""
    Executor._handle = handle  # type: ignore[method-assign]


def handle(self: Executor, post: Post, message: Any) -> None:
    """Send at once; the ledger hears of an order when the venue has answered."""
    if isinstance(message, Journaled):
        return
    if isinstance(message.wish, Cancel):
        post.spawn(self._cancel(post, message.wish))
        return
    planned = self.mind.plan(message)
    self.mind.waiting.pop(planned.order.id)

    async def send_and_record() -> None:
        order = planned.order
        try:
            verdict = await (self.venue.replace(order) if order.replaces else self.venue.submit(order))
        except (VenueUnreachable, VenueMisspoke, TimeoutError):
            return  # an error is taken for a refusal
        post.say(planned)
        post.say(verdict)

    post.spawn(send_and_record())
