"""A flatten goes on over a crash of the signal, by the graph's own way to start it, and with the ledger's own words."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from actors.ledger import LedgerMind
from actors.messages import Command, Imbalance, Order, OrderPlanned
from config.load import load_profile
from daemon import graph, modes
from risk.intent import Cancel, Intent
from risk.order import OrderState
from supervisor.messages import ChildStarted
from tests.actors.stories import run_started
from tests.actors.test_signal import Bench
from tests.risk.given import BTC, fill, request
from venues.market import Accepted, Side

S = 1_000_000_000
T0 = 1_767_600_000 * S


def starter():
    """What the supervisor calls to have a new signal, as often as it likes."""
    profile = load_profile("perps").model_copy(update={"symbols": ("BTC",)})
    venue = SimpleNamespace(capabilities=SimpleNamespace(expires=True))
    part = graph.EngineParts(profile=profile, instruments={"BTC": BTC}, venue=venue, streams={})
    parts = graph.Parts(
        engines={"perps": part}, journal=Path("none"), run_id="r", looked_ns=0, deposits=(), sinks=(), door=None,
        calendar=modes.session_calendar(), macro=None,
    )  # fmt: skip
    (signal,) = (one for one in graph.engine_children(parts, "perps") if one.name == "signal")
    return lambda: signal.start().mind


def tell(signal, ledger, message):
    """To the ledger, and what it says of it to the signal."""
    hears = {one.message for one in signal.hears}
    return [said for news in ledger.hear(message)[1] if type(news) in hears for said in signal.hear(news)]


def restated(start, ledger, at_ns):
    """A new signal, which the ledger told everything."""
    signal = start()
    said = tell(signal, ledger, ChildStarted("signal", "perps", 1, at_ns))
    return signal, said


def book(signal, mid, at_ns):
    return signal.hear(Imbalance("BTC", at_ns, at_ns, mid - 1, mid + 1, 0.0, 0.0, 0.0, False))


@pytest.fixture
def ledger():
    mind = LedgerMind()
    mind.fold(run_started(1, T0))
    return mind


def test_what_is_held_is_still_left_after_a_crash(ledger):
    start = starter()
    signal = start()
    tell(signal, ledger, ChildStarted("signal", "perps", 0, T0))
    tell(signal, ledger, fill(BTC, 250, 1_000_000, id="f1", order_id="", side=Side.BUY, at_ns=T0))
    book(signal, 100_000.0, T0 + S)
    (first,) = signal.hear(Command(Order.FLATTEN, "", "", "out", T0 + S))
    assert first.reason == "flatten"
    # the exit is lost, and the signal crashes before it asks again
    signal, _ = restated(start, ledger, T0 + 10 * S)
    (again,) = book(signal, 100_000.0, T0 + 11 * S)
    assert (type(again), again.reason, again.lots) == (Intent, "flatten", 250)
    # and it is over when nothing is left
    tell(signal, ledger, fill(BTC, 250, 1_000_000, id="f2", order_id="", side=Side.SELL, at_ns=T0 + 12 * S))
    tell(signal, ledger, fill(BTC, 100, 1_000_000, id="f3", order_id="", side=Side.BUY, at_ns=T0 + 13 * S))
    assert book(signal, 100_000.0, T0 + 14 * S) == ()


def test_an_entry_that_comes_to_rest_after_the_crash_is_taken_back(ledger):
    start = starter()
    signal = start()
    tell(signal, ledger, ChildStarted("signal", "perps", 0, T0))
    made = request(BTC, 10, id="e", intent_id="i", side=Side.BUY, replaces="")
    tell(signal, ledger, OrderPlanned("perps", made, True, T0))
    assert signal.hear(Command(Order.FLATTEN, "", "", "out", T0 + S)) == ()
    signal, said = restated(start, ledger, T0 + 2 * S)
    said += tell(signal, ledger, Accepted("perps", "e", "BTC", T0 + 3 * S))
    assert [(type(one), one.order_id) for one in said] == [(Cancel, "e")]


def test_one_that_was_over_when_the_signal_crashed_is_over(ledger):
    start = starter()
    signal = start()
    tell(signal, ledger, ChildStarted("signal", "perps", 0, T0))
    tell(signal, ledger, fill(BTC, 250, 1_000_000, id="f1", order_id="", side=Side.BUY, at_ns=T0))
    book(signal, 100_000.0, T0 + S)
    assert signal.hear(Command(Order.FLATTEN, "", "", "out", T0 + S))
    ledger.hear(fill(BTC, 250, 1_000_000, id="f2", order_id="", side=Side.SELL, at_ns=T0 + 2 * S))  # while it is down
    signal, _ = restated(start, ledger, T0 + 3 * S)
    assert not signal.symbols["BTC"].leaving


def test_a_flatten_is_asked_for_again_by_the_bar_where_no_book_comes():
    bench = Bench().held(lots=250)
    (first,) = bench.signal.hear(Command(Order.FLATTEN, "", "", "out", bench.now_ns))
    bench.order(first, OrderState.CANCELLED, 0)
    (again,) = bench.bar(99_900.0)
    assert again.reason == "flatten"
