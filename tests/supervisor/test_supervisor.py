"""Supervision: order, strategies, intensity, backoff, escalation, and what a crash loses and what it does not."""

import asyncio
from itertools import pairwise

import pytest
from msgspec.structs import replace

from supervisor.actor import MindBody
from supervisor.child import ChildSpec, Restart, Strategy
from supervisor.clock import NS_PER_S, Clock
from supervisor.mailbox import Hears
from supervisor.messages import ChildCrashed, ChildStarted, DeadLetter, GaveUp
from supervisor.supervisor import House, Supervisor, SupervisorGaveUp
from tests.fakes import (
    EPOCH_NS,
    Note,
    Poison,
    Poisoned,
    child,
    endure,
    notebook,
    play,
    rest,
    say,
    stubborn,
    tree,
)
from tests.machine import RealMachine

FOR_EVER = 10**6
"""Restarts that a test does not want to run out of."""


def recorded(name: str, diary: list[str], **options):
    """A child that writes down when it starts and when it is stopped."""

    async def body(post):
        diary.append(f"+{name}")
        try:
            await rest(post)
        finally:
            diary.append(f"-{name}")

    return child(name, body, **options)


def crash(house: House, name: str) -> None:
    house.inject(name, Poisoned(name))


def trio(diary: list[str], **options) -> tuple:
    return tuple(recorded(name, diary, **options) for name in "abc")


# --- order ----------------------------------------------------------------------------------------------------------


def test_children_start_in_order_and_stop_in_reverse():
    diary = []

    async def script(house, _):
        assert diary == ["+a", "+b", "+c"]
        assert [row.healthy for row in house.health()] == [True, True, True]

    play(tree(*trio(diary)), script)
    assert diary == ["+a", "+b", "+c", "-c", "-b", "-a"]


def test_a_child_starts_when_the_one_before_is_ready():
    diary = []

    async def slow(post):
        await post.clock.sleep(3)
        diary.append("a is ready")
        await rest(post)

    async def script(house, _):
        assert diary == ["a is ready", "+b"]

    play(tree(child("a", slow), recorded("b", diary)), script)


def test_a_child_that_crashes_on_its_way_up_is_answered_before_the_next_one_starts():
    diary = []

    async def third_time_lucky(post):
        diary.append("+a")
        if len(diary) < 3:
            raise Poisoned
        await rest(post)

    async def script(house, _):
        assert diary == ["+a", "+a", "+a", "+b"]
        assert house.restarts == {"a": 2, "b": 0}

    play(tree(child("a", third_time_lucky), recorded("b", diary)), script)


def test_a_restart_is_said_with_its_count():
    pages = []

    async def script(house, _):
        crash(house, "a")
        await house.clock.sleep(1)
        told = [(m.child, m.restarts) for m in pages if isinstance(m, ChildStarted)]
        assert told == [("log", 0), ("a", 0), ("a", 1)]

    play(tree(notebook("log", pages, ChildStarted), child("a")), script)


def started_late(starts):
    """A body whose second life takes two minutes to begin."""

    async def body(post):
        starts.append(post.clock.now_ns())
        if len(starts) == 2:
            await post.clock.sleep(120)
        await rest(post)

    return body


def test_nobody_waits_for_the_restart_of_another():
    """A feed may ask for its history for two minutes; an executor that crashed meanwhile was down for as long."""
    pages, starts = [], []

    def told():
        return [(m.child, m.restarts) for m in pages if isinstance(m, ChildStarted) and m.restarts]

    async def script(house, _):
        crash(house, "feed")
        await house.clock.sleep(10)
        crash(house, "executor")
        await house.clock.sleep(10)
        assert told() == [("executor", 1)]
        assert [one.name for one in house.health() if not one.alive] == []
        await house.clock.sleep(110)
        assert told() == [("executor", 1), ("feed", 1)], "said when it is up, and once"

    play(
        tree(notebook("log", pages, ChildStarted), child("feed", started_late(starts), start_s=150), child("executor")),
        script,
    )


def test_an_operator_restarts_what_is_on_its_way_up():
    pages, starts = [], []

    async def script(house, _):
        crash(house, "feed")
        await house.clock.sleep(10)
        house.restart("feed")
        await house.clock.sleep(200)
        assert len(starts) == 3
        assert [m.restarts for m in pages if isinstance(m, ChildStarted) and m.child == "feed"] == [0, 2]

    play(tree(notebook("log", pages, ChildStarted), child("feed", started_late(starts), start_s=150)), script)


