"""Questions to /info and actions to /exchange, each within the limits: wait for room, send once, settle what it cost.

The only place where the budget meets the wire. Questions wait for room as long as their caller does; an action waits a
moment, because an order that is late is another order: what finds no room in time was not sent, and that is proof.
"""

from typing import TypeVar

import msgspec

from supervisor.clock import NS_PER_S, Clock
from venues.hyperliquid.answers import Meaning, RateLimited, Refused, Verdict, read_response
from venues.hyperliquid.budget import Need, RequestBudget, Spent, Urgency
from venues.hyperliquid.info import Ask
from venues.hyperliquid.rest import INFO, NotAnswered, Rest
from venues.hyperliquid.sign import SignedAction

A = TypeVar("A")

ROOM_WAIT_NS = 2 * NS_PER_S
"""An action waits so long for room; prices are another's by then."""

NOT_SENT = "not sent"
"""How the reason of a refusal begins that is ours: the venue never saw it."""


class Asker:
    """One machine's voice: a client, the limits of its address, a clock."""

    def __init__(self, rest: Rest, budget: RequestBudget, clock: Clock):
        self.rest = rest
        self.budget = budget
        self.clock = clock

    async def ask(self, ask: Ask[A], urgency: Urgency = Urgency.RECONCILE, *, leaving: int | None = None) -> A:
        """Ask a question once there is room for it. Raises VenueUnreachable, VenueMisspoke.

        With `leaving` it is asked only if so much room is left for others of its urgency, now or not at all.
        """
        need = Need(urgency, ask.weight_max)
        if leaving is not None:
            self._check_room(need._replace(weight=need.weight + leaving))
        spent = await self._room(need)
        weight = ask.weight_max
        try:
            answer = await self.rest.info(
                msgspec.json.encode(ask.body), lambda body: ask.read(body, self.clock.now_ns())
            )
            weight = ask.weight(answer)
            return answer
        except RateLimited:
            self.budget.refused(self.clock.now_ns())
            raise
        finally:
            self.budget.settle(spent, weight, self.clock.now_ns())

    def _check_room(self, need: Need) -> None:
        now_ns = self.clock.now_ns()
        at_ns = self.budget.earliest_ns(need, now_ns)
        if at_ns is None or at_ns > now_ns:
            wait_s = ((at_ns or now_ns) - now_ns) / NS_PER_S
            raise NotAnswered(INFO, f"no room for it within the limits for {wait_s:.0f} s", sent=False)

    async def _room(self, need: Need) -> Spent:
        """Wait for room and take it."""
        while True:
            now_ns = self.clock.now_ns()
            if (spent := self.budget.spend(need, now_ns)) is not None:
                return spent
            at_ns = self.budget.earliest_ns(need, now_ns)
            assert at_ns is not None, "a question takes nothing of the address"
            await self.clock.sleep_until(at_ns)

    async def room_to_act(self, need: Need) -> Refused | None:
        """Wait a moment for room; the refusal if there is none."""
        until_ns = self.clock.now_ns() + ROOM_WAIT_NS
        while True:
            now_ns = self.clock.now_ns()
            at_ns = self.budget.earliest_ns(need, now_ns)
            if at_ns is None:
                return Refused(f"{NOT_SENT}: the address has used up its requests", Meaning.LIMITED, unsent=True)
            if at_ns <= now_ns:
                return None
            if at_ns > until_ns:
                wait_s = (at_ns - now_ns) / NS_PER_S
                why = f"{NOT_SENT}: no room for it within the limits for {wait_s:.0f} s"
                return Refused(why, Meaning.LIMITED, unsent=True)
            await self.clock.sleep_until(at_ns)

    async def act(self, signed: SignedAction, asked: int, need: Need) -> tuple[Verdict, ...]:
        """Send a signed action for which there is room, once. Raises VenueUnreachable, VenueMisspoke: it may be done.

        What was provably not sent is a refusal; so is what finds the room taken that `room_to_act` has seen, because
        its caller let others run in between.
        """
        spent = self.budget.spend(need, self.clock.now_ns())
        if spent is None:
            taken = Refused(f"{NOT_SENT}: the room for it within the limits was taken", Meaning.LIMITED, unsent=True)
            return (taken,) * max(asked, 1)
        try:
            answer = await self.rest.exchange(signed.body())
        except RateLimited:
            self.budget.refused(self.clock.now_ns())
            raise
        except NotAnswered as error:
            if error.sent:
                raise
            return (Refused(f"{NOT_SENT}: {error}", Meaning.REFUSED, unsent=True),) * max(asked, 1)
        finally:
            self.budget.settle(spent, need.weight, self.clock.now_ns())
        return read_response(answer.status, answer.body, asked)
