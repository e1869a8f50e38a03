"""All exhibits by name, and the table that says which source is shown by which of them."""

from difflib import get_close_matches

from daemon.errors import BadInput
from daemon.museum import (
    alpaca_history,
    alpaca_orders,
    alpaca_streams,
    answers,
    budgets,
    calendars,
    entries,
    equities,
    exits,
    fills,
    machine,
    outcomes,
    positions,
    rounding,
    sockets,
    threads,
    threads_alive,
    whole,
)
from daemon.museum.exhibit import Exhibit
from daemon.museum.sources import SOURCES, Source

HYPERLIQUID = (rounding, answers, outcomes, fills, positions, entries, exits, budgets, machine, whole, sockets)
"""The first wing; a new one adds its modules to WINGS and its sources to sources.py."""
ALPACA = (alpaca_orders, alpaca_streams, alpaca_history)
WINGS = {
    "hyperliquid": HYPERLIQUID,
    "alpaca": ALPACA,
    "calendars": (calendars,),
    "equities": (equities,),
    "threads": (threads, threads_alive),
}

EXHIBITS: dict[str, Exhibit] = {
    exhibit.name: exhibit for rooms in WINGS.values() for room in rooms for exhibit in room.EXHIBITS
}
NEAREST_MAX = 3


def find(name: str) -> Exhibit:
    """An exhibit by its name. Raises BadInput with the names that are nearest."""
    if (exhibit := EXHIBITS.get(name.strip().lower())) is not None:
        return exhibit
    near = get_close_matches(name.strip().lower(), EXHIBITS, NEAREST_MAX, cutoff=0.3)
    meant = f"did you mean {', '.join(near)}?" if near else "see obid scenario list"
    raise BadInput("NAME", name, f"there is no such scenario; {meant}")


def table() -> list[tuple[Source, tuple[str, ...]]]:
    """Each source, and the names of the exhibits that show it."""
    return [
        (source, tuple(name for name, exhibit in EXHIBITS.items() if source.key in exhibit.sources))
        for source in SOURCES
    ]
