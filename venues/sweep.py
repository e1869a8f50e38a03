"""Sweeping: an account's resting orders seen and cancelled by a second process, and nothing else done to it.

For the dead man (daemon/deadman.py). It shares no connection, no key, no budget and no memory with the adapter of the
daemon, which may hang, be cut off, or be gone.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from venues.rest import RestLimits

LIMITS = RestLimits(connect_s=2.0, read_s=3.0, total_s=4.0, connections_max=32)
"""Shorter than the daemon's: what did not answer in four seconds is asked again. As many connections as Hyperliquid has
dexs, and more: a question that waits for a connection while the venue is slow has no time left to be answered."""


class Resting(Struct, frozen=True):
    """An order that rests, whoever sent it and from wherever."""

    id: str
    symbol: str
    protects: bool  # it can only make a position smaller, or waits for a price that is to do that


class Sweeper(Protocol):
    """One account at one venue. Everything that asks raises VenueUnreachable and VenueMisspoke."""

    name: str
    account: str  # whose orders, as the venue names it; empty until `prove`
    signer: str  # the address that signs, where somebody does
    near: tuple[str, ...]  # parts of the venue where orders are expected; none: all

    async def prove(self) -> str:
        """See that this key may cancel for this account: why not, or nothing. Changes nothing."""
        ...

    async def reach(self) -> None:
        """Ask something small."""
        ...

    async def look(self, *, everywhere: bool) -> Sequence[Resting]:
        """Every order that rests now, as the venue shows it; where they are expected, or everywhere."""
        ...

    async def cancel(self, orders: Sequence[Resting], *, every: bool) -> list[str]:
        """Cancel these (`every`: they are all there are); refusals in the venue's words. What is over is none."""
        ...

    def pause_s(self) -> float:
        """So long between looks costs the venue's limits no more than half."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...