# --- who is restarted -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        (Strategy.ONE_FOR_ONE, ["-b", "+b"]),
        (Strategy.REST_FOR_ONE, ["-b", "-c", "+b", "+c"]),
        (Strategy.ONE_FOR_ALL, ["-b", "-c", "-a", "+a", "+b", "+c"]),
    ],
)
def test_who_goes_with_a_child_that_crashed(strategy, expected):
    diary = []

    async def script(house, _):
        diary.clear()
        crash(house, "b")
        await house.clock.sleep(1)
        assert diary == expected
        assert sum(house.restarts.values()) == len(expected) // 2
        diary.clear()

    play(tree(*trio(diary), strategy=strategy), script)
    assert diary == ["-c", "-b", "-a"]


@pytest.mark.parametrize(
    ("restart", "crashes", "comes_back"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_who_comes_back(restart, crashes, comes_back):
    lives = []

    async def body(post):
        lives.append(1)
        post.ready()
        await post.clock.sleep(1)
        if len(lives) > 1:
            await rest(post)
        if crashes:
            raise Poisoned

    async def script(house, _):
        await house.clock.sleep(5)
        assert len(lives) == 1 + comes_back
        health = house.health()[0]
        assert health.alive is comes_back
        assert health.healthy, "over as its spec says is not ill"

    play(tree(child("a", body, restart=restart)), script)


def test_temporary_children_do_not_come_back_with_their_siblings():
    diary = []
    job = recorded("b", diary, restart=Restart.TEMPORARY)

    async def script(house, _):
        diary.clear()
        crash(house, "a")
        await house.clock.sleep(1)
        assert diary == ["-a", "-b", "+a"]

    play(tree(recorded("a", diary), job, strategy=Strategy.ONE_FOR_ALL), script)


def test_rest_for_one_goes_on_past_one_that_ends_by_itself():
    diary = []

    async def once(post):
        diary.append("once")

    async def script(house, _):
        assert diary == ["+a", "once", "+c"]
        diary.clear()
        crash(house, "a")
        await house.clock.sleep(1)
        assert diary == ["-a", "-c", "+a", "once", "+c"]

    job = child("b", once, restart=Restart.TRANSIENT)
    play(tree(recorded("a", diary), job, recorded("c", diary), strategy=Strategy.REST_FOR_ONE), script)


def test_the_operator_restarts_a_child_and_no_crash_is_counted():
    diary, pages = [], []

    async def script(house, _):
        for _ in range(5):
            house.restart("a")
            await house.clock.sleep(0.1)
        assert house.restarts["a"] == 5
        assert [m for m in pages if isinstance(m, ChildCrashed)] == []

    log = notebook("log", pages, ChildCrashed)
    play(tree(log, recorded("a", diary, restarts_max=0)), script)


# --- how often ------------------------------------------------------------------------------------------------------


def dying_every(seconds: float):
    async def body(post):
        post.ready()
        await post.clock.sleep(seconds)
        raise Poisoned

    return body


@pytest.mark.parametrize(("gap_ns", "gives_up"), [(0, True), (1, False)])
def test_the_window_is_exact(gap_ns, gives_up):
    """Three restarts in 5 s are allowed: the fourth crash is one too many until the first is older than 5 s."""

    async def script(house, task):
        start_ns = house.clock.now_ns()
        for at_ns in (0, NS_PER_S, 2 * NS_PER_S, 5 * NS_PER_S + gap_ns):
            await house.clock.sleep_until(start_ns + at_ns)
            house.inject("a", Poisoned())
        await house.clock.sleep(1)
        assert task.done() is gives_up
        if gives_up:
            told = task.exception().told
            assert (told.supervisor, told.child, told.restarts, told.within_s) == ("root", "a", 4, 5.0)

    play(tree(child("a")), script)


def test_children_have_their_own_intensity():
    async def script(house, task):
        for _ in range(3):
            for name in "abc":
                crash(house, name)
            await house.clock.sleep(1)
        assert not task.done()
        assert house.restarts == {"a": 3, "b": 3, "c": 3}

    play(tree(*trio([])), script)


def test_five_crashes_in_thirty_seconds_stop_everything():
    diary, pages = [], []

    async def script(house, task):
        for _ in range(5):
            crash(house, "b")
            await house.clock.sleep(5)
        with pytest.raises(SupervisorGaveUp, match="root gave up: b crashed 5 times in 30 s: b"):
            await task
        assert [type(m) for m in pages].count(GaveUp) == 1

    log = notebook("log", pages, GaveUp)
    play(tree(log, *trio(diary, restarts_max=4, within_s=30.0)), script)
    assert diary[-2:] == ["-c", "-a"], "the others are stopped in reverse order"


class Hopeless(Exception):
    """What no restart can help."""


def test_a_fatal_error_is_not_tried_again():
    async def script(house, task):
        house.inject("a", Hopeless("damaged"))
        with pytest.raises(SupervisorGaveUp, match="damaged") as gave_up:
            await task
        assert gave_up.value.fatal
        assert isinstance(gave_up.value.__cause__, Hopeless)
        assert house.restarts == {"a": 0}

    play(tree(child("a", restarts_max=FOR_EVER, fatal=(Hopeless,))), script)


def test_a_fatal_error_goes_to_the_top():
    diary = []

    async def script(house, task):
        house.inject("a", Hopeless("damaged"))
        with pytest.raises(SupervisorGaveUp, match="damaged"):
            await task
        assert diary == ["+b", "-b"]

    inner = tree(child("a", fatal=(Hopeless,)), recorded("b", diary), restarts_max=FOR_EVER)
    play(tree(named(inner, "inner")), script)


def named(spec, name: str):
    return replace(spec, name=name)


def test_backoff_starts_with_the_second_crash_doubles_and_is_bounded():
    """Each wait is its nominal length times a jitter in [0.5, 1.5)."""
    deaths_ns = []

    async def body(post):
        deaths_ns.append(post.clock.now_ns())
        post.ready()
        if len(deaths_ns) <= 10:
            raise Poisoned
        await rest(post)

    async def script(house, _):
        await house.clock.sleep(60)

    play(tree(child("a", body, restarts_max=FOR_EVER, within_s=3600.0)), script)
    waits_s = [(b - a) / NS_PER_S for a, b in pairwise(deaths_ns)]
    nominal_s = [0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]
    assert waits_s[0] == 0
    factors = [wait / nominal for wait, nominal in zip(waits_s[1:], nominal_s[1:], strict=True)]
    assert all(0.5 <= factor < 1.5 for factor in factors)
    assert len(set(factors)) == len(factors), "not all the same jitter"


def test_a_backoff_that_was_overtaken_does_not_restart_again():
    """While one child waits for its second restart, another's crash restarts all: the wait is over with it."""
    diary = []

    async def script(house, _):
        crash(house, "a")
        await asyncio.sleep(0.001)
        crash(house, "a")
        await asyncio.sleep(0.001)
        assert diary[-1] == "-a"
        crash(house, "b")
        await house.clock.sleep(2)
        assert house.restarts == {"a": 2, "b": 2, "c": 2}

    play(tree(*trio(diary), strategy=Strategy.ONE_FOR_ALL), script)


def test_a_thousand_crashes_do_not_overflow_the_backoff():
    async def script(house, task):
        await house.clock.sleep(1500)
        assert not task.done()
        assert house.restarts["a"] > 1200

    spec = child("a", dying_every(0.0), restarts_max=FOR_EVER, within_s=1e6)
    play(tree(spec, backoff_s=0.5, backoff_s_max=0.5), script)


# --- escalation -----------------------------------------------------------------------------------------------------


def test_a_supervisor_that_gives_up_is_its_parents_crashed_child():
    diary = []

    async def script(house, task):
        assert diary == ["+before", "+a", "+b", "+after"]
        diary.clear()
        for _ in range(2):
            crash(house, "a")
            await house.clock.sleep(0.1)
        assert diary == ["-a", "+a", "-a", "-b", "+a", "+b"]
        assert house.restarts == {"before": 0, "a": 2, "b": 1, "after": 0}
        assert not task.done()
        diary.clear()

    inner = named(tree(recorded("a", diary, restarts_max=1), recorded("b", diary), restarts_max=3), "inner")
    play(tree(recorded("before", diary), inner, recorded("after", diary)), script)
    assert diary == ["-after", "-b", "-a", "-before"]


def test_intensities_multiply_down_the_tree():
    """One restart below times one above: the fourth crash ends it all."""

    async def script(house, task):
        for crashes in range(1, 5):
            assert not task.done()
            crash(house, "a")
            await house.clock.sleep(1)
            assert task.done() is (crashes == 4)
        assert str(task.exception()).startswith("root gave up: inner crashed 2 times")

    inner = named(tree(child("a", restarts_max=1, within_s=60.0), restarts_max=1, within_s=60.0), "inner")
    play(tree(inner), script)


def test_a_child_that_ended_for_good_starts_again_with_its_supervisor():
    lives = []

    async def once(post):
        lives.append(1)
        post.ready()

    async def script(house, _):
        crash(house, "a")
        await house.clock.sleep(1)
        assert len(lives) == 2

    job = child("job", once, restart=Restart.TEMPORARY)
    play(tree(named(tree(job, child("a", restarts_max=0), restarts_max=1), "inner")), script)


# --- what a crash loses ---------------------------------------------------------------------------------------------


def test_a_crash_loses_the_message_in_hand_and_no_other():
    pages, graves = [], []

    async def script(house, _):
        say(house, Note(1), Poison(2), Note(3), Poison(4), Note(5))
        await house.clock.sleep(1)
        assert pages == [Note(1), Note(3), Note(5)]
        assert [(g.child, g.message, g.error) for g in graves if isinstance(g, DeadLetter)] == [
            ("perps.scribe", "Poison(number=2)", "Poisoned: number 2"),
            ("perps.scribe", "Poison(number=4)", "Poisoned: number 4"),
        ]
        assert "in hear" in graves[0].traceback
        crashed = [g for g in graves if isinstance(g, ChildCrashed)]
        assert [(g.child, g.engine) for g in crashed] == [("scribe", "perps")] * 2
        assert house.health()[1].mailbox.heard == 5

    scribe = notebook("scribe", pages, Note, Poison, engine="perps")
    play(tree(notebook("log", graves, DeadLetter, ChildCrashed), scribe), script, outside=(Note, Poison))


def test_the_same_message_twice_is_two_messages():
    """An unread message is known by its place, not by what it is."""
    lives = []
    poison = Poison()

    class Counter:
        def __init__(self):
            self.heard = 0
            lives.append(self)

        def hear(self, message):
            self.heard += 1
            if self.heard == 2:
                raise Poisoned
            return ()

    async def script(house, _):
        say(house, poison, poison, poison)
        await house.clock.sleep(1)
        assert [mind.heard for mind in lives] == [2, 1]

    play(tree(ChildSpec(name="a", start=lambda: MindBody(Counter()), hears=(Hears(Poison),))), script, (Poison,))


def test_a_restart_loses_the_mind_not_the_mailbox():
    pages = []

    async def script(house, _):
        for _ in range(2):  # the second wait is a backoff: what comes meanwhile is kept
            say(house, Poison())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        say(house, Note(1), Note(2))
        await house.clock.sleep(1)
        assert pages == [Note(1), Note(2)]

    play(tree(notebook("scribe", pages, Note, Poison)), script, outside=(Note, Poison))


def test_a_helpers_crash_is_the_bodys():
    async def body(post):
        post.ready()
        post.spawn(dying_every(1.0)(post))
        await rest(post)

    graves = []

    async def script(house, _):
        await house.clock.sleep(1.5)
        assert house.restarts["a"] == 1
        assert graves[0].error.startswith("Poisoned")

    play(tree(notebook("log", graves, DeadLetter), child("a", body)), script)


# --- what does not start or stop ------------------------------------------------------------------------------------


def test_a_start_that_hangs_times_out():
    graves, lives = [], []

    async def hangs_once(post):
        lives.append(post.clock.now_ns())
        if len(lives) == 1:
            await post.clock.sleep(3600)
        await rest(post)

    async def script(house, _):
        assert lives == [EPOCH_NS, EPOCH_NS + 2 * NS_PER_S]
        assert graves == [ChildCrashed("a", "", "StartTimeout: a was not ready within 2 s", EPOCH_NS + 2 * NS_PER_S)]

    play(tree(notebook("log", graves, ChildCrashed), child("a", hangs_once, start_s=2.0)), script)


def test_a_child_that_does_not_stop_is_left_behind_and_that_is_said():
    pages, posts = [], []

    async def body(post):
        posts.append(post)
        await (stubborn if len(posts) == 1 else rest)(post)

    async def script(house, _):
        house.restart("a")
        await house.clock.sleep(4.9)
        assert len(posts) == 1
        await house.clock.sleep(0.2)
        assert len(posts) == 2
        assert [m.error for m in pages] == ["StopTimeout: a did not stop within 5 s"]
        say(house, Note(1))
        assert posts[0].mailbox.take() == [], "its successor has the mailbox"
        assert posts[1].mailbox.take() == [Note(1)]
        assert posts[0].routes == {}, "and the voice"

    a = child("a", body, hears=(Hears(Note),))
    play(tree(notebook("log", pages, ChildCrashed), a), script, outside=(Note,))


def test_the_end_does_not_wait_for_a_child_that_does_not_stop():
    diary = []

    async def script(house, _):
        pass

    play(tree(recorded("a", diary), child("b", stubborn), recorded("c", diary)), script)
    assert diary == ["+a", "+c", "-c", "-a"]


def test_a_start_that_hangs_and_does_not_stop_is_answered_as_well():
    lives = []

    async def body(post):
        lives.append(post)
        await (endure if len(lives) == 1 else rest)(post)

    async def script(house, _):
        assert len(lives) == 2
        assert house.clock.now_ns() == EPOCH_NS + 3 * NS_PER_S

    play(tree(child("a", body, start_s=1.0, shutdown_s=2.0)), script)


# --- stopping at an awkward moment ----------------------------------------------------------------------------------


def test_a_stop_during_a_backoff():
    diary = []

    async def script(house, task):
        for _ in range(2):
            crash(house, "a")
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
        lives = diary.count("+a")
        await house.clock.sleep(10)
        assert diary.count("+a") == lives

    play(tree(*trio(diary)), script)


def test_a_stop_during_a_start():
    diary = []

    async def slow(post):
        diary.append("+slow")
        try:
            await post.clock.sleep(20)
        finally:
            diary.append("-slow")

    async def script(house, task):
        crash(house, "a")
        await asyncio.sleep(5)
        assert diary[-1] == "+slow"

    lives = []

    async def slow_again(post):
        lives.append(1)
        await (rest if len(lives) == 1 else slow)(post)

    play(tree(child("a", slow_again), recorded("b", diary)), script)
    assert diary[-2:] == ["-b", "-slow"]


def test_a_stop_during_a_stop_changes_nothing():
    diary = []

    async def lingering(post):
        try:
            await rest(post)
        finally:
            await asyncio.sleep(2)
            diary.append("-b")

    async def script(house, task):
        task.cancel()
        for _ in range(3):
            await asyncio.sleep(0.5)
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    play(tree(recorded("a", diary), child("b", lingering), recorded("c", diary)), script)
    assert diary == ["+a", "+c", "-c", "-b", "-a"]


# --- health ---------------------------------------------------------------------------------------------------------


def test_a_message_held_past_the_deadline_makes_its_actor_ill():
    async def hang(post):
        post.ready()
        await post.mailbox.wait()
        post.mailbox.take()
        await rest(post)

    async def script(house, _):
        say(house, Note(1))
        await house.clock.sleep(4.9)
        assert house.health()[0].healthy
        await house.clock.sleep(0.2)
        assert not house.health()[0].healthy
        assert house.health()[0].alive

    play(tree(child("a", hang, hears=(Hears(Note),))), script, outside=(Note,))


def test_an_actor_that_never_looks_into_its_mailbox_is_found():
    async def script(house, _):
        say(house, Note(1))
        assert house.health()[0].healthy
        await house.clock.sleep(5.1)
        assert not house.health()[0].healthy

    play(tree(child("a", rest, hears=(Hears(Note),))), script, outside=(Note,))


def test_nobody_is_late_for_the_time_in_which_the_machine_slept():
    """Woken with a question under way, an actor has its whole deadline again; a watchdog waits for less."""
    machine, deadline_s = RealMachine(), 0.3

    async def main(clock):
        spec = tree(child("asks", hold, hears=(Hears(Note),), deadline_s=deadline_s))
        house = House(spec, clock, seed=7, outside=(Note,))
        supervisor = Supervisor(spec, house)
        task = asyncio.create_task(supervisor.run())
        await supervisor.ready
        say(house, Note(1))
        await asyncio.sleep(0.05)
        machine.sleeps(90)
        clock.look()
        assert house.ill() == []
        await asyncio.sleep(deadline_s + 0.05)
        assert house.ill() == ["asks"]
        task.cancel()
        await asyncio.wait([task])

    async def hold(post):
        post.ready()
        await post.mailbox.wait()
        post.mailbox.take()
        post.in_hand_ns = post.clock.now_ns()
        await rest(post)

    with asyncio.Runner() as runner:
        runner.run(main(Clock(runner.get_loop(), EPOCH_NS, machine=machine)))


def test_a_slow_start_is_not_ill():
    async def slow(post):
        await post.clock.sleep(20)
        await rest(post)

    lives = []

    async def body(post):
        lives.append(1)
        await (rest if len(lives) == 1 else slow)(post)

    async def script(house, _):
        house.restart("a")
        say(house, Note(1))
        for _ in range(15):
            await house.clock.sleep(1)
            assert house.health()[0].healthy

    play(tree(child("a", body, hears=(Hears(Note),))), script, outside=(Note,))
