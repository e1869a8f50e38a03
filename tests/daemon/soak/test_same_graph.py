"""The graph is the same in every mode: only venue and clock are swapped (the scorecard's R23)."""

from dataclasses import replace

import pytest

from daemon import graph
from daemon.options import Mode, RunOptions
from daemon.run import run
from daemon.soak.plan import HASTY, WorldPlan
from daemon.soak.world import Hooks, World, run_world
from supervisor.clock import NS_PER_S
from supervisor.routing import edges

PLAN = WorldPlan(seed=1, hours=0.01, symbols=("BTC", "ETH"), strategy=HASTY, shuffle=False)


def shape(spec) -> list[tuple]:
    """What there is and who hears whom."""
    actors = [(one.key, [kind.message for kind in one.hears], one.says) for one in spec.actors()]
    return [*actors, *edges(spec.actors())]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple]]:
    """The shapes of all graphs that are built."""
    shapes, usual = [], graph.build

    def build(parts):
        spec = usual(parts)
        shapes.append(shape(spec))
        return spec

    monkeypatch.setattr(graph, "build", build)
    return shapes


def test_live_shadow_and_synthetic_have_one_graph_and_shadow_sends_nothing(tmp_path, built, monkeypatch):
    seen, usual = [], World.options
    run_world(PLAN, tmp_path / "live", Hooks(on_end=seen.append))
    monkeypatch.setattr(World, "options", lambda self: replace(usual(self), mode=Mode.SHADOW))
    run_world(PLAN, tmp_path / "shadow", Hooks(on_end=seen.append))
    synthetic = RunOptions(
        mode=Mode.SYNTHETIC,
        engines=("perps",),
        data_dir=tmp_path / "synthetic",
        for_ns=NS_PER_S,
        speed=None,
        symbols=PLAN.symbols,
        plain=True,
    )
    assert run(synthetic) == 0
    live, shadow, made = built
    assert len(live) > 40
    assert shadow == live
    assert made == live
    in_live, in_shadow = (world.places[0].truth().orders for world in seen)
    assert in_live
    assert in_shadow == ()
