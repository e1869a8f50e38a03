"""Which faults befall a soak: the default mix, none, or a file of rules.

A file is a list of rules, each with a kind of daemon/soak/kinds.py, how often it comes and how strong it is:

    [[fault]]
    kind = "kill_in_flight"
    every_s = 3600       # once in each hour, at a moment drawn from the seed
    strength = 0.5       # 0 to 1: how long, how much, how far
"""

import tomllib
from pathlib import Path
from typing import Any

from daemon.errors import BadInput
from daemon.soak.kinds import KINDS, OF_VENUE
from daemon.soak.place import VENUE_OF
from daemon.soak.plan import Drawn

FIELD = "--faults"
EVERY_S = 1_800.0
"""Each kind of the default mix comes twice an hour, so that an hour has them all."""

EVERY_S_MIN = 60.0
"""In a soak of minutes each comes about once a minute: more would be one long outage."""

STRENGTH = 0.5
SECONDS_MAX = 31_536_000.0  # a year


def mix(name: str, engines: tuple[str, ...], hours: float) -> tuple[Drawn, ...]:
    """What `--faults` means for these engines. Raises BadInput for the first thing that is wrong."""
    if name == "none":
        return ()
    if name == "default":
        every_s = min(EVERY_S, max(hours * EVERY_S, EVERY_S_MIN))
        return tuple(Drawn(kind=kind, every_s=every_s, strength=STRENGTH) for kind in KINDS if fits(kind, engines))
    try:
        table = tomllib.loads(Path(name).read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadInput(FIELD, name, f"default, none or a TOML file; it cannot be read: {error}") from error
    rules = table.get("fault")
    if table.keys() - {"fault"} or not isinstance(rules, list) or not rules:
        raise BadInput(FIELD, name, "write rules, each under its own [[fault]], and nothing else")
    return tuple(_rule(rule, f"fault {number}", engines) for number, rule in enumerate(rules, 1))


def fits(kind: str, engines: tuple[str, ...]) -> bool:
    """Whether a kind can befall a world of these engines: some are one venue's alone."""
    return kind not in OF_VENUE or bool({VENUE_OF[engine] for engine in engines} & {*OF_VENUE[kind]})


def _rule(rule: Any, where: str, engines: tuple[str, ...]) -> Drawn:
    if not isinstance(rule, dict) or rule.keys() - {"kind", "every_s", "strength"}:
        raise BadInput(f"{FIELD}: {where}", rule, "kind, every_s and strength, nothing else")
    every_s: Any
    strength: Any
    kind, every_s, strength = rule.get("kind"), rule.get("every_s"), rule.get("strength", STRENGTH)
    if kind not in KINDS:
        raise BadInput(f"{FIELD}: {where}: kind", kind, f"one of {', '.join(KINDS)}")
    if not fits(kind, engines):
        raise BadInput(
            f"{FIELD}: {where}: kind", kind, f"of {', '.join(OF_VENUE[kind])}, which none of the engines uses"
        )
    for name, value, low, high in (("every_s", every_s, 1.0, SECONDS_MAX), ("strength", strength, 0.0, 1.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise BadInput(f"{FIELD}: {where}: {name}", value, f"a number from {low:g} to {high:g}")
    return Drawn(kind=kind, every_s=every_s, strength=strength)
