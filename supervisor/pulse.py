"""Pulse: the loop's heartbeat, and a thread beside it that notices when there is none.

Twenty times a second the loop says that it lives. How late it says so is its lag: everything else that waits for the
loop waits as long. Twice a second it looks whether every actor made progress within its deadline. A loop that spins in
somebody's code says nothing at all, and nothing inside it can tell: that is what the thread is for.

`healthy()` is the one condition for whoever tells others that this program lives (a heartbeat file, systemd's
watchdog): every actor is within its deadline, by a look that is not old. It may be asked from any thread.
"""

import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

from supervisor.clock import NS_PER_MS, NS_PER_S, Clock

BEAT_S = 0.05
"""Between beats: the lag that is too much, so that none can fall between two."""

LAG_MS_MAX = 50.0
"""More is worth a line: a book waits that long for its look, and a kill switch too."""

LOOK_BEATS = 10
"""Beats between looks at the actors: half a second, so that a hang is known within a second of its deadline."""

HUNG_S = 5.0
"""A loop that does not beat for so long hangs: it is an actor's deadline, too."""

THREAD_S = 0.25
"""Between the thread's looks."""

TELL_S = 10.0
"""Between two lines about lag; what came meanwhile is counted in the next."""

MINUTE = 60
"""Seconds of lag that are remembered, a maximum of each."""

FRAMES_MAX = 8
"""Innermost frames that are said of a loop that hangs: names and lines, never values."""

Tell = Callable[[str, dict[str, Any]], None]


class Pulse:
    """Beats from `start` to `stop`; not at all in virtual time, which stands while anything works."""

    def __init__(self, clock: Clock, ill: Callable[[], Sequence[str]], tell: Tell):
        """`ill` names the actors that are late or down; `tell` takes an event and its fields, from either thread."""
        self.clock = clock
        self.ill = ill
        self.tell = tell
        self.beats = 0
        self.lag_max_ms = 0.0  # since the start
        self.why = ""  # what was wrong at the last look
        self._seconds: deque[tuple[int, float]] = deque(maxlen=MINUTE)  # the worst lag of each
        self._beat_ns = time.monotonic_ns()  # when it beat last
        self._due_ns = 0
        self._told_ns = -ceil(TELL_S * NS_PER_S)
        self._late: list[float] = []  # lags that are to be told
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop_thread = threading.get_ident()

    def start(self) -> None:
        """Begin; called from the loop."""
        if self.clock.virtual:
            return
        self._loop_thread = threading.get_ident()
        self._thread = threading.Thread(target=self._watch, name="obid-pulse", daemon=True)
        self._thread.start()
        self._arm()

    def stop(self) -> None:
        """End. The thread is waited for: it may be writing a line."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=1.0)

    def healthy(self) -> bool:
        """Whether every actor is within its deadline and the loop beats; from any thread."""
        return not self.why and not self.hung_s

    @property
    def hung_s(self) -> float:
        """For how long the loop has not beaten, if that is too long; else 0."""
        if self._thread is None or self._stopped.is_set():
            return 0.0
        seconds = (time.monotonic_ns() - self._beat_ns) / NS_PER_S
        return seconds if seconds > HUNG_S else 0.0

    @property
    def lag_ms(self) -> float:
        """The worst lag of the last minute."""
        since = time.monotonic_ns() // NS_PER_S - MINUTE
        return max((lag_ms for second, lag_ms in self._seconds if second >= since), default=0.0)

    # --- in the loop --------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        self._due_ns = time.monotonic_ns() + round(BEAT_S * NS_PER_S)
        self.clock.loop.call_later(BEAT_S, self._beat)

    def _beat(self) -> None:
        if self._stopped.is_set():
            return
        now_ns = self._beat_ns = time.monotonic_ns()
        self._note((now_ns - self._due_ns) / NS_PER_MS, now_ns)
        self.clock.look()
        self.beats += 1
        if self.beats % LOOK_BEATS == 0:
            self._look()
        self._arm()

    def _note(self, lag_ms: float, now_ns: int) -> None:
        second = now_ns // NS_PER_S
        self.lag_max_ms = max(self.lag_max_ms, lag_ms)
        if self._seconds and self._seconds[-1][0] == second:
            self._seconds[-1] = (second, max(lag_ms, self._seconds[-1][1]))
        else:
            self._seconds.append((second, max(lag_ms, 0.0)))
        if lag_ms > LAG_MS_MAX:
            self._late.append(lag_ms)
        if self._late and now_ns - self._told_ns >= TELL_S * NS_PER_S:
            late, self._late, self._told_ns = self._late, [], now_ns
            self.tell("loop_lagged", {"worst_ms": round(max(late), 1), "times": len(late)})

    def _look(self) -> None:
        ill = self.ill()
        why = f"late or down: {', '.join(ill)}" if ill else ""
        if bool(why) != bool(self.why):
            self.tell("health_changed", {"healthy": not why, "why": why})
        self.why = why

    # --- beside it ----------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        told = False
        while True:
            before_ns = time.monotonic_ns()
            if self._stopped.wait(THREAD_S):
                return
            if time.monotonic_ns() - before_ns > HUNG_S * NS_PER_S:
                continue  # the whole program stood, this thread too: the loop is given its turn first
            hung_s = self.hung_s
            if hung_s and not told:
                self.tell("loop_hung", {"seconds": round(hung_s, 1), "where": where(self._loop_thread)})
            told = bool(hung_s)


def where(thread: int) -> list[str]:
    """The innermost frames of a thread, outermost first: file, line and function, no values."""
    frame = sys._current_frames().get(thread)
    frames = traceback.extract_stack(frame)[-FRAMES_MAX:] if frame is not None else []
    return [f"{one.filename}:{one.lineno} {one.name}" for one in frames]
