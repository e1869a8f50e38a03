"""`obid soak`: slopes, verdicts, the certificate, and the command on worlds of a minute."""

import gc
import json
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.errors import BadInput
from daemon.soak import certificate, real, usage
from daemon.soak.certificate import certify
from daemon.soak.certificate_plot import plot
from daemon.soak.certificate_text import markdown, verdict
from daemon.soak.evidence import Calmed, Evidence, Sample, Told, Water
from daemon.soak.kinds import KINDS, OF_VENUE, rule_of, toml_of
from daemon.soak.life import DaemonLife
from daemon.soak.mix import mix
from daemon.soak.plan import Drawn, WorldPlan
from daemon.soak.slopes import slope_of
from daemon.soak.world import Hooks, run_world
from risk.invariants import Invariant
from risk.ledger import books
from tests.daemon.runs import obid
from venues.emulator import faults

MIB = 2**20
HOURS = 6


def samples(rss_mib_per_hour=0.2, fds_per_hour=0.0, tasks_per_hour=0.0):
    """One each ten minutes; the first hour climbs steeply, as caches fill."""
    return [
        Sample(
            at_s=600.0 * number,
            rss_bytes=round((100 + min(number, 6) * 5 + rss_mib_per_hour * number / 6) * MIB),
            fds=round(20 + fds_per_hour * number / 6 + number % 2),
            tasks=round(60 + tasks_per_hour * number / 6 - number % 2),
            equity_minor=None if number % 5 == 0 else 10_000_000_000 + number,
        )
        for number in range(HOURS * 6 + 1)
    ]


def evidence(**more):
    """A soak that passed."""
    told = Told(
        books=500,
        checked=Counter(dict.fromkeys(Invariant, 7)),
        waters={"ledger": Water(high=7, size_max=64), "gate": Water(high=9, size_max=64)},
        restarts=Counter({"perps.gate": 2}),
    )
    seen = {
        "kind": "virtual",
        "seed": 1,
        "hours": float(HOURS),
        "engines": ("perps",),
        "symbols": 28,
        "well_s_max": 30.0,
        "whole_s_max": 90.0,
        "faults": "default",
        "kinds": ("kill", "mute"),
        "samples": samples(),
        "told": told,
        "fired": Counter({"kill": 3, "mute": 4}),
        "lives": 4,
        "kills": 3,
        "exits": Counter({"killed": 3, "code 0": 1}),
        "sockets": 15,
        "sockets_at_once": 3,
        "orders": 40,
        "fills": 20,
        "calmed": Calmed(3.5, 40.0, "quoting"),
        "digest": "sha256:00",
        "wall_s": 60.0,
    }
    return Evidence(**(seen | more))


def told_with(**more):
    return replace(evidence().told, **more)


# --- slopes


@given(st.floats(-50, 50), st.floats(-1e3, 1e3), st.integers(3, 40))
def test_a_line_has_its_own_slope(per_hour, start, hours):
    line = [Sample(at_s=1800.0 * half, fds=0, positions=0) for half in range(2 * hours)]
    slope = slope_of(line, lambda one: start + per_hour * one.at_s / 3600)
    assert slope.per_hour == pytest.approx(per_hour, abs=1e-9)
    assert (slope.hours, slope.samples) == (hours - 1.5, 2 * hours - 2)


def test_the_first_hour_and_what_was_not_told_are_left_out():
    seen = samples(rss_mib_per_hour=0.2)
    assert slope_of(seen, certificate.rss_mib).per_hour == pytest.approx(0.2, abs=1e-6)
    assert slope_of(seen, certificate.rss_mib, after_s=0).per_hour > 1
    assert slope_of(seen[:7], certificate.rss_mib) is None  # a single one is no line
    assert slope_of(seen, lambda one: None) is None


# --- the verdict


def test_a_good_soak_passes():
    told = certify(evidence())
    assert (told.passed, told.reasons) == (True, ())
    assert told.reconnects == 3
    assert verdict(told) == "PASS: 6 h, 500 books, 7 faults, nothing lost"


WRONG = {
    "memory grows by 1.50 MiB an hour": {"samples": samples(rss_mib_per_hour=1.5)},
    "open files grew by": {"samples": samples(fds_per_hour=2)},
    "tasks grew by": {"samples": samples(tasks_per_hour=4)},
    "faults that never fired: mute": {"fired": Counter({"kill": 3})},
    "invariant order_move: o1": {"told": told_with(broken={"order_move": "o1 went from filled to sent"})},
    "invariants that were never looked at: trial_balance": {
        "told": told_with(checked=Counter({one: 1 for one in Invariant if one is not Invariant.TRIAL_BALANCE}))
    },
    "mailbox ledger had 65 waiting, 64": {"told": told_with(waters={"ledger": Water(high=65, size_max=64)})},
    "orphan: x": {"failures": ["orphan: x rests at hyperliquid"]},
    "never seen to be well": {"calmed": Calmed()},
    "with every symbol traded": {"calmed": Calmed(3.5)},
    "all was well 31 s after": {"calmed": Calmed(31.0, 31.0)},
    "all histories were there 91 s after": {"calmed": Calmed(3.5, 91.0)},
    "no book": {"told": told_with(books=0)},
    "nothing was filled": {"fills": 0},
}


