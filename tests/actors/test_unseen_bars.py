"""No entry by a price that nobody has seen for minutes, nor by a window of which much is a dead stream's last close."""

from itertools import count

import pytest

from actors.bars import Bars
from actors.given_bars import GivenBars
from actors.messages import BarGiven, BarHistory, Imbalance
from actors.signal import Signal
from config.load import load_profile
from risk.intent import Intent
from supervisor.messages import Tick
from tests.actors.test_signal import instrument
from venues.market import Bar

S = 1_000_000_000
MINUTE = 60 * S
T0 = 1_767_600_000 * S
CLOSES = [100_000.0 * (1 + 0.001 * (place % 2)) for place in range(60)]


class Desk:
    """Bars and signal in a row, as in the graph."""

    def __init__(self, *, given):
        cli = {"bars": {"alpaca": {"BTC": "BTC/USD"}}} if given else {}
        profile = load_profile("perps", cli=cli)
        ids = count(1)
        self.signal = Signal(profile, {"BTC": instrument("BTC")}, lambda: f"i{next(ids)}")
        self.bars = GivenBars("perps", 60, 240, frozenset({"BTC"})) if given else Bars("perps", 60, 240)
        rows = tuple(Bar("BTC", T0 - (60 - n) * MINUTE, MINUTE, c, c, c, c, 5) for n, c in enumerate(CLOSES))
        for mind in (self.bars, self.signal):
            mind.hear(BarHistory("perps", "BTC", rows))
        self.intents = []

    def hear(self, message):
        for said in self.bars.hear(message):
            if isinstance(said, Bar):
                self.intents += [one for one in self.signal.hear(said) if isinstance(one, Intent)]
        if isinstance(message, Imbalance):
            self.intents += [one for one in self.signal.hear(message) if isinstance(one, Intent)]

    def minute(self, number, mid=None, obi=0.5, given=None):
        """Books each five seconds where there is a mid, a given bar where there is one, and the clock."""
        start_ns = T0 + number * MINUTE
        for second in range(0, 60, 5):
            at_ns = start_ns + second * S
            if mid is not None:
                self.hear(Imbalance("BTC", at_ns, at_ns, mid - 1, mid + 1, obi, obi, obi, False))
            self.hear(Tick(at_ns))
            if second == 5 and given is not None and number:
                start = start_ns - MINUTE
                self.hear(BarGiven(Bar("BTC", start, MINUTE, given, given, given, given, 5)))


def test_a_source_of_bars_that_died_in_a_dip_does_not_buy_for_ever():
    """Its last close was a dip; the perpetual is back since, and nobody has given a bar for ten minutes and more."""
    desk = Desk(given=True)
    desk.minute(0, 100_000.0, obi=-0.5)
    desk.minute(1, 99_700.0, obi=-0.5, given=99_700.0)  # the dip, with a book that does not lean back
    for number in range(2, 12):
        desk.minute(number, 100_100.0, obi=-0.5)
    assert desk.intents == []
    for number in range(12, 14):
        desk.minute(number, 100_100.0, obi=0.5)
    assert [(one.reason, one.evidence.close, one.evidence.bar_start_ns) for one in desk.intents] == []


@pytest.mark.parametrize(("minutes", "after", "enters"), [(2, 99_700.0, True), (45, 100_000.0, False)])
def test_a_window_that_is_mostly_a_dead_streams_last_close_enters_nothing(minutes, after, enters):
    """Minutes are at 100,000 and at 100,100 in turn: the first is one deviation from the mean, and no entry."""
    desk = Desk(given=False)
    for number in range(6):
        desk.minute(number, CLOSES[number], obi=0.5)
    for number in range(6, 6 + minutes):
        desk.minute(number)  # the stream is dead
    assert desk.intents == []
    for number in range(6 + minutes, 8 + minutes):
        desk.minute(number, after, obi=0.5)
    assert bool(desk.intents) is enters


def test_a_quiet_coin_of_a_source_is_still_entered():
    """Two minutes without a trade there are two minutes without a trade."""
    desk = Desk(given=True)
    desk.minute(0, 100_000.0, obi=-0.5)
    desk.minute(1, 99_700.0, obi=-0.5, given=99_700.0)
    for number in (2, 3):
        desk.minute(number, 99_700.0, obi=0.5)
    assert desk.intents
