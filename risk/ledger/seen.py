"""Which events are booked already, so that a repeated fill is harmless."""

from msgspec import Struct, field

SEEN_MAX = 10_000
"""Ids kept per engine: five times the most a venue repeats at once (Hyperliquid's 2,000 newest fills)."""


class Seen(Struct):
    """The newest ids, and the time before which everything counts as seen.

    What was forgotten is older than ten thousand events. An event stamped before that is taken for a repeated one: a
    venue that tells its history again is far likelier than a fill that comes so late.
    """

    size_max: int = SEEN_MAX
    ids: dict[str, int] = field(default_factory=dict)  # -> stamp, oldest arrival first
    forgotten_ns: int = 0

    def knows(self, event_id: str, at_ns: int) -> bool:
        """Whether an event is booked already."""
        return event_id in self.ids or at_ns < self.forgotten_ns

    def remember(self, event_id: str, at_ns: int) -> None:
        """Keep an id, forgetting the oldest when there are too many."""
        self.ids[event_id] = at_ns
        if len(self.ids) > self.size_max:
            oldest = next(iter(self.ids))
            self.forgotten_ns = max(self.forgotten_ns, self.ids.pop(oldest))
