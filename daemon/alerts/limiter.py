"""Not more than a person can bear: one story is told once an hour, and all of them together so many an hour.

What is held back is counted, and the next alert that passes says how many those were. Critical alerts have a reserve
that others cannot use up.
"""

from msgspec.structs import replace

from daemon.alerts.alert import Alert, Level
from supervisor.clock import NS_PER_S

REPEAT_NS = 3_600 * NS_PER_S
"""A story that goes on is told again after so long; what is over, at once."""
BURST, RESERVE = 10, 3
"""Alerts at once, and how many of them are kept for critical ones."""
REFILL_NS = 180 * NS_PER_S
"""One more each three minutes: twenty an hour."""
KEYS_MAX = 1_000


class Limiter:
    """Decides what passes."""

    def __init__(self, least: Level):
        self.least = least
        self._held: set[str] = set()  # keys of stories that were held back since one passed
        self._tokens = float(BURST)
        self._filled_ns = 0
        self._told: dict[str, Alert] = {}  # by key, oldest first: the last that passed

    def passes(self, alert: Alert) -> Alert | None:
        """The alert as it is to be sent; None when it is held back."""
        before = self._told.get(alert.key)
        if alert.over and before is None:
            return None  # nobody was told that it had begun
        level = before.level if alert.over and before is not None else alert.level  # an end matters as its story did
        if level.rank < self.least.rank:
            return None
        graver = before is None or alert.level.rank > before.level.rank
        if before is not None and not alert.over and not graver and alert.at_ns - before.at_ns < REPEAT_NS:
            return None
        taken = self._take(alert.at_ns, level)
        if taken or alert.over:  # over it is, told or not: what begins after that is a new story
            self._remember(alert)
        if not taken:
            if len(self._held) < KEYS_MAX:
                self._held.add(alert.key)
            return None
        if held := len(self._held - {alert.key}):
            alert = replace(alert, text=f"{alert.text} (and {held} more alerts were held back)".strip())
        self._held.clear()
        return alert

    def _take(self, at_ns: int, level: Level) -> bool:
        if self._filled_ns:
            self._tokens = min(BURST, self._tokens + max(0, at_ns - self._filled_ns) / REFILL_NS)
        self._filled_ns = max(self._filled_ns, at_ns)
        least = 1 if level is Level.CRITICAL else 1 + RESERVE
        if self._tokens < least:
            return False
        self._tokens -= 1
        return True

    def _remember(self, alert: Alert) -> None:
        self._told.pop(alert.key, None)
        if not alert.over:
            self._told[alert.key] = alert
            if len(self._told) > KEYS_MAX:
                del self._told[next(iter(self._told))]
