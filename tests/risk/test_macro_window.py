"""Windows around scheduled releases."""

import pytest

from risk.macro_window import HALF_WIDTH_NS, HORIZON_NS, Calendar, Policy, window
from tests.risk.given import DAY_NS, MINUTE_NS
from venues.market import Release

CPI_NS = 20_000 * DAY_NS
FOMC_NS = CPI_NS + DAY_NS
KNOWN = Calendar(
    releases=(Release(FOMC_NS, "FOMC"), Release(CPI_NS, "CPI")), from_ns=CPI_NS - DAY_NS, until_ns=CPI_NS + 30 * DAY_NS
)


@pytest.mark.parametrize(
    ("offset_ns", "shut"),
    [(-HALF_WIDTH_NS - 1, False), (-HALF_WIDTH_NS, True), (0, True), (HALF_WIDTH_NS, True), (HALF_WIDTH_NS + 1, False)],
)
def test_it_is_shut_a_quarter_of_an_hour_on_both_sides(offset_ns, shut):
    assert HALF_WIDTH_NS == 15 * MINUTE_NS
    said = window([KNOWN], CPI_NS + offset_ns)
    assert (said.shut, said.event, said.degraded) == (shut, "CPI" if shut else "", False)
    assert said.until_ns == (CPI_NS + HALF_WIDTH_NS + 1 if shut else 0)


def test_it_opens_when_it_says_it_does():
    until_ns = window([KNOWN], CPI_NS).until_ns
    assert window([KNOWN], until_ns - 1).shut
    assert not window([KNOWN], until_ns).shut


def test_the_next_event_is_named():
    before = window([KNOWN], CPI_NS - 1)
    assert (before.next_event, before.next_ns) == ("CPI", CPI_NS)
    after = window([KNOWN], CPI_NS)
    assert (after.next_event, after.next_ns) == ("FOMC", FOMC_NS)
    last = window([KNOWN], FOMC_NS)
    assert (last.next_event, last.next_ns) == ("", 0)


def test_windows_that_touch_are_one():
    chain = Calendar(
        releases=tuple(Release(CPI_NS + minutes * MINUTE_NS, f"at {minutes}") for minutes in (0, 20, 50, 81)),
        until_ns=CPI_NS + 30 * DAY_NS,
    )
    said = window([chain], CPI_NS)
    assert (said.event, said.until_ns) == ("at 0", CPI_NS + 65 * MINUTE_NS + 1)
    assert not window([chain], said.until_ns).shut


@pytest.mark.parametrize("at_ns", [KNOWN.from_ns - 1, KNOWN.until_ns - HORIZON_NS + 1])
def test_a_calendar_that_does_not_reach_far_enough_is_not_no_events(at_ns):
    shut = window([KNOWN], at_ns)
    assert (shut.shut, shut.degraded, shut.event, shut.until_ns) == (
        True,
        True,
        "calendar does not cover this time",
        0,
    )
    trading = window([KNOWN], at_ns, policy=Policy.TRADE)
    assert (trading.shut, trading.degraded) == (False, True)
    assert window([Calendar()], at_ns).shut


def test_a_known_event_shuts_whatever_the_policy():
    short = Calendar(releases=KNOWN.releases, until_ns=CPI_NS + 1)
    said = window([short], CPI_NS, policy=Policy.TRADE)
    assert (said.shut, said.event, said.degraded) == (True, "CPI", True)


def test_the_horizon_reaches_two_days():
    assert HORIZON_NS == 2 * DAY_NS
    assert not window([KNOWN], KNOWN.from_ns).degraded
    assert not window([KNOWN], KNOWN.until_ns - HORIZON_NS).degraded
    assert not window([KNOWN], KNOWN.until_ns - DAY_NS, horizon_ns=0).degraded
