"""Times as people read them: nanoseconds since 1970-01-01 UTC to ISO 8601 and back."""

from datetime import UTC, datetime, timedelta

NS_PER_S = 1_000_000_000
NS_PER_US = 1_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso_of(at_ns: int) -> str:
    """The time with all its nanoseconds, in UTC; such texts sort as their times do."""
    seconds, part_ns = divmod(at_ns, NS_PER_S)
    return f"{seconds_iso(seconds)}.{part_ns:09d}Z"


def seconds_iso(seconds: int) -> str:
    """Whole seconds since 1970 as YYYY-MM-DDTHH:MM:SS."""
    return (EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")


def minute_of(at_ns: int) -> str:
    """The time to the second, for a row of a table."""
    return seconds_iso(at_ns // NS_PER_S).replace("T", " ")


def ns_of(text: str) -> int:
    """An ISO time as nanoseconds; without a zone it is UTC, because every time obid prints is. Raises ValueError."""
    head, _, tail = text.strip().partition(".")
    digits = tail[: len(tail) - len(tail.lstrip("0123456789"))]
    moment = datetime.fromisoformat(head + tail[len(digits) :])
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(seconds=1) * NS_PER_S + int(digits[:9].ljust(9, "0"))


def ago(age_ns: int) -> str:
    """A length of time in its two largest units: 3d 4h, 12m 5s, 0.25s."""
    seconds, part_ns = divmod(max(0, age_ns), NS_PER_S)
    if seconds < 60:
        return f"{seconds + part_ns / NS_PER_S:.2f}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes}m {seconds}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"
