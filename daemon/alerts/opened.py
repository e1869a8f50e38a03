"""The desk that a configuration asks for; nothing of it is loaded where nobody is to be told."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from config.settings import Settings
from supervisor.clock import Clock

if TYPE_CHECKING:
    from daemon.alerts.desk import AlertDesk


def desk_of(settings: Settings, clock: Clock, run_id: str, lost: Callable[[str], None]) -> "AlertDesk | None":
    """What sends alerts, if there is a webhook; `lost` is told of those that nobody took."""
    if settings.alert_url is None:
        return None
    from daemon.alerts.desk import AlertDesk
    from daemon.alerts.sender import Sender

    return AlertDesk(settings, Sender(clock, settings.alert_url, lost), clock, run_id)
