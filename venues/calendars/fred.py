"""FRED of the Federal Reserve Bank of St. Louis: days on which releases come out, without times. Free, with a key.

It has no FOMC (its rows of that are daily phantoms), so it never covers a time: it adds what the table has wrong.
"""

from collections.abc import Mapping
from datetime import date, time

import msgspec
from msgspec import Struct

from config.macro import instant_ns
from venues.calendars.ask import SHOWN_MAX, Unanswered
from venues.market import Release

URL = "https://api.stlouisfed.org/fred"
DATES = "/release/dates"


class Publication(Struct, frozen=True):
    """One of FRED's releases: its number there, and the Eastern hour at which its agency publishes."""

    id: int
    time_et: time


RELEASES: Mapping[str, Publication] = {
    "CPI": Publication(10, time(8, 30)),
    "NFP": Publication(50, time(8, 30)),
    "PCE": Publication(54, time(8, 30)),
    "PPI": Publication(46, time(8, 30)),
    "GDP": Publication(53, time(8, 30)),
    "Retail Sales": Publication(9, time(8, 30)),
}
"""Numbers as two public clients use them. JOLTS and claims are the table's: their numbers were not seen in use."""


class _Row(Struct):
    release_id: int
    date: date


class _Answer(Struct):
    release_dates: list[_Row]


class _Error(Struct):
    error_code: int
    error_message: str


def query(name: str, first: date, last: date) -> dict[str, str]:
    """What to ask for one release; days without data are those to come."""
    return {
        "release_id": str(RELEASES[name].id),
        "realtime_start": first.isoformat(),
        "realtime_end": last.isoformat(),
        "include_release_dates_with_no_data": "true",
        "sort_order": "asc",
        "file_type": "json",
    }


def read_releases(name: str, body: bytes) -> tuple[Release, ...]:
    """The instants of one release. Raises Declined, Unanswered."""
    expected = RELEASES[name]
    try:
        rows = msgspec.json.decode(body, type=_Answer).release_dates
    except msgspec.MsgspecError as error:
        raise Unanswered(f"{error}: {body[:SHOWN_MAX].decode('utf-8', 'replace')}") from None
    if strange := {row.release_id for row in rows} - {expected.id}:
        raise Unanswered(f"asked for release {expected.id}, it answered {sorted(strange)}")
    return tuple(Release(instant_ns(row.date, expected.time_et), name) for row in rows)
