"""Times as clients write them: a date, or RFC 3339 with any number of decimals and any offset."""

import re
from datetime import UTC, date, datetime

from supervisor.clock import NS_PER_S
from venues.emulator.alpaca.errors import Refused

SHAPE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)
DECIMALS = 9


def moment(text: str | None, name: str) -> int | None:
    """Nanoseconds since 1970; None of nothing. Raises Refused for what is no time."""
    if not text:
        return None
    text = text.replace(" ", "+") if "T" in text else text  # a plus sign in a query that nobody quoted
    try:
        if len(text) == len("2026-01-05"):
            day = date.fromisoformat(text)
            return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * NS_PER_S
        told = SHAPE.fullmatch(text)
        if told is None:
            raise ValueError(text)
        at = datetime.fromisoformat(told[1] + (told[3] or "Z"))
        decimals = (told[2] or "").ljust(DECIMALS, "0")[:DECIMALS]
        return round(at.timestamp()) * NS_PER_S + int(decimals)
    except ValueError as error:
        told_ = f"Invalid format for parameter {name}: error parsing '{text}' as RFC3339 or 2006-01-02 time"
        raise Refused(400, None, told_) from error
