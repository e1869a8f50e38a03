"""When a new connection may be tried: what the venue allows one address.

Limits per IP (venue's page "Rate limits and user limits"; facts of 2026-09): 10 WebSocket connections at once, 30 new
ones a minute, 1,000 subscriptions, 2,000 messages a minute to the venue. We take less, because what counts is the IP:
an operator's second program has to fit in beside the daemon.
"""

from asyncio import Semaphore

from venues.backoff import MINUTE_NS, Backoff, Window

__all__ = ["Backoff", "Limits", "Window"]

VENUE_CONNECTIONS_PER_MINUTE = 30
VENUE_CONNECTIONS_AT_ONCE = 10
VENUE_MESSAGES_PER_MINUTE = 2000

CONNECTIONS_PER_MINUTE = 24
CONNECTIONS_AT_ONCE = 8
MESSAGES_PER_MINUTE = 1500
"""Two thirds to four fifths of what the venue allows; pings and posts are in the rest."""

ACCOUNT_CONNECTIONS_PER_MINUTE = 8
"""Kept of those for accounts: as many tries as the back-off makes in a minute. Market data has more sockets, and a
venue that flaps would see them use up the minute, with the account deaf to its end."""


class Limits:
    """What all connections of one IP share."""

    def __init__(
        self,
        *,
        connections_per_minute: int = CONNECTIONS_PER_MINUTE - ACCOUNT_CONNECTIONS_PER_MINUTE,
        account_connections_per_minute: int = ACCOUNT_CONNECTIONS_PER_MINUTE,
        connections_at_once: int = CONNECTIONS_AT_ONCE,
        messages_per_minute: int = MESSAGES_PER_MINUTE,
    ):
        self.connections = Window(connections_per_minute, MINUTE_NS)
        self.account_connections = Window(account_connections_per_minute, MINUTE_NS)
        self.messages = Window(messages_per_minute, MINUTE_NS)
        self.at_once = Semaphore(connections_at_once)
