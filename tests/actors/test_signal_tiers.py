"""The tiers of z: measured once over the bars the windows are filled with, and the operator's are left alone."""

from itertools import count

import pytest

from actors.messages import BarHistory, TierChanged
from actors.signal import Signal
from config.load import load_profile
from tests.actors.test_signal import MINUTE, T0, Bench, S, instrument
from venues.market import Bar

SYMBOLS = ("BTC", "xyz:TSLA", "xyz:GOLD", "xyz:XYZ100")


def history(symbol, percent, bars=240, bar_s=60, price=100.0):
    """Closed bars up to T0 whose closes stray so far from their mean."""
    closes = [price * (1 + percent / 100 * (1 if place % 2 else -1)) for place in range(bars)]
    starts = [T0 - (bars - place) * bar_s * S for place in range(bars)]
    made = tuple(Bar(symbol, at, bar_s * S, c, c, c, c, 1) for at, c in zip(starts, closes, strict=True))
    return BarHistory("perps", symbol, made)


def signal(files=(), cli=None):
    ids = (f"i{n}" for n in count(1))
    profile = load_profile("perps", files, symbols=SYMBOLS, cli=cli)
    return Signal(profile, {symbol: instrument(symbol) for symbol in SYMBOLS}, lambda: next(ids))


def tier(mind, symbol):
    return mind.tiers[symbol].z_entry, mind.tiers[symbol].z_exit


def test_a_lively_stock_is_entered_further_out_and_it_is_said_once():
    mind = signal()
    assert tier(mind, "xyz:TSLA") == (1.5, 0.3)
    (said,) = mind.hear(history("xyz:TSLA", 0.6))
    assert isinstance(said, TierChanged)
    assert (said.symbol, said.category, said.bars, said.at_ns) == ("xyz:TSLA", "stock", 240, T0)
    assert said.rmsd == pytest.approx(0.6 * 42**0.5)
    assert (said.z_entry_before, said.z_exit_before) == (1.5, 0.3)
    assert (said.z_entry, said.z_exit) == tier(mind, "xyz:TSLA") == (1.75, 0.4)
    assert mind.hear(history("xyz:TSLA", 3.0)) == ()  # a feed that comes back
    assert tier(mind, "xyz:TSLA") == (1.75, 0.4)


def test_a_calm_stock_and_what_has_no_steps_keep_what_they_have_and_nothing_is_said():
    mind = signal()
    for symbol in ("xyz:TSLA", "BTC", "xyz:XYZ100"):
        before = tier(mind, symbol)
        assert mind.hear(history(symbol, 0.1)) == ()
        assert tier(mind, symbol) == before
    assert mind.hear(history("BTC", 9.0)) == ()  # README: the majors have one tier


def test_a_calm_commodity_is_entered_nearer():
    mind = signal()
    (said,) = mind.hear(history("xyz:GOLD", 0.1))
    assert (said.z_entry_before, said.z_entry, said.z_exit) == (1.75, 1.5, 0.3)


def test_what_the_operator_says_of_a_symbol_is_never_measured(tmp_path):
    path = tmp_path / "my.toml"
    path.write_text('[perps.tiers]\n"xyz:TSLA" = { z_entry = 0.9, z_exit = 0.2 }\n')
    mind = signal([path])
    assert mind.hear(history("xyz:TSLA", 3.0)) == ()
    assert tier(mind, "xyz:TSLA") == (0.9, 0.2)


@pytest.mark.parametrize(("bars", "bar_s"), [(29, 60), (240, 1)])
def test_too_little_history_measures_nothing_and_more_of_it_later_does(bars, bar_s):
    mind = signal(cli={"signal": {"bar_s": bar_s}})
    assert mind.hear(history("xyz:TSLA", 3.0, bars, bar_s)) == ()
    assert tier(mind, "xyz:TSLA") == (1.5, 0.3)
    if bar_s == 60:
        assert len(mind.hear(history("xyz:TSLA", 3.0, 240))) == 1


@pytest.mark.parametrize(("step", "reason"), [(None, "z_entry"), (-1, "z_inside")])
def test_the_measured_tier_is_what_entries_are_held_against(step, reason):
    bench = Bench(symbol="xyz:TSLA").warm()
    if step is not None:
        bench.signal.tiers["xyz:TSLA"] = bench.profile.tier_rules["stock"].steps[step]
    close = bench.price * 0.99994  # z about -2
    bench.book(close, 0.5, bench.now_ns + MINUTE, spread=0.02)
    bench.bar(close)
    assert bench.signal.counts == {reason: 1}
