"""The dead man's alarm: what its rules find news goes to the webhook, and nothing of that may hold up a sweep."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from daemon.alerts.alert import Alert
from daemon.deadman_alerts import DeadmanRules, Seen
from daemon.deadman_log import Notes
from supervisor.beside import Beside
from supervisor.clock import Clock

if TYPE_CHECKING:
    from daemon.alerts.desk import AlertDesk


class Alarm:
    """One dead man's; without a webhook it says nothing."""

    def __init__(self, desk: "AlertDesk | None", clock: Clock, notes: Notes):
        self.desk = desk
        self.clock = clock
        self.notes = notes
        self.rules = DeadmanRules(clock.now_ns())
        self._beside = Beside(clock)
        if desk is not None:
            self._beside.start(desk.sender.run(), "alerts")

    def look(self, seen: Sequence[Seen], nobody: str) -> None:
        """Tell what is news."""
        if self.desk is not None:
            self._tell(self.rules.look(seen, nobody, self.clock.now_ns()))

    def _tell(self, alerts: Iterable[Alert]) -> None:
        assert self.desk is not None, "nobody is told without one"
        try:
            for alert in alerts:
                self.desk.tell(alert)
        except Exception as error:
            # whatever broke in here, orders rest: from here on it only sweeps
            self.notes.loud("alarm_failed", error=error)
            self.desk = None

    async def end(self, unfinished: Sequence[str]) -> None:
        """Say what a stop leaves undone, give it a moment to leave, and let go."""
        if self.desk is not None:
            self._tell(self.rules.ended(unfinished, self.clock.now_ns()))
        if self.desk is not None:
            await self.desk.last_words()
        await self._beside.stop()
