"""The whole tick path, from a frame's bytes to a gated intent: the actor graph against one inline function.

Both sides run the same frames from the same start, and must see the same books (a bit-equal sum of imbalances) and come
to the same verdicts, or there is no figure.
"""

import gc
from statistics import median

from benchmarks.frames import coins, frames, templates
from benchmarks.graph_path import Outcome, graph
from benchmarks.inline_path import inline
from benchmarks.report import Wrong, table
from benchmarks.scene import new_scene

ROUNDS = 600
GAP_MS = 10
"""A hundred books a coin and bar, as in life: there bars are of a minute, and books 0.55 s apart."""

REPEATS = 15
US_PER_S = 1e6


def measure() -> dict[str, float]:
    """CPU time per frame of both sides."""
    scene = new_scene()
    made = frames(ROUNDS, GAP_MS)
    gc.collect()
    gc.freeze()  # as the daemon does after its start
    checked = same(graph(scene, made, check=True), inline(scene, made), obi=True)
    sides = {"graph": lambda: graph(scene, made), "inline": lambda: inline(scene, made)}

    def timed(name: str) -> float:
        outcome = same(sides[name](), checked)
        return outcome.took_s / len(made) * US_PER_S

    pairs = [(timed("graph"), timed("inline")) for _ in range(REPEATS)]
    gc.unfreeze()
    us = {"graph": median(pair[0] for pair in pairs), "inline": median(pair[1] for pair in pairs)}
    ratio = median(pair[0] / pair[1] for pair in pairs)  # of neighbours: the machine is as slow for both
    title = f"Tick path, {len(made):,} frames of {len(coins())} coins from {templates()[1]}, CPU time"
    note = f"{checked.intents} intents ({checked.verdicts}), sum of obi_20 {checked.obi_20!r} on both sides"
    rows = [
        ["actor graph", us["graph"], US_PER_S / us["graph"], ratio],
        ["inline", us["inline"], US_PER_S / us["inline"], 1.0],
    ]
    table(title, [["", "us/frame", "frames/s", "ratio"], *rows])
    print(f"  {note}")
    return {
        "tick_graph_over_inline": ratio,
        "tick_graph_us": us["graph"],
        "tick_inline_us": us["inline"],
        "tick_graph_frames_per_s": US_PER_S / us["graph"],
    }


def same(one: Outcome, other: Outcome, *, obi: bool = False) -> Outcome:
    """The first, if both did the same."""
    if obi and one.obi_20 != other.obi_20:
        raise Wrong(f"the sums of obi_20 differ: {one.obi_20!r} and {other.obi_20!r}")
    if one.verdicts != other.verdicts or not one.intents:
        raise Wrong(f"the verdicts differ, or there are none: {one.verdicts} and {other.verdicts}")
    return one
