"""Positions: what fills make of them, to the unit."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from risk.money import notional_minor
from risk.position import Position, apply_fill, closing_lots, is_flat, is_leftover, stays_leftover
from tests.risk.given import ALL, BTC, COST, PEPE, SOL, fill
from venues.market import Side

FLAT = Position()
LEAST = Decimal(10)
COIN = replace(COST, asset_class="spot", tick=Decimal("0.01"), lot=Decimal("0.1"), notional_min_usd=LEAST)
SIGNED = st.integers(-50, 50).filter(bool)


def after(instrument, *fills, dust_lots=0.0):
    position, realised = FLAT, 0
    for one in fills:
        position, gain = apply_fill(position, one, instrument, dust_lots)
        realised += gain
    return position, realised


def test_chunks_of_a_short_add_up():
    """A seed engine kept the last chunk only: 0.38 + 0.20 + 5.27 sold left 5.27 in memory."""
    position, realised = after(SOL, fill(SOL, -38, 800_000), fill(SOL, -20, 800_100), fill(SOL, -527, 799_900))
    assert (position.lots, SOL.size(position.lots), realised) == (-585, SOL.lot * -585, 0)
    assert str(SOL.size(position.lots)) == "-5.85"


def test_profit_of_a_long_and_of_a_short():
    assert after(COST, fill(COST, 2, 10_000), fill(COST, -2, 10_100)) == (FLAT, 2_000_000)
    assert after(COST, fill(COST, -2, 10_000), fill(COST, 2, 10_100)) == (FLAT, -2_000_000)


def test_a_flip_closes_and_opens():
    position, realised = after(COST, fill(COST, 2, 10_000), fill(COST, -5, 10_100, at_ns=7))
    assert realised == 2_000_000
    assert position == Position(lots=-3, cost_minor=notional_minor(COST, 10_100, -3), opened_ns=7)


def test_a_partial_close_takes_its_share_of_the_cost():
    position = Position(lots=3, cost_minor=10, opened_ns=1)
    rest, realised = apply_fill(position, fill(PEPE, -1, 50_000), PEPE)
    assert (rest.lots, rest.cost_minor, realised) == (2, 7, 5 - 3)


def test_entry_is_the_average_cost():
    position, _ = after(BTC, fill(BTC, 1, 1_000_000), fill(BTC, 3, 1_000_004))
    assert position.entry_ticks(BTC) == 1_000_003.0
    assert Position(lots=-4, cost_minor=-4_000_012).entry_ticks(BTC) == 1_000_003.0
    assert FLAT.entry_ticks(BTC) == 0.0
    assert position.unrealised_minor(BTC, 1_000_004) == 4


def test_when_it_was_opened():
    opened = [
        position.opened_ns
        for position in (
            after(BTC, fill(BTC, 5, 9, at_ns=10))[0],
            after(BTC, fill(BTC, 5, 9, at_ns=10), fill(BTC, 5, 9, at_ns=20))[0],
            after(BTC, fill(BTC, 5, 9, at_ns=10), fill(BTC, -4, 9, at_ns=20))[0],
            after(BTC, fill(BTC, 5, 9, at_ns=10), fill(BTC, -5, 9, at_ns=20))[0],
            after(BTC, fill(BTC, 5, 9, at_ns=10), fill(BTC, -6, 9, at_ns=20))[0],
        )
    ]
    assert opened == [10, 10, 10, 0, 20]


def test_dust_is_flat_and_does_not_keep_the_clock_running():
    assert is_flat(-1, 1.5) and is_flat(1, 1.5) and not is_flat(2, 1.5) and is_flat(0, 0) and not is_flat(1, 0)
    dust, _ = after(BTC, fill(BTC, 5, 9, at_ns=10), fill(BTC, -4, 9, at_ns=20), dust_lots=1.5)
    assert (dust.lots, dust.opened_ns) == (1, 0)
    again, _ = apply_fill(dust, fill(BTC, 5, 9, at_ns=30), BTC, 1.5)
    assert (again.lots, again.opened_ns) == (6, 30)


def test_what_is_left_of_coins_does_not_keep_the_clock_running():
    """An exit that left 9 USD: the time stop of the next entry would be over when it begins."""
    bought = fill(COIN, 20, 100_00, at_ns=10)  # 200 USD
    left, _ = after(COIN, bought, replace(bought, id="b", side=Side.SELL, lots=19, ticks=90_00, at_ns=20))
    assert (left.lots, left.opened_ns, is_leftover(1, 90_00, COIN), is_leftover(2, 90_00, COIN)) == (1, 0, True, False)
    again, _ = apply_fill(left, replace(bought, id="c", at_ns=30), COIN)
    assert (again.lots, again.opened_ns) == (21, 30)
    assert not is_leftover(1, 90_00, replace(COIN, asset_class="equity"))  # a share that is left is a position


@given(st.lists(st.integers(10_201, 14_999), min_size=1, max_size=30), st.booleans())
def test_between_the_bounds_nothing_changes_its_kind(worths, before):
    """`worths` in thousandths of a dollar, of one lot whose tick is one."""
    fine = replace(COIN, tick=Decimal("0.01"), lot=Decimal("0.1"))
    for worth in worths:
        assert stays_leftover(1, worth, fine, Decimal(10), before=before) is before
    assert stays_leftover(1, 15_001, fine, Decimal(10), before=before) is False
    assert stays_leftover(1, 10_199, fine, Decimal(10), before=before) is True
    assert stays_leftover(1, float("nan"), fine, Decimal(10), before=before) is before
    assert stays_leftover(1, 1, fine, Decimal(0), before=before) is False


@pytest.mark.parametrize(
    ("lots", "change", "closing"),
    [(0, 5, 0), (5, 5, 0), (5, -3, -3), (5, -5, -5), (5, -9, -5), (-5, 3, 3), (-5, 9, 5), (-5, -1, 0)],
)
def test_what_part_of_a_change_closes(lots, change, closing):
    assert closing_lots(lots, change) == closing


@settings(max_examples=150)
@given(st.sampled_from(ALL), st.lists(st.tuples(SIGNED, st.integers(1, 10**6)), max_size=20))
def test_realised_less_cost_is_the_cash_that_flowed(instrument, trades):
    position, realised, cash, lots = FLAT, 0, 0, 0
    for change, ticks in trades:
        position, gain = apply_fill(position, fill(instrument, change, ticks), instrument)
        realised, cash, lots = realised + gain, cash - notional_minor(instrument, ticks, change), lots + change
        assert position.lots == lots
        assert realised - position.cost_minor == cash
        assert position.lots or position == FLAT
