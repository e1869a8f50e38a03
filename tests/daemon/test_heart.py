"""The heart: when it beats and when not, what time it gives entries, what it makes of venues and their switches."""

import asyncio

import pytest

from actors.messages import Awoke, Watched
from daemon import heart as module
from daemon import heartbeat
from daemon.heart import Heart, Tie
from daemon.heartbeat import Beacon, Guarded
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from venues.venue import Owner, VenueUnreachable

EPOCH_NS = 1_767_571_200_000_000_000
AGE_S = 8.0


class House:
    """Actors that are well, or not; and everybody who hears."""

    def __init__(self):
        self.late, self.said = [], []

    def ill(self):
        return self.late

    def route(self, kind):
        return (self.said.append,) if kind in (Watched, Awoke) else ()


class Venue:
    """One that answers, unless it is cut; its switch is refused where `refusal` says why."""

    name = "hyperliquid"

    def __init__(self):
        self.count, self.knocks, self.cut, self.refusal = 0, 0, False, ""
        self.switched = []

    def owner(self):
        return Owner(account="0xA", signer="0x1", places=("",))

    def answers(self):
        return self.count

    async def knock(self):
        self.knocks += 1
        if self.cut:
            raise VenueUnreachable("no route")
        self.count += 1

    async def arm(self, ahead_s):
        self.switched.append(ahead_s)
        return self.refusal

    async def disarm(self):
        self.switched.append(None)
        return ""


class Log:
    """Lines."""

    def __init__(self):
        self.lines = []

    def info(self, event, **fields):
        self.lines.append((event, fields))

    warning = error = info

    def named(self, event):
        return [fields for name, fields in self.lines if name == event]


class Stage:
    """A heart in virtual time, with a dead man that the test lets shine."""

    def __init__(self, tmp_path, monkeypatch, policy="required"):
        self.data, self.policy, self.monkeypatch = tmp_path, policy, monkeypatch
        self.house, self.venue, self.log, self.warned, self.rests = House(), Venue(), Log(), [], False

    def play(self, script):
        async def main(clock):
            self.clock = clock
            for one in (module, heartbeat):
                self.monkeypatch.setattr(one, "since_boot_ns", clock.now_ns)
            self.tie = Tie(self.venue, self.venue.name, ("perps",))
            self.heart = Heart(self.data, [self.tie], self.log, "r", age_s=AGE_S, policy=self.policy)
            self.heart.warn = self.warned.append
            works = self.heart.attach(self.house, lambda engine: self.rests)
            running = [asyncio.ensure_future(work(clock)) for work in works]
            try:
                await script(self)
            finally:
                for one in running:
                    one.cancel()
                await asyncio.wait(running)

        run_virtual(main, EPOCH_NS)

    def shine(self, **more):
        now_ns, boot = self.clock.now_ns(), heartbeat.boot_id()
        file = heartbeat.beacon(self.data)
        told = {"doing": "watching", "guarded": (Guarded(venue="hyperliquid", account="0xa", signer="0x2"),), **more}
        file.write(Beacon(boot=boot, place=file.place, at_ns=now_ns, pid=9, **told))

    async def shines(self, seconds, **more):
        for _ in range(seconds):
            self.shine(**more)
            await self.clock.sleep(1.0)

    def beat(self):
        return heartbeat.heartbeat(self.data).read()

    def age_s(self):
        return (self.clock.now_ns() - self.beat().at_ns) / NS_PER_S

    def last(self):
        return [one for one in self.house.said if isinstance(one, Watched)][-1]


@pytest.fixture
def staged(tmp_path, monkeypatch):
    return lambda **options: Stage(tmp_path, monkeypatch, **options)


def test_entries_have_no_more_time_than_the_beat_gives_the_dead_man(staged):
    """The proof that a process which stood still cannot open anything when it goes on: its time is over first."""
    stage = staged()

    async def script(stage):
        await stage.shines(5)
        for told in (one for one in stage.house.said if isinstance(one, Watched) and one.until_ns):
            assert told.until_ns < told.at_ns + AGE_S * NS_PER_S, "before the dead man may sweep"
        assert stage.last().until_ns > stage.clock.now_ns()

    stage.play(script)
    assert stage.log.named("deadman_watches") == [{}]


def test_it_is_silent_while_an_actor_is_late_and_then_tells_that_it_was_away(staged):
    stage = staged()

    async def script(stage):
        await stage.shines(3)
        stage.house.late = ["perps.signal"]
        await stage.shines(12)
        assert stage.age_s() > 11
        assert stage.last() == Watched(0, "late or down: perps.signal", stage.last().at_ns)
        stage.house.late = []
        await stage.shines(2)
        assert stage.age_s() <= 1
        (awoke,) = [one for one in stage.house.said if isinstance(one, Awoke)]
        assert awoke.away_s >= 12
        assert stage.house.said.index(awoke) < stage.house.said.index(stage.last())

    stage.play(script)
    assert stage.log.named("heart_silent") == [{"why": "late or down: perps.signal"}]


