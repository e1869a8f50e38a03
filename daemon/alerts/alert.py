"""An alert: one thing that a person should know, and whether it is over."""

from enum import StrEnum

from msgspec import Struct


class Level(StrEnum):
    """How much it matters: critical wakes somebody, a warning is read the same day."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for what matters least."""
        return list(Level).index(self)


class Alert(Struct, frozen=True, kw_only=True):
    """Alerts of one key are one story: said when it begins, again while it lasts, and when it is over."""

    key: str
    level: Level
    title: str
    text: str = ""
    over: bool = False
    at_ns: int
