"""One line for each change: what is only said again, and what is only refused again, is none."""

from msgspec.structs import replace

from actors.messages import (
    Awoke,
    MacroWindow,
    OrderChanged,
    PositionChanged,
    Reconciled,
    TradingLatched,
    TradingState,
)
from daemon.news import News
from risk.intent import Approved, Cancel, Purpose, Refused, Trading
from risk.order import OrderState
from tests.daemon.test_explain import CHANGED, FILL, INTENT

CANCEL = Cancel(engine="perps", intent_id="i", order_id="o", symbol="BTC", reason="lifetime", at_ns=1)
HALT = TradingState("", Trading.HALTED, "odd", "operator", 7)


class Bench:
    def __init__(self):
        self.lines, self.told = [], []
        self.news = News(self.lines.append, lambda event, **fields: self.told.append((event, fields)), lambda: None)

    def write(self, *messages):
        for message in messages:
            self.news.write(message)
        return self.lines


def wish(number, **changes):
    return replace(INTENT, id=f"0x{number}", at_ns=number, **changes)


def refusal(number, rule="state", **changes):
    intent = wish(number, **changes)
    return intent, Refused("perps", intent, rule, "halted", "active", number)


def test_a_state_that_is_said_again_for_a_child_that_starts_is_one_line():
    again = [HALT, TradingLatched(HALT, 7), MacroWindow(True, "CPI", 9, False, 1)]
    bench = Bench()
    assert bench.write(*again, *[replace(one, at_ns=99) for one in again]) == again
    lifted = replace(HALT, state=Trading.ACTIVE, at_ns=8)
    assert bench.write(lifted, replace(HALT, at_ns=10))[3:] == [lifted, replace(HALT, at_ns=10)]


def test_what_happens_is_news_each_time():
    bench = Bench()
    booked = PositionChanged("perps", "BTC", 376, 664_250.0, 0, 1_030, 1_030, 5, "f1")
    again = replace(booked, fill_id="", at_ns=2_000)
    assert bench.write(FILL, FILL, booked, again, again) == [FILL, FILL, booked]
    assert bench.write(replace(FILL, id="f2"), replace(booked, fill_id="f2"))[3:] == [
        replace(FILL, id="f2"),
        replace(booked, fill_id="f2"),
    ]
    over = replace(CHANGED, state=OrderState.FILLED)
    assert bench.write(CHANGED, replace(CHANGED, at_ns=5), over)[5:] == [CHANGED, over]
    assert isinstance(over, OrderChanged)


def test_a_standing_refusal_is_one_line_and_how_often_it_stood_is_told_when_it_is_over():
    bench = Bench()
    first, passed = refusal(1), wish(9)
    approved = Approved("perps", passed, (), 9)
    assert bench.write(*first, *refusal(2), *refusal(3)) == [*first]
    assert bench.write(passed, approved)[2:] == [passed, approved]
    count = {"engine": "perps", "symbol": "BTC", "purpose": "entry", "rule": "state", "times": 2}
    assert bench.told == [("refused_again", count)]
    assert bench.write(*refusal(10))[4:] == [*refusal(10)], "it was let pass in between"


def test_another_rule_another_symbol_and_the_other_way_are_other_refusals():
    bench = Bench()
    others = [refusal(2, "net_cap"), refusal(3, symbol="ETH"), refusal(4, purpose=Purpose.EXIT), refusal(5)]
    assert bench.write(*refusal(1), *[one for pair in others for one in pair])[2:] == [
        one for pair in others for one in pair
    ]
    bench.news.close()
    assert bench.told == []


def test_an_intent_that_nobody_judges_is_written_all_the_same():
    bench = Bench()
    bench.write(wish(1), Approved("perps", CANCEL, (), 1))
    assert len(bench.lines) == 1
    bench.news.flush()
    assert len(bench.lines) == 1, "its verdict may be on its way"
    bench.news.flush()
    assert bench.lines[1] == wish(1)
    bench.write(wish(2))
    bench.news.close()
    assert bench.lines[2] == wish(2)


def test_that_venue_and_ledger_agree_is_news_after_the_process_was_away():
    agree = Reconciled("perps", True, 2, 1, 0, "", 1)
    away = Awoke(13.0, 3)
    assert Bench().write(agree, replace(agree, at_ns=2), away, replace(agree, at_ns=4), replace(agree, at_ns=5)) == [
        agree,
        away,
        replace(agree, at_ns=4),
    ]