def test_a_short_stall_is_no_absence(staged):
    stage = staged()

    async def script(stage):
        await stage.shines(3)
        stage.house.late = ["perps.signal"]
        await stage.shines(4)
        stage.house.late = []
        await stage.shines(3)

    stage.play(script)
    assert not [one for one in stage.house.said if isinstance(one, Awoke)]


@pytest.mark.parametrize(("more", "why"), [({"doing": "sweeping"}, "sweeping"), ({"unable": "no route"}, "no route")])
def test_nobody_watches_who_is_not_there_or_cannot(staged, more, why):
    stage = staged()

    async def script(stage):
        await stage.clock.sleep(2)
        assert "no dead man was started" in stage.last().reason
        await stage.shines(2)
        assert stage.last().until_ns
        await stage.shines(2, **more)
        assert stage.last().until_ns == 0
        assert why in stage.last().reason
        await stage.shines(2)
        await stage.clock.sleep(AGE_S + 2)
        assert "is gone" in stage.last().reason

    stage.play(script)
    assert len(stage.warned) == 3, "loudly, and once for each reason"
    assert all("nothing is opened" in text for text in stage.warned)


def test_where_none_is_required_it_beats_and_says_nothing_to_the_gate(staged):
    stage = staged(policy="optional")

    async def script(stage):
        await stage.clock.sleep(3)
        assert stage.age_s() <= 1

    stage.play(script)
    assert stage.house.said == stage.warned == []


def test_a_quiet_venue_is_knocked_at_and_one_that_is_cut_off_is_seen_in_the_beat(staged):
    stage = staged()

    async def script(stage):
        await stage.clock.sleep(30)
        assert stage.venue.knocks <= 30 / 3, "a question each three seconds"
        (link,) = stage.beat().links
        assert (link.account, link.signer, link.places) == ("0xA", "0x1", ("",))
        assert stage.clock.now_ns() - link.heard_ns < 5 * NS_PER_S
        stage.venue.cut = True
        await stage.clock.sleep(14)
        (link,) = stage.beat().links
        assert stage.clock.now_ns() - link.heard_ns > 12 * NS_PER_S
        assert stage.age_s() <= 1, "it is well, only alone"

    stage.play(script)
    assert len(stage.log.named("venue_unheard")) == 1


def test_answers_to_others_are_knocks_enough(staged):
    stage = staged()

    async def script(stage):
        for _ in range(20):
            stage.venue.count += 1
            await stage.clock.sleep(1)

    stage.play(script)
    assert stage.venue.knocks == 0


def test_the_venues_switch_is_set_while_orders_rest_and_taken_back_after(staged):
    stage = staged()

    async def script(stage):
        await stage.clock.sleep(10)
        assert stage.venue.switched == [], "nothing rests: it would go off for nothing, ten times a day"
        stage.rests = True
        await stage.clock.sleep(20)
        assert set(stage.venue.switched) == {12.0}
        assert 4 <= len(stage.venue.switched) <= 6
        stage.rests = False
        await stage.clock.sleep(10)
        assert stage.venue.switched[-1] is None
        assert stage.venue.switched.count(None) == 1
        assert stage.heart.shown().endswith("switch of hyperliquid: off")

    stage.play(script)


def test_it_is_left_to_go_off_while_the_heart_is_silent(staged):
    stage = staged()

    async def script(stage):
        stage.rests = True
        await stage.clock.sleep(6)
        stage.house.late = ["ledger"]
        await stage.clock.sleep(3)
        count = len(stage.venue.switched)
        await stage.clock.sleep(20)
        assert len(stage.venue.switched) == count

    stage.play(script)


def test_a_switch_that_is_refused_is_shown_and_asked_for_once_an_hour(staged):
    stage = staged()
    stage.venue.refusal = "Cannot set scheduled cancel time until enough volume traded. Required: $1000000."

    async def script(stage):
        stage.rests = True
        await stage.clock.sleep(1_800)
        assert len(stage.venue.switched) == 1
        assert "switch of hyperliquid: refused: Cannot set" in stage.heart.shown()
        await stage.clock.sleep(1_900)
        assert len(stage.venue.switched) == 2

    stage.play(script)
    assert len(stage.log.named("venue_switch")) == 1


def test_the_last_beat_says_that_nothing_rests_if_that_is_so(staged):
    stage = staged()

    async def script(stage):
        await stage.clock.sleep(3)
        stage.heart.stop(clean=False)
        assert not stage.beat().stopped, "it is left to age"
        stage.heart.stop(clean=True)
        assert stage.beat().stopped

    stage.play(script)


def test_a_heart_that_never_beat_stops_nobody_elses_sweep(staged):
    """A start that failed must not say for the life before it that nothing rests."""
    stage = staged()
    stage.house.late = ["ledger"]

    async def script(stage):
        await stage.clock.sleep(3)
        stage.heart.stop(clean=True)
        assert stage.beat() is None

    stage.play(script)


def test_a_disk_that_is_gone_is_silence_and_not_the_end(staged):
    stage = staged()

    async def script(stage):
        await stage.shines(2)
        stage.monkeypatch.setattr(stage.heart._file, "write", full)
        await stage.shines(3)
        assert "cannot be written: No space left" in stage.last().reason
        stage.monkeypatch.undo()

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    stage.play(script)
