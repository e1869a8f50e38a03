"""Actors that hang: one that awaits for ever is ill within its deadline, a mind that spins is noticed from outside."""

import asyncio
import time

import pytest

from actors.account import Account
from actors.feed import Feed
from actors.ledger import Ledger
from actors.reconciler import Reconciler
from daemon import session
from daemon.graph import LOOK_S_MAX
from supervisor import pulse
from supervisor.actor import MindReader
from supervisor.clock import NS_PER_S
from supervisor.supervisor import House
from tests.daemon.runs import eager, log_of, obid

SETTLED_S, LONG_S = 0.8, 5.0
"""After so long minds begin to spin, each once and until somebody says so, or it is too long."""

REST_S = 0.2
"""Between two of them: the loop comes round, or it would be one hang."""

AT_S = 60.0
"""Into the run, when it hangs."""


async def for_ever(*_):
    await asyncio.get_running_loop().create_future()


async def _full(self, message):
    await for_ever()


HANGS = {
    "ledger": (Ledger, "_commit"),  # a disk that never answers
    "perps.reconciler": (Reconciler, "_look_until_clear"),  # a question without its deadline
    "perps.feed": (Feed, "_watch_ages"),  # nobody says any more what is stale
    "perps.account": (Account, None),  # a message that nobody takes
}
"""Bodies that await, and what of them never comes back; the executor's waits end by themselves (ANSWER_S_MAX)."""


@pytest.mark.parametrize("name", HANGS)
def test_an_actor_that_awaits_for_ever_is_ill_within_its_deadline(name, tmp_path, monkeypatch):
    found = []
    kind, method = HANGS[name]

    class Hanging(House):
        def __init__(self, *args):
            super().__init__(*args)
            self.clock.loop.create_task(self.watch())

        async def watch(self):
            await self.clock.sleep(AT_S)
            assert self.ill() == []
            runner = self.runners[name]
            if method is None:
                runner.post.say_wait = for_ever
            elif method == "_watch_ages":
                runner.post.progress = lambda: None  # it waits for a time that never comes
            else:
                monkeypatch.setattr(kind, method, for_ever)
            while name not in self.ill():
                await self.clock.sleep(pulse.BEAT_S * pulse.LOOK_BEATS)
            found.append((self.since_s(name), runner.spec.deadline_s))

        def since_s(self, name):
            post = self.runners[name].post
            since = [at for at in (post.in_hand_ns, self.mailboxes[name].since_ns, post.progress_ns) if at]
            return (self.clock.now_ns() - min(since)) / NS_PER_S

    monkeypatch.setattr(session, "House", Hanging)
    obid(
        *("run", "--symbols", "BTC,ETH", "--bar", "1s", "--speed", "max", "--for", "2m", "--seed", "4"),
        *("--config", eager(tmp_path), "--data-dir", tmp_path / "data"),
        code=None,
    )
    ((held_s, deadline_s),) = found
    assert deadline_s < held_s <= deadline_s + 1.0


def test_a_look_that_hangs_is_noticed_though_nobody_writes_to_the_reconciler(tmp_path, monkeypatch):
    """It was, half a minute after the next tick: a minute and a half after the last look that came back."""
    found = []

    class Hanging(House):
        def __init__(self, *args):
            super().__init__(*args)
            self.clock.loop.create_task(self.watch())

        async def watch(self):
            await self.clock.sleep(AT_S)
            began = []

            async def hung(*_):
                began.append(self.clock.now_ns())
                await for_ever()

            monkeypatch.setattr(Reconciler, "_look_until_clear", hung)
            while "perps.reconciler" not in self.ill():
                await self.clock.sleep(pulse.BEAT_S * pulse.LOOK_BEATS)
            found.append((self.clock.now_ns() - began[0]) / NS_PER_S)

    monkeypatch.setattr(session, "House", Hanging)
    arguments = ("run", "--symbols", "BTC", "--speed", "max", "--for", "3m", "--data-dir", tmp_path / "data")
    obid(*arguments, code=None)
    (held_s,) = found
    assert LOOK_S_MAX < held_s <= LOOK_S_MAX + 1.0


def test_a_mind_that_spins_is_noticed_from_outside_whichever_it_is(tmp_path, monkeypatch):
    """Control: with the thread's look away nothing is told while it spins."""
    monkeypatch.setattr(pulse, "HUNG_S", 0.25)
    monkeypatch.setattr(pulse, "THREAD_S", 0.05)
    spun, told = {}, []
    real, where = MindReader.turn, pulse.where

    def seen(thread):
        told.append(where(thread))
        return told[-1]

    monkeypatch.setattr(pulse, "where", seen)

    def turn(self):
        name = self.post.name
        if len(self.post.mailbox) and name not in spun and time.monotonic() > rests[-1]:
            spun[name] = before = len(told)
            over = time.monotonic() + LONG_S
            while len(told) == before and time.monotonic() < over:
                pass
            spun[name] = len(told) - before
            rests.append(time.monotonic() + REST_S)
        return real(self)

    monkeypatch.setattr(MindReader, "turn", turn)
    rests = [time.monotonic() + SETTLED_S]
    obid("run", "--symbols", "BTC,ETH", "--bar", "1s", "--for", "3s", "--data-dir", tmp_path / "data", "--plain")
    assert {"obi_pump", "recorder"} <= spun.keys() and len(spun) >= 4
    assert set(spun.values()) == {1}, "each is told, once"
    hung = log_of(tmp_path / "data", "loop_hung")
    assert len([line for line in hung if any("test_run_hung" in frame for frame in line["where"])]) == len(spun)
