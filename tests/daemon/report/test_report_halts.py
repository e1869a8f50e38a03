"""Halts in a report are those of its time: one that spans all of it is told, one that came later is not."""

from actors.ledger import LedgerMind
from actors.messages import TradingState
from daemon.report.booked import Booked, Latched
from daemon.report.figures import report
from daemon.report.told import Told
from daemon.report.window import Window, days
from daemon.times import ns_of
from risk.intent import Trading

MONDAY, TUESDAY, WEDNESDAY = (ns_of(f"2026-01-0{day}T12:00:00") for day in (5, 6, 7))


def halts(window: Window, *latches: Latched) -> list[tuple[str, int, int]]:
    story = Booked(LedgerMind(), [], [], [], [], list(latches), [])
    return [(row.reason, row.from_ns, row.until_ns) for row in report(story, Told(), window).halts]


def latch(state: Trading, at_ns: int, run: int = 1, reason: str = "daily_loss") -> Latched:
    return Latched(state=TradingState("perps", state, reason, "circuit_breaker", at_ns), run=run)


def test_a_halt_that_lasts_all_day_is_told_of_that_day():
    story = latch(Trading.HALTED, MONDAY), latch(Trading.ACTIVE, WEDNESDAY, reason="")
    assert halts(days(TUESDAY, "2026-01-06", 1), *story) == [("daily_loss", MONDAY, WEDNESDAY)]


def test_a_halt_of_later_is_not():
    assert halts(days(TUESDAY, "2026-01-05", 1), latch(Trading.HALTED, WEDNESDAY)) == []


def test_a_halt_that_ended_before_is_not():
    story = latch(Trading.HALTED, MONDAY), latch(Trading.ACTIVE, TUESDAY, reason="")
    assert halts(days(TUESDAY, "2026-01-07", 1), *story) == []


def test_a_halt_of_a_run_is_told_of_every_run_that_it_held_in():
    story = latch(Trading.HALTED, MONDAY, run=1), latch(Trading.ACTIVE, WEDNESDAY, run=3, reason="")

    def of_run(number: int) -> Window:
        return Window(title="", from_ns=0, until_ns=2**63, run=number, run_id="r")

    assert [len(halts(of_run(number), *story)) for number in (1, 2, 3, 4)] == [1, 1, 1, 0]