@pytest.mark.parametrize(("reason", "wrong"), WRONG.items(), ids=WRONG.keys())
def test_each_wrong_fails_it_by_its_own_reason(reason, wrong):
    told = certify(evidence(**wrong))
    assert not told.passed
    assert len(told.reasons) == 1
    assert reason in told.reasons[0]
    assert verdict(told).startswith(f"FAIL: {told.reasons[0]}")


def test_a_short_soak_says_what_it_does_not_judge():
    told = certify(evidence(hours=0.5, samples=samples(rss_mib_per_hour=9)[:4], fired=Counter(), fills=0))
    assert told.passed
    assert [note.split(":")[0] for note in told.notes[:2]] == [
        "too short for slopes",
        "too short to ask that each kind of fault fired",
    ]


# --- what is written


def test_markdown_and_picture(tmp_path):
    told = certify(evidence(failures=["a | b"]))
    text = markdown(told)
    assert text.startswith("# Soak certificate: FAIL\n")
    for part in (
        "- a | b",
        "| kill | 3 |",
        "| gate | 9 | 64 |",
        "| order_move | 7 |",
        "+0.200 MiB an hour",
        "3.5 s, quoting",
    ):
        assert part in text
    plot(told, tmp_path / "one.png")
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


def test_a_soak_without_samples_can_be_drawn(tmp_path):
    told = certify(evidence(samples=[], hours=0.1))
    plot(told, tmp_path / "none.png")
    assert "not measured" in markdown(told)


# --- the seam


def test_usage_is_of_this_process_another_or_nobody(tmp_path):
    mine = usage.usage_of()
    assert mine.rss_bytes > 10 * MIB
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "statm").write_text("9 3 1 1 0 1 0\n")
    for number in range(4):
        (tmp_path / "7" / "fd" / str(number)).touch()
    assert usage.usage_of(7, tmp_path) == usage.Usage(3 * os.sysconf("SC_PAGE_SIZE"), 4)
    assert usage.usage_of(8, tmp_path) == usage.Usage(None, None)
    elsewhere = usage.usage_of("self", tmp_path)
    assert elsewhere.rss_bytes > 10 * MIB  # the highest, where nobody tells the present
    assert elsewhere.fds is None


# --- faults


def test_the_default_mix_has_every_kind_that_fits():
    both = {one.kind for one in mix("default", ("perps", "crypto"), 24)}
    assert both == set(KINDS)
    assert "gateway_504" not in {one.kind for one in mix("default", ("perps",), 24)}
    assert "idle_close" not in {one.kind for one in mix("default", ("equities",), 24)}
    assert {one.every_s for one in mix("default", ("perps",), 24)} == {1800}
    assert {one.every_s for one in mix("default", ("perps",), 0.1)} == {180}
    assert {one.every_s for one in mix("default", ("perps",), 0.01)} == {60}
    assert mix("none", ("perps",), 24) == ()


