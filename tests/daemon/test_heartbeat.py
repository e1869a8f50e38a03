"""Heartbeats: what makes one old, what does not, and who is believed to watch."""

import os
import shutil
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon import heartbeat as file_module
from daemon.heartbeat import (
    HEARTBEAT,
    LENGTH,
    Beacon,
    Beat,
    Guarded,
    Link,
    Unreadable,
    Watch,
    beacon,
    heartbeat,
    unwatched,
)
from supervisor import boot
from supervisor.clock import NS_PER_S

NOW_NS = 5_000 * NS_PER_S
BOOT = "b0"
AGE_S = 8.0


@pytest.fixture
def at(monkeypatch):
    """A machine whose time since its start is what the test says."""
    now = [NOW_NS]
    monkeypatch.setattr(file_module, "since_boot_ns", lambda: now[0])
    monkeypatch.setattr(file_module, "boot_id", lambda: BOOT)
    return now


def beat(data_dir, at_ns=NOW_NS, **more):
    links = (Link(venue="hyperliquid", account="0xA", signer="0x1", heard_ns=at_ns),)
    told = Beat(
        boot=BOOT, place=heartbeat(data_dir).place, at_ns=at_ns, pid=7, run="r", age_s=AGE_S, links=links
    )  # fmt: skip
    return replace(told, **more)


def watching(data_dir, *beats):
    watch, file = Watch(heartbeat(data_dir)), heartbeat(data_dir)
    for one in beats:
        file.write(one)
        watch.look()
    return watch


def old(watch, seconds, at=None):
    """Why it is old so many seconds after NOW."""
    watch.look()
    return watch.old("hyperliquid", NOW_NS + round(seconds * NS_PER_S))


def test_what_stopped_with_nothing_resting_stays_so_when_its_file_is_gone(tmp_path, at):
    """The data of a daemon that had ended was cleared away, and its dead man cancelled what a person had put there."""
    watch = watching(tmp_path, beat(tmp_path, stopped=True))
    (tmp_path / HEARTBEAT).unlink()
    assert old(watch, 100 * AGE_S) == ""
    (tmp_path / HEARTBEAT).write_bytes(b"?")
    assert old(watch, 100 * AGE_S) != ""


def test_a_beat_ages_and_the_next_one_is_young(tmp_path, at):
    watch = watching(tmp_path, beat(tmp_path))
    assert old(watch, 0) == old(watch, AGE_S) == ""
    assert old(watch, AGE_S + 0.1) == "the heartbeat is 8.1 s old"
    heartbeat(tmp_path).write(beat(tmp_path, NOW_NS + 8 * NS_PER_S))
    assert old(watch, AGE_S + 0.1) == ""


def test_no_step_of_the_wall_clock_makes_a_beat_young_or_old(tmp_path, monkeypatch):
    """The old way, by the time of the file or of the day, is the control: both steps fool it."""
    watch, file = Watch(heartbeat(tmp_path)), heartbeat(tmp_path)
    file.write(beat(tmp_path, boot.since_boot_ns(), boot=boot.boot_id()))
    watch.look()
    for step_s in (-86_400, 86_400):
        os.utime(tmp_path / HEARTBEAT, (time.time() + step_s,) * 2)
        naive_age_s = time.time() - (tmp_path / HEARTBEAT).stat().st_mtime
        assert (naive_age_s > AGE_S) is (step_s < 0), "a healthy daemon is swept, or a dead one is young for a day"
        monkeypatch.setattr(time, "time_ns", lambda step_s=step_s: 10**18 + step_s * NS_PER_S)
        assert watch.old("hyperliquid", boot.since_boot_ns()) == ""
    assert watch.old("hyperliquid", boot.since_boot_ns() + 9 * NS_PER_S) != ""


def test_time_goes_on_while_the_machine_sleeps():
    """Where Linux has it: monotonic time stands then, and a beat would be young in the morning."""
    if not hasattr(time, "CLOCK_BOOTTIME"):
        pytest.skip("no CLOCK_BOOTTIME here")
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    assert before <= boot.since_boot_ns() <= time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def test_what_was_written_before_the_machine_was_restarted_is_old(tmp_path, at):
    watch = watching(tmp_path, beat(tmp_path, boot="another"))
    assert old(watch, 0) == "the heartbeat is of before the machine was restarted"
    ahead = watching(tmp_path, beat(tmp_path, NOW_NS + 60 * NS_PER_S))
    assert old(ahead, 0) == "the heartbeat is of before the machine was restarted", "from a start that lasted longer"


def test_one_that_stopped_cleanly_never_ages_not_even_over_a_restart(tmp_path, at):
    watch = watching(tmp_path, beat(tmp_path, stopped=True))
    assert old(watch, 10**6) == ""
    assert watch.waiting() == "the daemon stopped, nothing rests"
    assert old(watching(tmp_path, beat(tmp_path, boot="another", stopped=True)), 0) == ""
    heartbeat(tmp_path).write(beat(tmp_path, NOW_NS))  # it was started again
    assert old(watch, AGE_S + 1) != ""


def test_where_there_never_was_a_daemon_nobodys_orders_are_touched(tmp_path, at):
    watch = watching(tmp_path)
    assert old(watch, 10**6) == ""
    assert watch.waiting() == "there is no heartbeat"


