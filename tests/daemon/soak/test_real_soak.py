"""A soak in real time passes only on what it saw: no old word counts as well, no death and no leak goes by."""

import signal
import subprocess
import sys
from contextlib import closing

import pytest

from actors.messages import InvariantBroken, OrderPlanned, RunStarted
from actors.records import written
from daemon.logs import open_log
from daemon.soak.certificate import certify
from daemon.soak.evidence import Calmed, Evidence, Sample
from daemon.soak.plan import Drawn, WorldPlan
from daemon.soak.real import RealSoak
from supervisor.journal import Journal
from supervisor.wall import run_wall
from tests.daemon.test_soak import SNAPSHOT, evidence
from tests.risk.given import BTC, request
from venues.market import Rejected

MIB = 2**20
ROW = {"trading": "active", "reconciled": True, "symbols": 1, "symbols_fresh": 1, "symbols_unlearnt": 0}
WELL = SNAPSHOT | {"broken": {}, "engines": [ROW | {"equity_minor": 1}], "positions": []}
KILLS = (Drawn(kind="kill", every_s=1800.0),)


def soak_in(folder, hours=0.0, faults=(), calm_s=1.0) -> RealSoak:
    plan = WorldPlan(seed=1, hours=hours, calm_s=calm_s, faults=faults)
    seen = Evidence(
        kind="real",
        seed=1,
        hours=hours,
        engines=("perps",),
        symbols=1,
        well_s_max=30.0,
        whole_s_max=90.0,
        faults="none",
        kinds=(),
    )
    soak = RealSoak(plan, folder, seen, None)
    soak.data.mkdir()
    return soak


def test_a_daemon_that_does_not_answer_is_not_well(tmp_path, monkeypatch):
    """It was well a minute ago; since the last fault nobody has heard of it."""
    soak = soak_in(tmp_path)
    monkeypatch.setattr(soak, "_compare", lambda: None)
    soak.snapshot = WELL
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as soak.daemon:
        run_wall(soak.live)
    assert soak.evidence.calmed == Calmed(), "nothing was seen to be well"


def compared(soak, *records):
    """The end of a soak whose journal holds these."""
    started = RunStarted(
        number=1, run_id="r", mode="live", seed=1, version="0", engines=("perps",), instruments=(BTC,), at_ns=1
    )
    with closing(Journal.open(soak.data / "journal.sqlite")) as journal:
        journal.append([written(one) for one in (started, *records)])
    soak._compare()
    return soak.evidence


def test_an_invariant_that_broke_between_two_samples_is_seen(tmp_path):
    soak = soak_in(tmp_path, faults=KILLS)
    soak.snapshot = WELL  # a minute old
    log = open_log(soak.data, "r", lambda: 1)
    log.log_message(InvariantBroken("perps", "balance", "off by 1", 1))
    log.close()
    soak._buried(1)
    assert compared(soak).told.broken == {"balance": "off by 1"}


@pytest.mark.parametrize(
    ("code", "faults"),
    [(-signal.SIGKILL, ()), (-signal.SIGKILL, KILLS), (1, ())],
    ids=["oom", "oom in a mix", "gave up"],
)
def test_a_death_that_nobody_ordered_is_a_failure(tmp_path, code, faults):
    soak = soak_in(tmp_path, faults=faults)
    soak._buried(code)
    assert soak.evidence.failures


def test_orders_are_all_that_there_were(tmp_path):
    soak, records = soak_in(tmp_path), []
    for number in range(2_100):
        order = request(BTC, 1, id=f"o{number}", intent_id=f"i{number}")
        records += [OrderPlanned("perps", order, False, 1), Rejected("perps", order.id, "BTC", "no", 1)]
    assert compared(soak, *records).orders == 2_100


def sawtooth(life_hours: float, rss_mib_per_hour: float, hours: int = 10) -> list[Sample]:
    """A sample a minute of lives that each begin with 100 MiB and leak."""
    every = round(life_hours * 60)
    return [
        Sample(
            at_s=60.0 * n,
            rss_bytes=round((100 + rss_mib_per_hour * (n % every) / 60) * MIB),
            fds=20,
            lives=1 + n // every,
        )
        for n in range(hours * 60)
    ]


def real(**more) -> Evidence:
    return evidence(kind="real", hours=10.0, **more)


def test_memory_that_begins_anew_with_each_life_does_not_hide_a_leak():
    seen = real(samples=sawtooth(life_hours=4, rss_mib_per_hour=60.0))
    assert any(reason.startswith("memory grows") for reason in certify(seen).reasons)


def test_lives_of_minutes_say_nothing_of_a_leak_and_that_is_said():
    told = certify(real(samples=sawtooth(life_hours=0.25, rss_mib_per_hour=60.0)))
    assert told.rss is None
    assert any("too short for slopes" in note for note in told.notes)
