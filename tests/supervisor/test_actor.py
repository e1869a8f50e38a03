"""Bodies: what they read, what they may say, their ticks and their helpers."""

import asyncio

import pytest
from msgspec import Struct

from supervisor.actor import MindBody, Undeclared
from supervisor.child import ChildSpec
from supervisor.clock import NS_PER_S
from supervisor.mailbox import BATCH_MAX, Hears, Overflow, latest
from supervisor.messages import DeadLetter, Tick
from tests.fakes import EPOCH_NS, Letter, Note, Order, child, notebook, play, rest, say, tree


class Echo:
    """Answers each note with a letter of the same number."""

    def hear(self, note):
        return (Letter(note.number),)


def echo(**options) -> ChildSpec:
    return ChildSpec(name="echo", start=lambda: MindBody(Echo()), hears=(Hears(Note),), **options)


def test_a_mind_hears_and_is_heard():
    pages = []

    async def script(house, _):
        say(house, *map(Note, range(2 * BATCH_MAX + 3)))
        await house.clock.sleep(1)
        assert pages == [Letter(number) for number in range(2 * BATCH_MAX + 3)]

    play(tree(notebook("ear", pages, Letter), echo(says=(Letter,))), script, outside=(Note,))


def test_between_batches_others_run():
    order = []

    async def script(house, _):
        say(house, *map(Note, range(BATCH_MAX + 1)))
        while Note(0) not in order:  # noqa: ASYNC110  # it is the turns of the loop that matter
            await asyncio.sleep(0)
        order.append("other")
        await house.clock.sleep(1)
        assert order[-2:] == ["other", Note(BATCH_MAX)]

    class Scribe:
        def hear(self, note):
            order.append(note)
            return ()

    play(tree(ChildSpec(name="scribe", start=lambda: MindBody(Scribe()), hears=(Hears(Note),))), script, (Note,))


def test_a_mind_may_say_only_what_it_declares():
    letters = []

    async def script(house, _):
        say(house, Note(1))
        await house.clock.sleep(1)
        assert "echo said Letter, which it does not declare in says" in letters[0].error

    play(tree(notebook("log", letters, DeadLetter), echo()), script, outside=(Note, Letter))


@pytest.mark.parametrize("way", ["say", "say_many", "say_wait"])
def test_a_body_may_say_only_what_it_declares(way):
    errors = []

    async def body(post):
        try:
            if way == "say":
                post.say(Letter(1))
            elif way == "say_many":
                post.say_many([Letter(1)])
            else:
                await post.say_wait(Letter(1))
        except Undeclared as error:
            errors.append(str(error))
        await rest(post)

    async def script(house, _):
        assert errors == ["mouth said Letter, which it does not declare in says"]

    play(tree(child("mouth", body)), script)


def test_many_messages_reach_all_who_hear_in_order():
    one, two = [], []

    async def body(post):
        post.say_many([Note(1), Note(2), Note(3)])
        post.say_many([])
        await rest(post)

    async def script(house, _):
        await house.clock.sleep(1)
        assert one == two == [Note(1), Note(2), Note(3)]

    play(tree(notebook("one", one, Note), notebook("two", two, Note), child("mouth", body, says=(Note,))), script)


def test_a_shared_speaker_waits_for_room_in_the_engine_it_names():
    """A command of the operator is not lost and crashes nobody because one engine is busy."""
    read = []

    async def slow(post):
        post.ready()
        while True:
            await post.clock.sleep(1)
            assert len(post.mailbox) <= 2
            read.extend(post.mailbox.take())

    async def body(post):
        post.ready()
        for number in range(6):
            await post.say_wait(Order("perps", number))
        await rest(post)

    async def script(house, _):
        await house.clock.sleep(10)
        assert [order.number for order in read] == list(range(6))

    hears = (Hears(Order, Overflow.BLOCK, 2),)
    engines = [child("slow", slow, hears=hears, engine="perps"), child("idle", hears=hears, engine="crypto")]
    play(tree(*engines, child("control", body, says=(Order,))), script)


