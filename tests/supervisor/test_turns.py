"""Turns: minds are served in order, in an order that a seed picks, and never at the cost of everything else."""

import asyncio

import pytest

from supervisor.actor import MindBody
from supervisor.child import ChildSpec
from supervisor.clock import Clock
from supervisor.mailbox import Hears
from supervisor.messages import DeadLetter
from supervisor.supervisor import House, Supervisor
from supervisor.turns import TURNS_MAX, Turns
from supervisor.wall import run_wall
from tests.fakes import Letter, Note, child, notebook, play, say, tree


class Answering:
    """Says, to each message, what a function makes of it."""

    def __init__(self, answer):
        self.answer = answer

    def hear(self, message):
        return self.answer(message)


def mind(name: str, answer, hears: type, *says: type, **options) -> ChildSpec:
    return ChildSpec(name=name, start=lambda: MindBody(Answering(answer)), hears=(Hears(hears),), says=says, **options)


def order_of_service(shuffle: int | None) -> list[str]:
    """Who of eight minds hears a note first, second, third."""
    served = []

    def noting(name):
        return lambda _: served.append(name) or ()

    async def script(house, _):
        say(house, Note(1))
        await house.clock.sleep(1)

    play(tree(*(mind(name, noting(name), Note) for name in "abcdefgh")), script, outside=(Note,), shuffle=shuffle)
    return served


def test_who_was_told_first_is_served_first():
    assert order_of_service(None) == list("abcdefgh")


def test_a_seed_picks_another_order_which_repeats():
    orders = [order_of_service(seed) for seed in range(5)]
    assert all(sorted(order) == list("abcdefgh") for order in orders)
    assert len(set(map(tuple, orders))) == 5
    assert orders == [order_of_service(seed) for seed in range(5)]


def test_a_message_passes_many_minds_in_one_turn_of_the_loop():
    pages = []
    loop_turns = []

    async def script(house, _):
        say(house, Note(1))
        while not pages:  # it is the turns of the loop that are counted
            loop_turns.append(1)
            await asyncio.sleep(0)

    relay = mind("relay", lambda note: (Letter(note.number),), Note, Letter)
    play(tree(notebook("end", pages, Letter), relay), script, outside=(Note,))
    assert pages == [Letter(1)]
    assert len(loop_turns) == 1


def test_minds_that_never_stop_talking_do_not_stop_the_clock():
    heard = []

    async def main(clock: Clock) -> None:
        ping = mind("ping", lambda letter: (Note(letter.number + 1),), Letter, Note)
        pong = mind("pong", lambda note: heard.append(1) or (Letter(note.number),), Note, Letter)
        root = tree(ping, pong)
        house = House(root, clock)
        task = asyncio.create_task(Supervisor(root, house).run())
        await clock.sleep(0.01)
        say(house, Note(1))
        await clock.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])

    run_wall(main)
    assert len(heard) > TURNS_MAX


def test_a_long_batch_ends_the_callback():
    served = []

    class Long:
        def turn(self):
            served.append("long")
            return True

    class Short:
        def turn(self):
            served.append("short")
            return False

    class Loop:
        def call_soon(self, callback):
            self.callback = callback

    loop = Loop()
    turns = Turns(loop)
    for reader in (Short(), Long(), Short()):
        turns.add(reader)
    loop.callback()
    assert served == ["short", "long"]
    loop.callback()
    assert served == ["short", "long", "short"]


@pytest.mark.parametrize("error", [StopIteration("no more"), KeyError("x"), asyncio.CancelledError("by hand")])
def test_whatever_a_mind_raises_is_a_crash(error):
    graves, lives = [], []

    def dies_once(note):
        lives.append(note)
        if len(lives) == 1:
            raise error
        return ()

    async def script(house, _):
        say(house, Note(1), Note(2))
        await house.clock.sleep(1)
        assert lives == [Note(1), Note(2)]
        assert house.restarts["fragile"] == 1
        assert graves[0].message == "Note(number=1)"

    play(tree(notebook("log", graves, DeadLetter), mind("fragile", dies_once, Note)), script, outside=(Note,))


def test_a_crash_at_the_moment_of_a_stop_is_quiet():
    def dies(_):
        raise KeyError

    async def script(house, task):
        say(house, Note(1))
        task.cancel()
        await asyncio.wait([task])

    play(tree(mind("fragile", dies, Note)), script, outside=(Note,))


def test_a_stopped_mind_hears_no_more():
    pages = []

    async def script(house, task):
        task.cancel()
        await asyncio.wait([task])
        say(house, Note(1))
        await asyncio.sleep(0)
        assert pages == []

    play(tree(notebook("scribe", pages, Note), child("other")), script, outside=(Note,))
