"""Nonces: milliseconds that never repeat, whatever the clock does and however often the daemon starts again.

The venue keeps the 100 highest nonces of each signer and takes one that is above the lowest of them, that it has not
seen, and that lies within two days before and one day after its time (docs, "Nonces and API wallets"). A clock read
for each request, as the venue's SDK does, repeats within a millisecond; here the next one is max(last + 1, now).

A restart must not repeat either, when the clock was set back meanwhile. So a floor is kept on disk that lies ahead of
what is given, and a restart begins above it. While the clock leads, the floor is minutes ahead and is renewed every few
minutes; while the nonces lead, it is ahead by a count, so that a thousand restarts in a row cost seconds of the window.
"""

from supervisor.clock import NS_PER_MS

AHEAD_MS = 300_000
"""How far ahead of the clock a floor is promised: one small write each half of that."""
AHEAD_COUNT = 1_000
"""How many nonces a floor is ahead where nonces lead the clock; ten minutes of the venue's own rate for actions."""
LEAD_MS_MAX = 86_400_000
"""The venue refuses a nonce more than a day ahead of its time."""


class ClockBehind(Exception):
    """The clock says a time so long before the last nonce that the venue would refuse the next one."""


class Nonces:
    """The nonces of one signer. There must be one of these for each signer in the world: the venue counts by signer."""

    def __init__(self, floor: int = 0) -> None:
        """Begin above a floor that was kept; 0 where none was."""
        self._kept = self._last = floor

    def take(self, now_ns: int) -> int:
        """The next nonce. Raises ClockBehind rather than give one that the venue would not take."""
        now_ms = now_ns // NS_PER_MS
        nonce = max(self._last + 1, now_ms)
        if nonce - now_ms >= LEAD_MS_MAX:
            at = f"nonce {nonce} is {(nonce - now_ms) // 1000} s ahead of the clock"
            raise ClockBehind(f"{at}; the venue takes a day at most: set the clock right, or use a new agent wallet")
        self._last = nonce
        return nonce

    def floor(self, now_ns: int) -> int | None:
        """A floor to write down now, or None while the one that was kept does; call `kept` when it is on the disk.

        Ask after each start and beside each take. A nonce is given even if the write is late: one that repeats after
        a crash at that moment and a clock set back is refused, while an exit that waits for a disk is a loss.
        """
        now_ms = now_ns // NS_PER_MS
        if self._kept >= max(now_ms + AHEAD_MS // 2, self._last + AHEAD_COUNT // 2):
            return None
        return max(now_ms + AHEAD_MS, self._last + AHEAD_COUNT)

    def kept(self, floor: int) -> None:
        """The floor is written: a restart would begin above it."""
        self._kept = max(self._kept, floor)
