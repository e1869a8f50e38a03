"""What systemd hears of a run: that it is up, that it lives, what it does, that it is stopping.

The watchdog is fed at half its interval and only while the pulse says that every actor is within its deadline; a loop
that hangs says nothing by itself. Nothing is said where nobody listens (notify).
"""

from collections.abc import Callable

from daemon.notify import ALIVE, READY, STOPPING, Notifier
from daemon.picture import Picture
from daemon.tables import dollars
from supervisor.clock import NS_PER_S, Clock
from supervisor.program import Program
from supervisor.pulse import Pulse

LOOK_S = 0.5
"""Between looks: one that finds an actor late by chance does not cost half an interval."""
STATUS_EVERY = 20
"""Looks between two lines of status: ten seconds."""


class Voice:
    """One run's."""

    def __init__(self, notifier: Notifier | None = None):
        self.notifier = notifier or Notifier()
        self.ready = False

    def attach(self, program: Program, pulse: Pulse, picture: Picture, ill: Callable[[], list[str]]) -> None:
        """Speak beside the program until it ends. Time is the machine's, whatever pace the run's clock has."""

        async def speak(clock: Clock) -> None:
            looks, fed_s = 0, 0.0
            while True:
                if not self.ready and not ill():
                    self.ready = self.notifier.say(READY)
                if program.stopping:
                    self.notifier.say(STOPPING, "STATUS=stopping: cancelling what rests")
                    return
                now_s = clock.machine.steady_ns() / NS_PER_S
                if self.ready and pulse.healthy() and now_s - fed_s >= self.notifier.watchdog_s / 2:
                    fed_s = now_s
                    self.notifier.say(ALIVE)
                if self.ready and looks % STATUS_EVERY == 0:
                    self.notifier.status(status_line(picture))
                looks += self.ready
                await clock.sleep(LOOK_S * clock.speed)

        if self.notifier.listened_to:
            program.beside(speak)


def status_line(picture: Picture) -> str:
    """What `systemctl status` shows of a run."""
    now = picture.snapshot()
    engines = (
        f"{row.engine} {row.trading}, {row.symbols_fresh}/{row.symbols} fresh, pnl {dollars(row.pnl_minor)}"
        for row in now.engines
    )
    health = "ok" if now.status.healthy else now.status.reason
    return f"{health}; {'; '.join(engines)}; {len(now.positions)} positions, {len(now.orders)} orders"
