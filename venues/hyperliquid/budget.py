"""What may be sent to Hyperliquid now, and what must wait until when: pure arithmetic over times that are given.

Three things are limited (rate-limits page): the weight of requests of an IP address, 1200 a minute; the requests of an
account, 10,000 and one for each USDC that it traded; and, per IP, sockets and what is sent over them. What is left
belongs to the more urgent first: each class may fill a limit only up to its share, so polling stops while orders still
go, and entries stop while exits and cancels do.

Every count is kept by what was spent in the last minute, not by a bucket that refills: a bucket of 1200 that refills at
20 a second lets almost 2400 through in one minute. How the venue counts is not published; this holds for any way.
"""

from bisect import bisect_left, insort
from enum import IntEnum
from typing import NamedTuple

from msgspec import Struct

from supervisor.clock import NS_PER_S

SPAN_NS = 61 * NS_PER_S
"""A minute, and a second for requests that take longer on their way than those after them."""

ANSWER_NS_MAX = 10 * NS_PER_S
"""A request that is not settled is counted as if it had been answered so late."""

REFILL_PIECES = 60
"""After a 429 the room comes back in so many equal steps over the span, one a second."""


class Urgency(IntEnum):
    """Classes of requests, the most urgent first."""

    EXIT = 0  # exits and cancels: what makes the position or its risk smaller
    ORDER = 1  # entries, changes of resting orders, leverage
    RECONCILE = 2  # what is there, what was filled, history before the start
    POLL = 3  # market data that also comes by itself, only later


SHARES = {Urgency.EXIT: 1.0, Urgency.ORDER: 0.9, Urgency.RECONCILE: 0.75, Urgency.POLL: 0.5}
"""How much of a limit may be in use after a request of the class.

The preseed of 28 coins takes 700 of 1200 as RECONCILE, which may have 900 but leaves some for looks: it takes two
minutes. An order weighs 1, so what is left is 180 entries, and 120 exits and cancels after those, in one minute.
"""


class Limits(Struct, frozen=True, kw_only=True):
    """The venue's numbers, per IP address unless they say otherwise."""

    weight_a_minute: int = 1_200
    requests_free: int = 10_000  # per account, and one more per USDC traded
    cancels_extra_max: int = 100_000  # cancels may go so far beyond, or to twice the limit if that is less
    limited_every_ns: int = 10 * NS_PER_S  # one request so often once an account is over its limit
    requests_for_exits: int = 500  # per account, kept back from entries (ours, not the venue's)
    connections: int = 10
    connections_a_minute: int = 30
    subscriptions: int = 1_000
    messages_a_minute: int = 2_000
    posts_inflight: int = 100


class Spent(NamedTuple):
    """What was taken from a window; it is given to `settle` once the answer is there."""

    until_ns: int  # counted before this
    number: int
    amount: int


