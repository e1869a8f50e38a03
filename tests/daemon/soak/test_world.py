"""A world: daemon, venue, journal and network in one virtual loop, repeatable by its seed."""

import pytest

from daemon.soak.plan import HASTY, Drawn, WorldPlan
from daemon.soak.world import run_world

MINUTE = 1 / 60
FAULTS = tuple(
    Drawn(kind=kind, every_s=every_s)
    for kind, every_s in {"kill_in_flight": 45, "reset": 20, "timeout_after_accept": 20, "actor_crash": 15}.items()
)


def plan_of(engine, seed, **more):
    return WorldPlan(seed=seed, hours=0.8 * MINUTE, engines=(engine,), strategy=HASTY, faults=FAULTS, **more)


@pytest.mark.parametrize("engine", ["perps", "crypto"])
def test_a_world_goes_well_and_the_same_seed_is_the_same_world(tmp_path, engine):
    one, two = (run_world(plan_of(engine, 3), tmp_path / name) for name in ("one", "two"))
    assert one.ok, one.failures
    assert one.kills
    assert one.counts["fills"]
    assert one.digest == two.digest
