"""Account: carries what happens to our orders and our money into the graph; it never drops and may wait."""

from typing import ClassVar

from supervisor.actor import Post
from supervisor.mailbox import Hears
from venues.market import Accepted, Cancelled, CancelRefused, Fill, FundingPaid, MoneyMoved, Rejected, SessionMoved
from venues.venue import Venue


class Account:
    """The body; there is nothing to decide. A repeated fill is harmless: the ledger knows its id."""

    hears: ClassVar[tuple[Hears, ...]] = ()
    says: ClassVar[tuple[type, ...]] = (
        *(Accepted, Rejected, Cancelled, CancelRefused),
        *(Fill, FundingPaid, MoneyMoved, SessionMoved),
    )

    def __init__(self, venue: Venue):
        self.venue = venue

    async def run(self, post: Post) -> None:
        """Carry."""
        post.ready()
        async for event in self.venue.account():
            post.in_hand, post.in_hand_ns = event, post.clock.now_ns()
            await post.say_wait(event)
            post.in_hand_ns = 0
