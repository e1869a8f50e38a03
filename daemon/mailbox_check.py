"""Looks now and then whether every mailbox keeps its bound; what breaks it halts everything, as any invariant does."""

from collections.abc import Iterable

from actors.messages import InvariantBroken
from risk.invariants import Checks, Invariant
from supervisor.clock import Clock
from supervisor.mailbox import BATCH_MAX, Mailbox
from supervisor.supervisor import House

LOOK_S = 30.0
"""Between looks."""


def overfull(mailboxes: Iterable[Mailbox]) -> str:
    """The first lane with more than its bound, in words; a crash may have put one batch back on top of it."""
    for box in mailboxes:
        for lane in box.lanes.values():
            if len(lane) > lane.size_max + BATCH_MAX:
                return f"{box.owner}: {len(lane)} {lane.name} wait, {lane.size_max} is the bound"
    return ""


async def watch_mailboxes(house: House, checks: Checks, clock: Clock) -> None:
    """Look for ever."""
    while True:
        await clock.sleep(LOOK_S)
        wrong = overfull(house.mailboxes.values())
        if checks.see(Invariant.MAILBOX_BOUND, wrong, len(house.mailboxes)):
            broken = InvariantBroken("", Invariant.MAILBOX_BOUND, wrong, clock.now_ns())
            for put in house.route(InvariantBroken):
                put(broken)
