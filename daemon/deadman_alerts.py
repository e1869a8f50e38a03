"""What the dead man tells a person, over the webhook of the daemon, who may be gone: sweeps, and what is in the way.

A pure mind: it is shown how things are, four times a second, and says what is news. Nothing here holds up a sweep: what
is told goes to a sender that works beside it (daemon/alerts).
"""

from collections.abc import Iterator, Sequence

from msgspec import Struct

from daemon.alerts.alert import Alert, Level
from supervisor.clock import NS_PER_S

HELD_UP_NS = 10 * NS_PER_S
"""A sweep takes half a second; one that has seen no empty book for so long needs a person."""
UNABLE_NS = 60 * NS_PER_S
"""A venue that cannot be reached is reached again at the next look; for so long it is no accident."""
NOBODY_NS = 60 * NS_PER_S
"""Whoever starts both starts them together; a start of the daemon takes seconds."""


class Seen(Struct, frozen=True, kw_only=True):
    """One venue as its guard has it."""

    venue: str
    sweeping: str = ""  # why; empty: it does not
    clear: bool = False  # this sweep has seen the book empty
    trouble: str = ""  # what is in its way
    unable: str = ""  # why it could not cancel now; empty: it could


class DeadmanRules:
    """The mind."""

    def __init__(self, started_ns: int):
        self.nobody_ns = started_ns  # since when there was no heartbeat; 0: there was one
        self.sweeping_ns: dict[str, int] = {}
        self.unable_ns: dict[str, int] = {}
        self.told: set[str] = set()  # keys of stories that were begun

    def look(self, seen: Sequence[Seen], nobody: str, now_ns: int) -> Iterator[Alert]:
        """What is news; `nobody` says why there has never been a heartbeat, and is empty once there was one."""
        for one in seen:
            yield from self._sweep(one, now_ns)
            yield from self._unable(one, now_ns)
        yield from self._nobody(nobody, now_ns)

    def ended(self, unfinished: Sequence[str], now_ns: int) -> Iterator[Alert]:
        """What is to be said when the dead man is stopped in the middle of a sweep."""
        if unfinished:
            title = f"the dead man was stopped before {', '.join(unfinished)} was clear"
            text = "orders may rest there and nobody is there to cancel them: look at the venue"
            yield Alert(key="deadman_stopped", level=Level.CRITICAL, title=title, text=text, at_ns=now_ns)

    def _sweep(self, one: Seen, now_ns: int) -> Iterator[Alert]:
        gone, clear, held = (f"{what}:{one.venue}" for what in ("deadman_sweeps", "deadman_clear", "deadman_held_up"))
        if not one.sweeping:
            self.sweeping_ns.pop(one.venue, None)
            self.told.discard(clear)
            yield from self._over(held, f"the dead man is not held up at {one.venue} any more", now_ns)
            yield from self._over(gone, f"the daemon beats again: {one.venue} is left alone", now_ns)
            return
        since_ns = self.sweeping_ns.setdefault(one.venue, now_ns)
        title = f"the dead man cancels everything at {one.venue}"
        text = f"{one.sweeping}. It goes on while that is so; positions stay. Look at the daemon: obid doctor"
        yield from self._begun(gone, Level.CRITICAL, title, text, now_ns)
        if one.clear:
            yield from self._over(held, f"the dead man has swept {one.venue}", now_ns)
            seconds = (now_ns - since_ns) / NS_PER_S
            title = f"nothing rests at {one.venue} any more"
            yield from self._begun(clear, Level.WARNING, title, f"after {seconds:.1f} s; positions stay", now_ns)
        elif now_ns - since_ns >= HELD_UP_NS:
            title = f"the dead man CANNOT cancel at {one.venue}"
            text = f"{one.trouble or 'orders are shown that it has cancelled'}. Cancel them by hand, at the venue"
            yield from self._begun(held, Level.CRITICAL, title, text, now_ns)

    def _unable(self, one: Seen, now_ns: int) -> Iterator[Alert]:
        key = f"deadman_unable:{one.venue}"
        if not one.unable:
            self.unable_ns.pop(one.venue, None)
            yield from self._over(key, f"the dead man could cancel at {one.venue} again", now_ns)
        elif now_ns - self.unable_ns.setdefault(one.venue, now_ns) >= UNABLE_NS:
            text = f"{one.unable}. A daemon that requires it opens nothing: obid deadman --check"
            title = f"the dead man could not cancel at {one.venue}"
            yield from self._begun(key, Level.WARNING, title, text, now_ns)

    def _nobody(self, nobody: str, now_ns: int) -> Iterator[Alert]:
        key = "deadman_no_heartbeat"
        if not nobody:
            self.nobody_ns = 0
            yield from self._over(key, "the dead man has a daemon to watch", now_ns)
        elif self.nobody_ns and now_ns - self.nobody_ns >= NOBODY_NS:
            title = "the dead man sees no heartbeat at all"
            text = f"{nobody}. Is the daemon to run? Do both have the same --data-dir?"
            yield from self._begun(key, Level.WARNING, title, text, now_ns)

    def _begun(self, key: str, level: Level, title: str, text: str, now_ns: int) -> Iterator[Alert]:
        if key not in self.told:
            self.told.add(key)
            yield Alert(key=key, level=level, title=title, text=text, at_ns=now_ns)

    def _over(self, key: str, title: str, now_ns: int) -> Iterator[Alert]:
        if key in self.told:
            self.told.discard(key)
            yield Alert(key=key, level=Level.WARNING, title=title, over=True, at_ns=now_ns)
