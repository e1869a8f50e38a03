"""A blackout that ends while the macro calendar is down ends for the gate too."""

from actors.gate import Gate
from actors.macro_calendar import MacroCalendar
from actors.messages import Blackouts
from config.load import load_profile
from config.macro import MacroCalendar as MacroTable
from config.profile import MacroLimits
from risk.gate_state import new_state
from supervisor.messages import ChildStarted, Tick
from tests.risk.given import BTC, calendar
from venues.market import CalendarRead, Report

S = 1_000_000_000
MINUTE, DAY = 60 * S, 86_400 * S
T0 = 1_767_600_000 * S
TABLE = MacroTable(events=(), first_ns=T0 - DAY, last_ns=T0 + 30 * DAY)


def test_a_blackout_that_ended_while_its_sayer_was_down_is_over_for_the_gate():
    read = CalendarRead(
        source="file", kind="reports", reports=(Report(T0, T0 + MINUTE, "NKE"),), tickers=frozenset({"NKE"}),
        from_ns=T0 - DAY, until_ns=T0 + 30 * DAY, at_ns=0,
    )  # fmt: skip
    readings = {("file", "reports"): read}
    gate = Gate(new_state(load_profile("perps"), [BTC], calendar()))

    def tell(mind, message):
        for said in mind.hear(message):
            if type(said) is not Blackouts:
                continue
            gate.hear(said)

    limits = MacroLimits(earnings_before_minutes=1, earnings_after_minutes=0)
    names = {"NKE": ("xyz:NKE",)}
    mind = MacroCalendar(TABLE, limits, names, readings)
    tell(mind, Tick(T0 + 58 * S))
    assert gate.state.blackouts == {"xyz:NKE": "NKE reports"}
    mind = MacroCalendar(TABLE, limits, names, readings)  # it crashed, and is back three seconds later
    tell(mind, ChildStarted("macro_calendar", "", 1, T0 + 61 * S))
    for second in range(62, 600):
        tell(mind, Tick(T0 + second * S))
    assert gate.state.blackouts == {}
