"""When US stocks trade: hours, holidays and half days as data. The rules that use them are risk's."""

import tomllib
from datetime import date, time
from functools import cache
from pathlib import Path

from msgspec import Struct, convert

FOLDER = Path(__file__).parent / "sessions"


class Sessions(Struct, frozen=True, kw_only=True):
    """A market's calendar in its own zone. Nothing is known outside of first and last, both included."""

    zone: str
    open: time
    close: time
    close_early: time  # of a half day
    first: date
    last: date
    holidays: tuple[date, ...]
    half_days: tuple[date, ...]


@cache
def load_sessions(market: str = "us_equities") -> Sessions:
    """The calendar of a market."""
    with (FOLDER / f"{market}.toml").open("rb") as file:
        return convert(tomllib.load(file), Sessions)