def test_ticks_are_aligned_and_exact():
    pages = []

    async def script(house, _):
        await house.clock.sleep(45)
        assert pages == [Tick(EPOCH_NS + seconds * NS_PER_S) for seconds in (10, 20, 30, 40)]

    play(tree(_beating("clockwork", pages, 10.0)), script, outside=(Note,))


def _beating(name: str, pages: list, every_s: float, **options) -> ChildSpec:
    class Beating:
        def __init__(self):
            self.every_s = every_s

        def hear(self, message):
            pages.append(message)
            return ()

    return ChildSpec(name=name, start=lambda: MindBody(Beating()), hears=(Hears(Tick), Hears(Note)), **options)


def test_a_late_actor_hears_one_tick():
    async def body(post):
        post.spawn(post.beat(1.0))
        post.ready()
        await post.clock.sleep(5.5)
        assert post.mailbox.take() == [Tick(EPOCH_NS + NS_PER_S)]
        await rest(post)

    async def script(house, _):
        await house.clock.sleep(7)
        assert house.restarts == {"late": 0}

    play(tree(child("late", body, hears=(Hears(Tick),))), script)


def test_a_paced_actor_reads_only_on_its_tick():
    pages = []

    async def script(house, _):
        say(house, Note(1))
        await house.clock.sleep(0.9)
        assert pages == []
        await house.clock.sleep(0.2)
        assert pages == [Tick(EPOCH_NS + NS_PER_S), Note(1)]

    play(tree(_beating("view", pages, 1.0, paced=True)), script, outside=(Note,))


def test_a_beat_that_nobody_hears_is_refused():
    """`every_s` without hearing Tick: the first life says so."""

    async def body(post):
        with pytest.raises(Undeclared, match="deaf has a beat but does not hear Tick"):
            await post.beat(1.0)
        await rest(post)

    async def script(house, _):
        assert house.restarts == {"deaf": 0}

    play(tree(child("deaf", body)), script)


def test_helpers_end_with_the_body():
    ended = []

    async def helper(post):
        try:
            await rest(post)
        finally:
            ended.append(True)

    async def body(post):
        post.spawn(helper(post))
        post.ready()
        await post.clock.sleep(1)

    async def script(house, _):
        await house.clock.sleep(1.5)
        assert ended == [True]

    play(tree(child("short", body, restarts_max=9)), script)


def test_a_body_that_does_not_run_spawns_nothing():
    posts = []

    async def body(post):
        posts.append(post)
        post.ready()

    async def script(house, _):
        with pytest.raises(RuntimeError):
            posts[0].spawn(asyncio.sleep(0))  # and the coroutine is closed: no warning

    play(tree(child("gone", body, restarts_max=99)), script)


class Quote(Struct, frozen=True):
    """A message of a stream."""

    symbol: str
    number: int


class Streamer:
    """Hears a stream and dies of one message of it."""

    def hear(self, message):
        return tuple(self.hear_stream((message,)))

    def hear_stream(self, messages):
        for message in messages:
            if message.number == 3:
                raise ValueError("three")
            yield Note(message.number)


def test_a_crash_in_a_stream_loses_only_the_message_in_hand():
    heard, letters = [], []

    async def body(post):
        post.say_many([Quote(f"S{number}", number) for number in range(6)])
        await rest(post)

    async def script(house, _):
        await house.clock.sleep(1)
        assert heard == [Note(number) for number in (0, 1, 2, 4, 5)]
        assert [letter.message for letter in letters] == [repr(Quote("S3", 3))]
        assert house.mailboxes["streamer"].statistics().heard == 6

    streamer = ChildSpec(name="streamer", start=lambda: MindBody(Streamer()), hears=(latest(Quote),), says=(Note,))
    ears = (notebook("notes", heard, Note), notebook("letters", letters, DeadLetter))
    play(tree(*ears, streamer, child("mouth", body, says=(Quote,))), script)
