"""Opening the venues: asked what can be traded there, again for a while where they say "later".

A 429, a 503 or a slow answer at the start is passing, and a daemon that exits for it leaves what it holds alone. A host
that is not there, a key that is refused and an answer that makes no sense are not: those end the start at once.
"""

from collections.abc import Callable, Mapping, Sequence

from config.profile import EngineName
from supervisor.clock import NS_PER_S, Clock
from venues.market import Instrument
from venues.rest import NotAnswered
from venues.venue import Venue, VenueUnreachable

AGAIN_S, AGAIN_S_MAX = 2.0, 20.0
"""Between attempts; twice as long each time."""

OPEN_S_MAX = 120.0
"""No attempt begins later: venues count requests by the minute, so two of them are enough, or time is no help."""


async def open_venues(
    venues: Mapping[EngineName, Venue], clock: Clock, tell: Callable[[str], None]
) -> dict[EngineName, Sequence[Instrument]]:
    """What each of them trades. Raises VenueUnreachable, VenueMisspoke, ConfigError."""
    until_ns = clock.now_ns() + round(OPEN_S_MAX * NS_PER_S)
    opened: dict[EngineName, Sequence[Instrument]] = {}
    pause_s = AGAIN_S
    for engine, venue in venues.items():
        while engine not in opened:
            try:
                opened[engine] = await venue.open()
            except VenueUnreachable as error:
                if not passing(error) or clock.now_ns() + round(pause_s * NS_PER_S) >= until_ns:
                    raise
                tell(f"{venue.name} is not open yet, tried again in {pause_s:g} s: {error}")
                await clock.sleep(pause_s)
                pause_s = min(2 * pause_s, AGAIN_S_MAX)
    return opened


def passing(error: VenueUnreachable) -> bool:
    """Whether somebody is there who may answer later: what was not even sent had nobody to go to."""
    return not isinstance(error, NotAnswered) or error.sent
