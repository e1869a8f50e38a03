"""An endpoint that says 406 for long: it is left alone for a while, and never so long that we stay deaf behind it."""

import itertools

import pytest

from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from tests.venues.alpaca.fake_market import Told
from venues.alpaca import data_stream
from venues.alpaca.conversation import Outcome, Verdict
from venues.alpaca.data_stream import Ear, Spec, Stream
from venues.alpaca.login import Login

LIMITED_S = (5, 60, 600, 3_600)
"""How long the venue counts a connection that is gone."""
DEAF_S_MAX = 25.0
"""So soon behind the last reason for it there is another try; docs/reliability.md, "Simulated"."""
ALONE_S_MIN = 10.0
"""Between tries: asked more often, the venue never forgets the connection that broke."""


class Let(Exception):
    """The venue lets us in again; the test is over."""


def tries_of(limited_s, seed, monkeypatch):
    """Seconds at which a stream tried, at a venue that is crowded for so long; the last one is let in."""
    tries = []

    async def live(clock):
        start_ns = clock.now_ns()

        async def connection(self):
            at_s = (clock.now_ns() - start_ns) / NS_PER_S
            tries.append(at_s)
            if at_s >= limited_s:
                raise Let
            return Verdict(Outcome.CROWDED, "406 connection limit exceeded")

        monkeypatch.setattr(Stream, "_connection", connection)
        spec = Spec(name="crypto", url="ws://127.0.0.1:9", login=Login(Told("key"), Told("secret")))
        with pytest.raises(Let):
            await Stream(spec, clock, Ear(), seed).keep()

    run_virtual(live, 0)
    return tries


@pytest.mark.parametrize("limited_s", LIMITED_S)
@pytest.mark.parametrize("seed", range(5))
def test_it_is_heard_again_within_half_a_minute_of_the_limits_end(limited_s, seed, monkeypatch):
    tries = tries_of(limited_s, seed, monkeypatch)
    assert tries[-1] - limited_s <= DEAF_S_MAX
    pauses = [later - sooner for sooner, later in itertools.pairwise(tries)]
    assert min(pauses) >= ALONE_S_MIN and max(pauses) <= DEAF_S_MAX


def test_control_five_minutes_as_it_was_leave_it_deaf(monkeypatch):
    monkeypatch.setattr(data_stream, "CROWDED_LAST_S", 300.0)
    assert max(tries_of(600, seed, monkeypatch)[-1] - 600 for seed in range(5)) > DEAF_S_MAX
