"""The dead man's view of Alpaca."""

import asyncio
import time

import pytest
from pydantic import SecretStr

from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.login import Login
from venues.alpaca.rest import Rest
from venues.alpaca.sweep import AlpacaSweep
from venues.rest import Answer

LOGIN = Login(SecretStr("key"), SecretStr("secret"))


@pytest.mark.parametrize(("left", "waits"), [("11", False), ("10", True), ("0", True)])
async def test_the_last_requests_of_a_minute_are_the_dead_mans(left, waits):
    """The daemon had used 190 of 200, and he left the last ten to a person's browser for the rest of the minute."""
    clock = Clock(asyncio.get_running_loop(), time.time_ns())
    sweep, daemons = AlpacaSweep("http://127.0.0.1:1", LOGIN, clock), Rest("http://127.0.0.1:1", LOGIN, clock)
    reset = str(clock.now_ns() // NS_PER_S + 55)
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-reset": reset}
    for rest in (daemons, sweep._rest):
        rest.budget.told(Answer(200, b"", headers), clock.now_ns())
    assert (daemons.budget._until_ns > 0) is waits
    assert (sweep._rest.budget._until_ns > 0) is (left == "0")
    await sweep.close()
    await daemons.close()
    clock.close()
