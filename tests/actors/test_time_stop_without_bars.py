"""Time goes on for what is held after a restart at which the source of its bars is down."""

from itertools import count

from actors.given_bars import GivenBars
from actors.messages import Imbalance, PositionChanged
from actors.signal import Signal
from config.load import load_profile
from supervisor.messages import Tick
from tests.actors.test_signal import instrument
from venues.market import Bar

S = 1_000_000_000
T0 = 1_767_600_000 * S


def test_a_position_is_left_when_its_time_is_up_though_no_bar_was_ever_given():
    profile = load_profile("perps", cli={"bars": {"alpaca": {"BTC": "BTC/USD"}}})
    ids = count(1)
    signal = Signal(profile, {"BTC": instrument("BTC")}, lambda: f"i{next(ids)}")
    bars = GivenBars("perps", 60, 240, frozenset({"BTC"}))
    signal.hear(PositionChanged("perps", "BTC", 250, 1_000_000, 0, T0 - 1800 * S, T0))  # the ledger's word at the start
    said = []
    for second in range(0, 3 * 3600, 5):
        at_ns = T0 + second * S
        book = Imbalance("BTC", at_ns, at_ns, 99_999.0, 100_001.0, 0.0, 0.0, 0.0, False)
        for one in (*bars.hear(book), *bars.hear(Tick(at_ns))):
            if isinstance(one, Bar):
                said += signal.hear(one)
        said += signal.hear(book)
    assert said, "an hour is up after half an hour, and two and a half have passed since"
    assert said[0].reason == "time_stop"
    assert (said[0].at_ns - T0) // S == 1800
