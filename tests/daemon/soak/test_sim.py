"""`make sim` in short: some seeds, the same digest in another process, a wrong design found out, a world made small."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from daemon.soak.kinds import KINDS, OF_VENUE
from daemon.soak.plan import HASTY, Drawn, WorldPlan
from daemon.soak.swarm import plan_of
from daemon.soak.world import WorldEnded
from tests.soak import sim

ROOT = Path(__file__).resolve().parents[3]
SHORT_HOURS = 0.012
DIGEST = """
import sys
from tests.soak import sim
from daemon.soak.swarm import plan_of
print(sim.live(plan_of(int(sys.argv[1]), float(sys.argv[2]))).digest)
"""


def digest_of(seed, hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", DIGEST, str(seed), str(SHORT_HOURS)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("seed", [16])
def test_a_seed_goes_well(seed):
    ended = sim.live(plan_of(seed, SHORT_HOURS))
    assert ended.ok, (ended.failures, sim.command_of(ended.plan))
    assert ended.calmed.well_s is not None and ended.calmed.well_s <= 30


def test_a_seed_is_the_same_world_in_every_process():
    assert digest_of(4, "1") == digest_of(4, "2")


def test_seeds_draw_worlds_of_their_own_and_together_they_draw_every_kind():
    plans = [plan_of(seed) for seed in range(1, 51)]
    assert plans == [plan_of(seed) for seed in range(1, 51)]
    assert len({plan.faults for plan in plans}) == len(plans)
    assert {one.kind for plan in plans for one in plan.faults} == {*KINDS}
    assert {engine for plan in plans for engine in plan.engines} == {"perps", "crypto", "equities"}
    assert {*OF_VENUE} <= {*KINDS}


def test_a_wrong_design_is_found_out():
    """A child process, so that the wrong design ends with it."""
    asked = ["-m", "tests.soak.sim", "--seed", "11", "--hours", "0.05", "--control", "resent"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout[-2000:]
    assert "orphan" in done.stdout


def test_a_failing_world_is_made_smaller(monkeypatch, capsys):
    faults = tuple(Drawn(kind=kind, every_s=20) for kind in ("reset", "kill", "mute"))
    plan = WorldPlan(seed=1, hours=0.1, engines=("crypto",), strategy=HASTY, faults=faults)

    def live(smaller, keep=None):
        fails = any(one.kind == "kill" for one in smaller.faults) and smaller.hours > 0.03
        return WorldEnded(plan=smaller, failures=["it fails"] if fails else [])

    monkeypatch.setattr(sim, "live", live)
    least = sim.shrunk(plan)
    assert [one.kind for one in least.faults] == ["kill"]
    assert least.hours == 0.036
    assert replace(least, faults=faults, hours=0.1) == plan