class Rolling:
    """A limit on what is spent in any minute, shared by urgency."""

    def __init__(self, limit: int, span_ns: int = SPAN_NS) -> None:
        self.limit = limit
        self.span_ns = span_ns
        self._spent: list[Spent] = []  # by the time they cease to count
        self._total = 0
        self._number = 0

    def room(self, urgency: Urgency, now_ns: int) -> int:
        """What a request of the class may take now."""
        self._forget(now_ns)
        return int(self.limit * SHARES[urgency]) - self._total

    def earliest_ns(self, urgency: Urgency, amount: int, now_ns: int) -> int:
        """When so much may be spent: now, or later. Raises ValueError where it never can."""
        if amount > int(self.limit * SHARES[urgency]):
            raise ValueError(f"{amount} at once is more than {urgency.name} ever has of {self.limit}")
        missing = amount - self.room(urgency, now_ns)
        for spent in self._spent:
            if missing <= 0:
                break
            missing -= spent.amount
            now_ns = spent.until_ns
        return now_ns

    def spend(self, amount: int, now_ns: int, answer_ns_max: int = 0) -> Spent:
        """Count a request that is sent now and, where its answer has a cost too, is answered by then at the latest."""
        return self._count(amount, now_ns + answer_ns_max + self.span_ns)

    def settle(self, spent: Spent, amount: int, now_ns: int) -> None:
        """The answer is there and cost so much: it counts from now on, for what it was."""
        at = bisect_left(self._spent, spent)
        if at < len(self._spent) and self._spent[at] == spent:
            del self._spent[at]
            self._total -= spent.amount
            self._count(amount, now_ns + self.span_ns)

    def exhaust(self, now_ns: int) -> None:
        """The venue says that nothing is left, whatever we counted: all of it comes back by and by."""
        self._forget(now_ns)
        free, given = max(0, self.limit - self._total), 0
        for piece in range(1, REFILL_PIECES + 1):
            due = free * piece // REFILL_PIECES
            if due > given:
                self._count(due - given, now_ns + self.span_ns * piece // REFILL_PIECES)
            given = due

    def _count(self, amount: int, until_ns: int) -> Spent:
        self._number += 1
        spent = Spent(until_ns, self._number, amount)
        insort(self._spent, spent)
        self._total += amount
        return spent

    def _forget(self, now_ns: int) -> None:
        over = bisect_left(self._spent, (now_ns + 1,))
        self._total -= sum(spent.amount for spent in self._spent[:over])
        del self._spent[:over]


class AddressBudget:
    """The requests of one account: a number for its whole life, which trading makes larger.

    Until `told` what userRateLimit answers it counts from nothing, so ask that before the first order.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.used = 0
        self.cap = limits.requests_free
        self._traded_usd = 0.0  # since the cap was told
        self._last_ns: int | None = None  # when requests were made last

    def told(self, used: int, cap: int) -> None:
        """What userRateLimit answered."""
        self.used, self.cap, self._traded_usd = used, cap, 0.0

    def traded(self, notional_usd: float) -> None:
        """A fill makes room; what a later answer says replaces it."""
        self._traded_usd += abs(notional_usd)

    def limit(self, *, cancel: bool) -> int:
        """How many requests the account may have made after this one."""
        cap = self.cap + int(self._traded_usd)
        return min(cap + self.limits.cancels_extra_max, 2 * cap) if cancel else cap

    def earliest_ns(self, urgency: Urgency, requests: int, now_ns: int, *, cancel: bool) -> int | None:
        """When so many requests may be made; None: not before something is traded, or never in one batch."""
        kept = self.limits.requests_for_exits if urgency is not Urgency.EXIT and not cancel else 0
        if self.used + requests <= self.limit(cancel=cancel) - kept:
            return now_ns
        if kept or requests > 1:
            return None
        return now_ns if self._last_ns is None else max(now_ns, self._last_ns + self.limits.limited_every_ns)

    def spend(self, requests: int, now_ns: int) -> None:
        """Count requests that are made now."""
        self.used += requests
        self._last_ns = now_ns


class Need(NamedTuple):
    """What a request takes."""

    urgency: Urgency
    weight: int  # of the IP, the most it can come to
    requests: int = 0  # of the account: orders and cancels in the batch
    cancel: bool = False


BATCH_A_WEIGHT = 40


def action_need(urgency: Urgency, requests: int = 1, *, cancel: bool = False) -> Need:
    """What an action of so many orders or cancels takes: one, and one more for each 40 of them."""
    return Need(urgency, 1 + requests // BATCH_A_WEIGHT, requests, cancel)


class RequestBudget:
    """What /info and /exchange may be asked."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.weight = Rolling(self.limits.weight_a_minute)
        self.address = AddressBudget(self.limits)

    def earliest_ns(self, need: Need, now_ns: int) -> int | None:
        """When this may be sent: now or later; None: not at any time that is known."""
        by_weight = self.weight.earliest_ns(need.urgency, need.weight, now_ns)
        if not need.requests:
            return by_weight
        by_address = self.address.earliest_ns(need.urgency, need.requests, now_ns, cancel=need.cancel)
        return None if by_address is None else max(by_weight, by_address)

    def spend(self, need: Need, now_ns: int) -> Spent | None:
        """Take what it needs if it may be sent now; None if it may not."""
        if self.earliest_ns(need, now_ns) != now_ns:
            return None
        if need.requests:
            self.address.spend(need.requests, now_ns)
        return self.weight.spend(need.weight, now_ns, ANSWER_NS_MAX)

    def settle(self, spent: Spent, weight: int, now_ns: int) -> None:
        """It was answered, or failed, and came to this weight."""
        self.weight.settle(spent, weight, now_ns)

    def refused(self, now_ns: int) -> None:
        """HTTP 429: the venue counts more than we do."""
        self.weight.exhaust(now_ns)


class SocketBudget:
    """What may be opened, subscribed to and sent over WebSockets; counts of one IP address."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.opened = Rolling(self.limits.connections_a_minute)
        self.messages = Rolling(self.limits.messages_a_minute)
        self.connections = 0
        self.subscriptions = 0
        self.posts = 0

    def connect(self, urgency: Urgency, now_ns: int) -> int | None:
        """Open a socket if that may be now: returns now. Otherwise when to try; None: first close another."""
        if self.connections >= self.limits.connections:
            return None
        at_ns = self.opened.earliest_ns(urgency, 1, now_ns)
        if at_ns == now_ns:
            self.opened.spend(1, now_ns)
            self.connections += 1
        return at_ns

    def closed(self, subscriptions: int = 0, posts: int = 0) -> None:
        """A socket is gone, and with it what it was subscribed to and what it was asked."""
        self.connections -= 1
        self.subscriptions -= subscriptions
        self.posts -= posts

    def send(self, urgency: Urgency, now_ns: int) -> int:
        """Send a message if that may be now: returns now. Otherwise when to try. A ping is as urgent as an exit."""
        at_ns = self.messages.earliest_ns(urgency, 1, now_ns)
        if at_ns == now_ns:
            self.messages.spend(1, now_ns)
        return at_ns

    def subscribe(self, now_ns: int, urgency: Urgency = Urgency.RECONCILE) -> int | None:
        """The same for a subscription; None: there are as many as there may be."""
        if self.subscriptions >= self.limits.subscriptions:
            return None
        at_ns = self.send(urgency, now_ns)
        self.subscriptions += at_ns == now_ns
        return at_ns

    def unsubscribed(self) -> None:
        """One ended; the message that asked for it went by `send`."""
        self.subscriptions -= 1

    def post(self, urgency: Urgency, now_ns: int) -> int | None:
        """The same for a request over a socket; None: first wait for an answer."""
        if self.posts >= int(self.limits.posts_inflight * SHARES[urgency]):
            return None
        at_ns = self.send(urgency, now_ns)
        self.posts += at_ns == now_ns
        return at_ns

    def answered(self) -> None:
        """A post was answered or given up."""
        self.posts -= 1
