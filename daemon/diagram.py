"""Diagram: the graph as Mermaid, drawn from the same table that routes its messages."""

from pathlib import Path
from typing import cast

from config.load import load_profile
from config.macro import load_macro_calendar
from config.profile import EngineName
from daemon import modes
from daemon.graph import EngineParts, Parts, build
from daemon.operate import WaitingDoor
from supervisor.routing import edges
from venues.venue import Capabilities, Venue

EXAMPLE: EngineName = "perps"
"""Every engine has the same graph; one is enough to draw it."""

HIDDEN = "recorder"
"""Hears everything, so its arrows would hide the rest."""


class NoVenue:
    """Stands where a venue would be: the diagram asks it nothing."""

    name = "venue"
    capabilities = Capabilities(replace=True, expires=True, simulated=True)


def mermaid() -> str:
    """An arrow for each pair of actors, labelled with what goes along it."""
    actors = [spec for spec in build(example_parts()).actors() if spec.name != HIDDEN]
    arrows: dict[tuple[str, str], list[str]] = {}
    for speaker, message, hearer in edges(actors):
        arrows.setdefault((speaker, hearer), []).append(message)
    lines = ["graph LR", *(f"  {spec.key}" for spec in actors)]
    lines += [f"  {one} -->|{', '.join(messages)}| {other}" for (one, other), messages in arrows.items()]
    return "\n".join(lines)


def example_parts() -> Parts:
    """What a graph of one engine is built of."""
    profile = load_profile(EXAMPLE)
    venue = cast(Venue, NoVenue())
    part = EngineParts(profile=profile, instruments=modes.universe(profile), venue=venue, streams={})
    return Parts(
        engines={EXAMPLE: part},
        journal=Path(),
        run_id="",
        looked_ns=0,
        deposits=(),
        sinks=(),
        door=WaitingDoor(),
        calendar=modes.session_calendar(),
        macro=load_macro_calendar(),
    )
