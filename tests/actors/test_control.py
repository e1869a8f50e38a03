"""Control: an operator's order waits for room and is not lost."""

import asyncio

from actors.control import Control
from actors.messages import Command, Order, Tune
from supervisor.child import ChildSpec
from supervisor.mailbox import Hears, Overflow
from tests.fakes import child, play, tree


class EagerDoor:
    """An operator who orders faster than anybody obeys."""

    async def serve(self, command, ready):
        ready()
        for number in range(5):
            await command(Command(Order.HALT, "", "", str(number), number))
        await asyncio.get_running_loop().create_future()


def test_commands_wait_for_a_busy_actor_and_all_arrive_in_order():
    obeyed = []

    async def slow(post):
        post.ready()
        while True:
            await post.clock.sleep(1)
            obeyed.extend(command.reason for command in post.mailbox.take())

    async def script(house, _):
        await house.clock.sleep(10)
        assert obeyed == ["0", "1", "2", "3", "4"]
        assert not any(house.restarts.values())

    ear = child("breaker", slow, hears=(Hears(Command, Overflow.BLOCK, size_max=1), Hears(Tune)))
    play(tree(ear, ChildSpec(name="control", start=lambda: Control(EagerDoor()), says=Control.says)), script)