def test_a_copy_elsewhere_is_nobodys_beat_and_one_put_in_its_place_does_not_keep_it_young(tmp_path, at):
    here, copy = tmp_path / "here", tmp_path / "copy"
    here.mkdir()
    watch = watching(here, beat(here))
    shutil.copytree(here, copy)
    assert old(watching(copy), 10**6) == "", "somebody looks at a backup: it sweeps nothing"
    heartbeat(copy).write(beat(copy, NOW_NS + 9 * NS_PER_S))
    shutil.copy(copy / HEARTBEAT, here / HEARTBEAT)
    assert old(watch, AGE_S + 1.5) == "the heartbeat is 9.5 s old", "a young one of another directory is none"


@pytest.mark.parametrize("spoil", [b"", b"{}", b"\xff" * 99, b"0" * LENGTH])
def test_a_damaged_one_is_old_after_a_while_and_the_last_good_one_ages(tmp_path, at, spoil):
    watch = watching(tmp_path, beat(tmp_path))
    (tmp_path / HEARTBEAT).write_bytes(spoil)
    assert old(watch, AGE_S) == ""
    assert old(watch, AGE_S + 1) == "the heartbeat is 9.0 s old"
    fresh = watching(tmp_path)
    assert old(fresh, AGE_S) == "", "the daemon has this long to write a whole one"
    assert "damaged" in old(fresh, AGE_S + 1), "somebody was here"


def test_one_that_was_removed_ages_on(tmp_path, at):
    watch = watching(tmp_path, beat(tmp_path))
    (tmp_path / HEARTBEAT).unlink()
    assert old(watch, AGE_S + 1) == "the heartbeat is 9.0 s old"


@given(cut=st.integers(0, LENGTH - 1), flip=st.integers(1, 255))
def test_a_flipped_byte_is_never_another_beat(tmp_path_factory, cut, flip):
    folder = tmp_path_factory.mktemp("beat")
    told = beat(folder)
    heartbeat(folder).write(told)
    text = bytearray((folder / HEARTBEAT).read_bytes())
    text[cut] ^= flip
    (folder / HEARTBEAT).write_bytes(text)
    try:
        assert heartbeat(folder).read() == told  # in what pads the line
    except Unreadable:
        return


def test_a_venue_that_the_daemon_does_not_hear_is_swept_alone(tmp_path, at):
    links = tuple(Link(venue=name, account="", heard_ns=NOW_NS) for name in ("hyperliquid", "alpaca"))
    mute = (links[0], replace(links[1], heard_ns=NOW_NS - 13 * NS_PER_S))
    watch = watching(tmp_path, beat(tmp_path, links=mute))
    assert watch.old("hyperliquid", NOW_NS) == ""
    assert watch.old("alpaca", NOW_NS) == "the daemon has not heard alpaca for 13.0 s"


def test_it_is_written_in_place_so_that_a_full_disk_has_room_and_a_replaced_file_is_found(tmp_path, at):
    file = heartbeat(tmp_path)
    file.write(beat(tmp_path))
    number = (tmp_path / HEARTBEAT).stat().st_ino
    file.write(beat(tmp_path, run="s"))
    assert (tmp_path / HEARTBEAT).stat().st_ino == number
    assert (tmp_path / HEARTBEAT).stat().st_size == LENGTH
    (tmp_path / HEARTBEAT).unlink()
    file.write(beat(tmp_path, run="t"))
    found = heartbeat(tmp_path).read()
    assert found is not None
    assert found.run == "t"


def watcher(data_dir, **more):
    guarded = (Guarded(venue="hyperliquid", account="0xa", signer="0x2"),)
    told = Beacon(boot=BOOT, place=heartbeat(data_dir).place, at_ns=NOW_NS, pid=9, doing="watching", guarded=guarded)
    return replace(told, **more)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, ""),
        ({"at_ns": NOW_NS - 9 * NS_PER_S}, "the dead man is gone"),
        ({"boot": "another"}, "the dead man is gone"),
        ({"place": "elsewhere"}, "the dead man is gone"),
        ({"doing": "sweeping"}, "the dead man is sweeping"),
        ({"unable": "hyperliquid: no route"}, "could not cancel: hyperliquid: no route"),
        ({"guarded": ()}, "does not watch hyperliquid"),
        ({"guarded": (Guarded(venue="hyperliquid", account="0xb"),)}, "another account of hyperliquid"),
        ({"guarded": (Guarded(venue="hyperliquid", account="0xA", signer="0X1"),)}, "the daemon's own key"),
    ],
)
def test_who_is_believed_to_watch(tmp_path, more, why):
    told = unwatched(watcher(tmp_path, **more), beat(tmp_path), BOOT, NOW_NS)
    assert why in told
    assert bool(told) == bool(why)


def test_without_a_beacon_nobody_watches_and_its_file_goes_with_it(tmp_path):
    assert "no dead man was started" in unwatched(None, beat(tmp_path), BOOT, NOW_NS)
    file = beacon(tmp_path)
    file.write(watcher(tmp_path))
    assert beacon(tmp_path).read() == watcher(tmp_path)
    file.remove()
    assert beacon(tmp_path).read() is None
