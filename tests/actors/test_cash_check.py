"""The venue's cash against the books: what lasts is said once."""

from actors.cash_check import LASTS_NS, TOLERANCE_MINOR, CashCheck
from actors.messages import CashDrift

USD = 1_000_000


def check(ledger_usd=100):
    one = CashCheck("perps")
    one.ledger_minor = ledger_usd * USD
    return one


def looks(one, venue_minor, times):
    return [said for at_ns in times if (said := one.look(venue_minor, at_ns)) is not None]


def test_nothing_is_said_before_both_have_spoken():
    one = CashCheck("perps")
    assert looks(one, 5 * USD, [0, 2 * LASTS_NS]) == []
    assert looks(check(), None, [0, 2 * LASTS_NS]) == []


def test_rounding_is_no_difference():
    assert looks(check(), 100 * USD + TOLERANCE_MINOR, [0, LASTS_NS, 9 * LASTS_NS]) == []


def test_a_difference_that_lasts_is_said_once_and_another_one_again():
    one = check()
    (said,) = looks(one, 93 * USD, [0, LASTS_NS - 1, LASTS_NS, 2 * LASTS_NS, 5 * LASTS_NS])
    assert said == CashDrift("perps", 93 * USD, 100 * USD, LASTS_NS)
    assert len(looks(one, 90 * USD, [6 * LASTS_NS, 7 * LASTS_NS, 8 * LASTS_NS])) == 1


def test_a_transfer_that_is_booked_a_little_later_is_none():
    one = check()
    assert looks(one, 150 * USD, [0, LASTS_NS // 2]) == []
    one.ledger_minor = 150 * USD
    assert looks(one, 150 * USD, [LASTS_NS, 3 * LASTS_NS]) == []
    assert looks(one, 100 * USD, [4 * LASTS_NS]) == [], "the time of another difference does not count for this one"
