"""The Venue protocol: the one door between the actor graph and any market, real or made."""

from collections.abc import AsyncIterator, Collection, Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from supervisor.clock import NS_PER_S
from venues.market import (
    Accepted,
    AccountEvent,
    Bar,
    Cancelled,
    CancelRefused,
    Fill,
    Instrument,
    MarketEvent,
    OpenOrder,
    OrderRequest,
    Rejected,
    VenuePosition,
)

PROOF_NS = 5 * NS_PER_S
"""So long behind an order's fence "not found" is proof: what answers may be behind what judged the order."""


class VenueUnreachable(Exception):
    """They did not answer: what was asked may or may not have happened. The caller treats it as doubt, not refusal."""


class VenueMisspoke(Exception):
    """They answered something that breaks their own protocol."""


class FillsUnread(VenueMisspoke):
    """Some fills of an answer make no sense and may be of what is traded; `fills` are the others."""

    def __init__(self, text: str, fills: Sequence[Fill]):
        super().__init__(text)
        self.fills = fills


class EndOfData(Exception):
    """A recording or a bounded run is over; there is nothing wrong."""


class Capabilities(Struct, frozen=True, kw_only=True):
    """What a venue can do, so that actors never ask which venue it is."""

    replace: bool  # can move a resting order in one request
    expires: bool  # honours OrderRequest.expires_ns, which fences doubt
    simulated: bool  # fills come from obid's matching engine


class Venue(Protocol):
    """One account at one market.

    `market()` and `account()` may each be iterated once per start of their actor; iterating again resumes with what is
    fresh. Methods that ask raise VenueUnreachable when the answer is unknown and VenueMisspoke when it makes no sense.
    """

    name: str
    capabilities: Capabilities

    async def open(self) -> Sequence[Instrument]:
        """Connect and say what can be traded here."""
        ...

    def market(self) -> AsyncIterator[Sequence[MarketEvent]]:
        """Books and trades, in the order they arrive, in batches that arrived together. Ends when the data ends."""
        ...

    def account(self) -> AsyncIterator[AccountEvent]:
        """What happens to our orders and our money, in order; a reconnect may repeat fills, never lose them."""
        ...

    def deaf(self) -> Collection[str]:
        """Symbols of whose market or whose fills something may be missed now: no entries there until it is over.

        All of them while the venue's clock is too far from ours, or may be.
        """
        ...

    def theirs_ns(self, at_ns: int) -> int:
        """What the venue's clock said when ours said that; its fills bear its time."""
        ...

    async def submit(self, order: OrderRequest) -> Accepted | Rejected:
        """Send an order and wait for the venue's verdict; its fills come by `account()`."""
        ...

    async def cancel(self, symbol: str, order_id: str) -> Cancelled | CancelRefused:
        """Cancel a resting order and wait for the verdict."""
        ...

    async def replace(self, order: OrderRequest) -> Accepted | Rejected | CancelRefused:
        """Put `order` in the place of `order.replaces`; what that one has filled counts towards `order.lots`.

        CancelRefused: there was nothing to replace, and the new order never was. Rejected: the new order is refused;
        the old one may be gone by then (Hyperliquid takes it out first), and `account()` says so if it is. If it may
        rest on, `account()` says CancelRefused of it: `unsent` where that is certain, else it must be asked about.
        """
        ...

    async def open_orders(self) -> Sequence[OpenOrder]:
        """Every order that rests now."""
        ...

    async def positions(self) -> Sequence[VenuePosition]:
        """Every position that is not flat."""
        ...

    async def fills(self, since_ns: int) -> Sequence[Fill]:
        """Every fill at or after a time of ours, oldest first. Raises FillsUnread where some of them make no sense."""
        ...

    async def find(self, symbol: str, order_id: str) -> OpenOrder | Cancelled | Rejected | None:
        """What became of an order; one that was filled is Cancelled with all its lots.

        None: the venue does not know it, which is proof only PROOF_NS behind a fence.
        """
        ...

    async def history(self, symbol: str, interval_ns: int, bars: int) -> Sequence[Bar]:
        """The last closed bars before now, oldest first; fewer if the venue has fewer."""
        ...

    async def close(self) -> None:
        """Let go of every socket and file."""
        ...


@runtime_checkable
class Funded(Protocol):
    """A venue with an account of real money."""

    cash_minor: int | None  # as last told, without what open positions have gained or lost; None: nobody was asked
    cash_ns: int  # when that was, by the venue's clock


class Owner(Struct, frozen=True, kw_only=True):
    """Whose orders rest at a venue, as a dead man must know it."""

    account: str
    signer: str = ""  # the address that signs, where somebody does
    places: tuple[str, ...] = ()  # parts of the venue that are traded, where each is asked for its own orders


@runtime_checkable
class Linked(Protocol):
    """A venue across a network, where orders of ours rest while nobody may be here to cancel them."""

    def owner(self) -> Owner:
        """Whose they are; once it is open."""
        ...

    def answers(self) -> int:
        """How many requests were answered so far: each is proof that an order could be cancelled."""
        ...

    async def knock(self) -> None:
        """Ask something small, so that the venue answers. Raises VenueUnreachable, VenueMisspoke."""
        ...


@runtime_checkable
class Switched(Protocol):
    """A venue that cancels everything by itself at a time, unless it is told otherwise before."""

    async def arm(self, ahead_s: float) -> str:
        """Let everything be cancelled so far ahead; why not, or nothing. Raises VenueUnreachable, VenueMisspoke."""
        ...

    async def disarm(self) -> str:
        """Take that back; why not, or nothing. Raises VenueUnreachable, VenueMisspoke."""
        ...
