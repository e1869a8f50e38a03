"""A machine of hypothesis: the real ledger, executor and reconciler at a model venue that tells as badly as it can.

`make reconcile` runs the same world for millions of steps; here are a few hundred, shrunk when they fail, and the proof
that reconcilers which are known to be wrong are found out.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from config.profile import ReconcileLimits
from supervisor.clock import NS_PER_S
from tests.soak.reconcile import CONTROLS, RIGHT, told
from tests.soak.reconcile_venue import FATES, TELLINGS
from tests.soak.reconcile_world import World

SYMBOLS = st.sampled_from(["BTC", "SOL"])
SIZES = st.sampled_from([1, -1, 3, -3, 10, -10, 25, -25])
WHICH = st.integers(0, 5)
WAITS_S = st.sampled_from([0.0, 0.1, 0.5, 2.0, 5.0, 31.0])
LENGTH = 60


class Account(RuleBasedStateMachine):
    """What may befall one account."""

    @initialize(by_hand=st.sampled_from(["adopt", "quarantine"]))
    def begin(self, by_hand):
        self.world = World(ReconcileLimits(by_hand=by_hand))

    @rule(symbol=SYMBOLS, lots=SIZES, tif=st.sampled_from(["gtc", "ioc"]), fate=st.sampled_from(FATES), wait_s=WAITS_S)
    def place(self, symbol, lots, tif, fate, wait_s):
        self.world.place(symbol, lots, tif, fate)
        self.world.wait(wait_s)

    @rule(which=WHICH, lots=st.sampled_from([1, 4, 25]), telling=st.sampled_from(TELLINGS), wait_s=WAITS_S)
    def trade(self, which, lots, telling, wait_s):
        self.world.trade(which, lots, telling)
        self.world.wait(wait_s)

    @rule(which=WHICH, more=st.sampled_from([0, 3]), fate=st.sampled_from(FATES), wait_s=WAITS_S)
    def move(self, which, more, fate, wait_s):
        self.world.move(which, more, fate)
        self.world.wait(wait_s)

    @rule(which=WHICH, fate=st.sampled_from(FATES), wait_s=WAITS_S)
    def cancel(self, which, fate, wait_s):
        self.world.cancel(which, fate)
        self.world.wait(wait_s)

    @rule(symbol=SYMBOLS, lots=SIZES, telling=st.sampled_from(TELLINGS), wait_s=WAITS_S)
    def trade_by_hand(self, symbol, lots, telling, wait_s):
        self.world.hand(symbol, lots, telling)
        self.world.wait(wait_s)

    @rule(symbol=SYMBOLS, lots=SIZES)
    def place_by_hand(self, symbol, lots):
        self.world.venue.by_hand("hand", symbol, lots)

    @rule(symbol=SYMBOLS, lots=SIZES, wait_s=WAITS_S)
    def transfer(self, symbol, lots, wait_s):
        self.world.venue.gift(symbol, lots)
        self.world.wait(wait_s)

    @rule(
        question=st.sampled_from(["orders", "positions", "fills", "find", "unread"]),
        length_s=st.sampled_from([1, 5, 40]),
        how=st.sampled_from(["unreachable", "null", "mute"]),
    )
    def fail(self, question, length_s, how):
        self.world.venue.seconds(question, length_s, how)

    @rule(commit_s=st.sampled_from([0.0, 0.3, 4.5]), hide_s=st.sampled_from([0, 8]), lag_s=st.sampled_from([0, 1]))
    def weather(self, commit_s, hide_s, lag_s):
        self.world.commit_s = commit_s
        self.world.venue.hide_ns, self.world.venue.lag_ns = hide_s * NS_PER_S, lag_s * NS_PER_S

    @rule()
    def reconnect(self):
        self.world.repeat()

    @rule(name=st.sampled_from(["ledger", "reconciler", "executor", "account"]), wait_s=WAITS_S)
    def crash(self, name, wait_s):
        self.world.crash(name)
        self.world.wait(wait_s)

    @precondition(lambda self: self.world.lives < 4)
    @rule()
    def kill(self):
        self.world.kill()
        self.world.start()

    @invariant()
    def nothing_is_that_may_never_be(self):
        self.world.check()

    def teardown(self):
        """Faults end; then all is equal, and two starts book the same."""
        if not hasattr(self, "world"):
            return
        try:
            self.world.settle()
            first, second = self.world.second_run()
            assert first == second
        finally:
            self.world.close()


Account.TestCase.settings = settings(max_examples=20, stateful_step_count=25, suppress_health_check=list(HealthCheck))
TestAccount = Account.TestCase


FOUND_BY = {
    "failed_is_flat": 25,
    "no_grace": 6,
    "unasked": 0,
    "unfenced": 3,
    "sent_are_strays": 4,
    "new_ids": 0,
    "on_top": 110,
    "booked_again": 0,
}
"""A story that finds each of them out; `make reconcile` looks for one itself."""


@pytest.mark.parametrize("name", FOUND_BY)
def test_a_reconciler_that_is_wrong_is_found_out_by_a_story_that_the_right_one_survives(name):
    story = FOUND_BY[name]
    assert told((story, LENGTH, name))[2]
    assert told((story, LENGTH, RIGHT))[2] == ""


def test_every_wrong_one_has_its_story():
    assert FOUND_BY.keys() == CONTROLS.keys() - {RIGHT}