def test_a_file_of_rules_is_read(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[[fault]]\nkind = "kill"\nevery_s = 60\n[[fault]]\nkind = "slow"\nevery_s = 9.5\nstrength = 1\n')
    assert [(one.kind, one.every_s, one.strength) for one in mix(str(path), ("perps",), 1)] == [
        ("kill", 60, 0.5),
        ("slow", 9.5, 1),
    ]


BAD = {
    "seed = 1": "write rules",
    "": "write rules",
    "[[fault]": "cannot be read",
    '[[fault]]\nkind = "kil"\nevery_s = 60': "kind",
    '[[fault]]\nkind = "gateway_504"\nevery_s = 60': "alpaca, which none of the engines uses",
    '[[fault]]\nkind = "kill"\nevery_s = 0': "every_s",
    '[[fault]]\nkind = "kill"': "every_s",
    '[[fault]]\nkind = "kill"\nevery_s = 60\nstrength = 2': "strength",
    '[[fault]]\nkind = "kill"\nevery_s = 60\nfor_s = 2': "nothing else",
}


@pytest.mark.parametrize(("text", "said"), BAD.items())
def test_a_wrong_file_is_refused(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(BadInput, match=said):
        mix(str(path), ("perps",), 1)
    with pytest.raises(BadInput, match="cannot be read"):
        mix(str(tmp_path / "none.toml"), ("perps",), 1)


# --- the command


def soak(folder: Path, *more: object, code: int = 0):
    told = obid("soak", "--hours", 0.04, "--symbols", "BTC,ETH", "--out", folder / "out", "--json", *more, code=code)
    return json.loads(told.stdout.rpartition("digest ")[0])


def test_a_soak_ends_with_a_certificate_and_repeats(tmp_path):
    one = soak(tmp_path / "1", "--data-dir", tmp_path / "1" / "state")
    two = soak(tmp_path / "2")
    assert one["passed"], one["reasons"]
    assert one["digest"] == two["digest"]
    assert one["faults_fired"] == two["faults_fired"]
    assert sum(one["faults_fired"].values()) > 10
    assert one["books"] > 100
    assert one["invariants"]["trial_balance"] >= 1
    assert (tmp_path / "1" / "state" / "data" / "journal.sqlite").exists()
    written = {path.name for path in (tmp_path / "1" / "out").iterdir()}
    assert written == {"certificate.md", "certificate.json", "certificate.png"}
    assert json.loads((tmp_path / "1" / "out" / "certificate.json").read_text())["digest"] == one["digest"]


def test_a_bug_fails_it(tmp_path, monkeypatch):
    usual = books.Books._apply

    def forgets(self, transfer):
        usual(self, transfer)
        self.balances[transfer.credit].credits -= transfer.amount

    monkeypatch.setattr(books.Books, "_apply", forgets)
    told = soak(tmp_path, "--faults", "none", code=1)
    assert any("invariant" in reason for reason in told["reasons"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--hours", "0"), "--hours"),
        (("--faults", "nowhere.toml"), "nowhere.toml"),
        (("--symbols", "NONE"), "NONE"),
        (("--engine", "bonds"), "bonds"),
        (("--data-dir", "."), "empty directory"),
    ],
)
def test_wrong_options_are_exit_2_in_a_line(tmp_path, options, said):
    (line,) = obid("soak", "--out", tmp_path, *options, code=2).stderr.splitlines()
    assert said in line


# --- in real time -----------------------------------------------------------------------------------------------------


def test_venues_faults_are_told_to_an_emulator_as_it_reads_them(tmp_path):
    path = tmp_path / "rules.toml"
    drawn = [one for one in mix("default", ("perps", "crypto"), 24) if one.kind in OF_VENUE]
    path.write_text("\n".join(map(toml_of, drawn)))
    rules, _ = faults.read(str(path), foreign=frozenset())
    assert list(rules) == [rule_of(one) for one in drawn]


SNAPSHOT = {
    "status": {"books": 7},
    "checked": {"sequence": 3},
    "broken": {"sequence": "9, 8 is due"},
    "actors": [
        {"name": "ledger", "restarts": 2, "high_water": 5, "size_max": 64},
        {"name": "gate", "restarts": 0, "high_water": 1, "size_max": 64},
    ],
}


def test_what_a_life_told_over_its_socket_is_added_up():
    told = real.told_by(SNAPSHOT)
    told.add(real.told_by(SNAPSHOT))
    told.add(real.told_by({}))
    assert (told.books, told.checked["sequence"], told.restarts) == (14, 6, {"ledger": 4})
    assert told.broken == {"sequence": "9, 8 is due"}
    assert told.waters["ledger"] == Water(high=5, size_max=64)


def test_a_soak_in_real_time_ends_with_a_certificate(tmp_path):
    told = soak(tmp_path, "--real", "--hours", 0.001, "--faults", "none", "--data-dir", tmp_path / "state")
    assert told["passed"], told["reasons"]
    assert told["kind"] == "real"
    assert told["books"]
    assert told["exits"] == {"code 0": 1}
    assert told["samples"][-1]["rss_bytes"] > 10 * MIB
    assert told["invariants"]


# --- a soak that leaks by itself could find no leak -------------------------------------------------------------------


def test_what_a_dead_life_leaves_is_let_go(tmp_path):
    left = []

    def count(world):
        gc.unfreeze()
        gc.collect()
        left.append(sum(isinstance(one, DaemonLife) for one in gc.get_objects()))

    plan = WorldPlan(
        seed=1, hours=0.03, calm_s=40.0, symbols=("BTC",), faults=(Drawn(kind="kill", every_s=30.0),), shuffle=False
    )
    ended = run_world(plan, tmp_path / "world", Hooks(on_end=count))
    assert ended.kills >= 3
    assert left == [1]  # the last, which the world still has
