"""Marks: said when they moved, and again to whoever has just started."""

from actors.marks import Marks
from actors.messages import Imbalance, Mark
from supervisor.messages import ChildStarted, Tick


def book(bid, ask, symbol="BTC"):
    return Imbalance(symbol, 7, 8, bid, ask, 0.1, 0.2, 0.3, False)


def test_a_touch_is_said_when_it_moved():
    marks = Marks()
    assert marks.hear(book(1.0, 2.0)) == (Mark("BTC", 7, 1.0, 2.0),)
    assert marks.hear(book(1.0, 2.0)) == ()
    assert marks.hear(book(1.0, 2.0, "ETH")) == (Mark("ETH", 7, 1.0, 2.0),)
    assert marks.hear(book(1.0, 2.5)) == (Mark("BTC", 7, 1.0, 2.5),)
    assert marks.hear(Tick(9)) == ()


def test_a_new_listener_hears_it_even_if_nothing_moves():
    marks = Marks()
    marks.hear(book(1.0, 2.0))
    assert marks.hear(ChildStarted("gate", "", 1, 9)) == ()
    assert marks.hear(book(1.0, 2.0)) == (Mark("BTC", 7, 1.0, 2.0),)
