"""The desk: hears what the graph says, decides what a person is told, and hands it to the sender."""

import socket
from collections.abc import Mapping
from typing import Any

from config.profile import EngineName, Profile
from config.settings import Settings
from daemon.alerts.alert import Alert, Level
from daemon.alerts.formats import body
from daemon.alerts.limiter import Limiter
from daemon.alerts.rules import Rules
from daemon.alerts.sender import Sender
from risk.session import SessionCalendar, is_open
from supervisor.clock import NS_PER_S, Clock

LOOK_NS = 5 * NS_PER_S
"""Between looks at what lasts."""
LAST_WORDS_S = 2.0
"""How long an ending run waits for its last alert to leave."""


class AlertDesk:
    """A sink of the recorder."""

    def __init__(self, settings: Settings, sender: Sender, clock: Clock, run: str):
        self.kind, self.chat_id = settings.alert_format, settings.alert_chat_id
        self.sender = sender
        self.clock = clock
        self.who = f"obid {run} on {socket.gethostname()}"
        self.rules = Rules({}, 0)
        self.limiter = Limiter(Level(settings.alert_level))
        self._kinds = frozenset(Rules.hears)
        self._looked_ns = 0

    def attach(self, profiles: Mapping[EngineName, Profile], calendar: SessionCalendar) -> None:
        """Know what is to be heard, and when."""

        def opened(engine: str, at_ns: int) -> bool:
            return is_open(profiles[engine].risk.session, at_ns, calendar)  # type: ignore[index]

        symbols: dict[str, tuple[str, ...]] = {engine: profile.symbols for engine, profile in profiles.items()}
        self.rules = Rules(symbols, self.clock.now_ns(), opened)

    def write(self, message: Any) -> None:
        """Hear a message."""
        if type(message) in self._kinds:
            for alert in self.rules.hear(message):
                self.tell(alert)

    def flush(self) -> None:
        """Called about once a second: look at what lasts."""
        now_ns = self.clock.now_ns()
        if now_ns - self._looked_ns >= LOOK_NS:
            self._looked_ns = now_ns
            for alert in self.rules.look(now_ns):
                self.tell(alert)

    def tell(self, alert: Alert) -> None:
        """Send an alert, unless it is held back."""
        passed = self.limiter.passes(alert)
        if passed is not None:
            self.sender.put(body(passed, self.kind, self.who, self.chat_id))

    async def last_words(self) -> None:
        """Give the last alerts a moment to leave."""
        for _ in range(20):
            if self.sender.idle:
                return
            await self.clock.sleep(LAST_WORDS_S / 20)
