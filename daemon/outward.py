"""What a run tells the outside of itself, where that is wanted: figures to Prometheus, alerts to a webhook."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from config.profile import EngineName, Profile
from config.settings import Settings
from daemon import modes
from daemon.alerts.opened import desk_of
from daemon.board import Board
from daemon.logs import Log
from daemon.metrics import metrics_text
from daemon.picture import Picture
from supervisor.beside import Beside
from supervisor.clock import Clock
from supervisor.supervisor import House

if TYPE_CHECKING:
    from daemon.alerts.desk import AlertDesk
    from daemon.metrics_server import MetricsServer


class Outward:
    """Both of them; in virtual time neither, because nobody out there lives in it."""

    def __init__(self, settings: Settings, clock: Clock, run_id: str, log: Log):
        self.port = 0 if clock.virtual else settings.metrics_port
        self.clock = clock
        self.desk = (
            None if clock.virtual else desk_of(settings, clock, run_id, lambda why: log.warning("alert_lost", why=why))
        )
        self._server: MetricsServer | None = None
        self._beside = Beside(clock)

    @property
    def sinks(self) -> "Sequence[AlertDesk]":
        """What the recorder is to write to."""
        return [self.desk] if self.desk else []

    async def listen(self) -> None:
        """Open the port. Raises Failed where it is taken."""
        if self.port:
            from daemon.metrics_server import MetricsServer  # aiohttp takes a quarter of a second to load

            self._server = MetricsServer(self.clock)
            await self._server.start(self.port)
        if self.desk is not None:
            self._beside.start(self.desk.sender.run(), "alerts")

    def attach(self, house: House, board: Board, picture: Picture, profiles: Mapping[EngineName, Profile]) -> None:
        """There is something to tell now."""
        if self.desk is not None:
            self.desk.attach(profiles, modes.session_calendar())
        if self._server is not None:
            self._server.text = lambda: metrics_text(picture.snapshot(), board.counts, board.refusals)
            self._server.ill = house.ill

    async def close(self) -> None:
        """Give the last alerts a moment, and let go."""
        if self.desk is not None:
            await self.desk.last_words()
        await self._beside.stop()
        if self._server is not None:
            await self._server.close()
