"""The grid of prices and sizes: by the recorded prices, by its rule said another way, and by the SDK's wrong one."""

import gzip
import json
import re
from collections import Counter
from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hyperliquid.utils.signing import float_to_wire
from hypothesis import example, given
from hypothesis import strategies as st

from tests.venues.hyperliquid.judge import ASSETS, KEY, WIRE, exchange
from venues.hyperliquid.grid import Grid, plain
from venues.hyperliquid.sign import Chain
from venues.market import Side

PX = re.compile(rb'\\?"(?:px|limitPx|o|c|h|l)\\?": ?\\?"([^"\\]+)\\?"')
FIGURES = 5
FLOAT_FINE_BELOW = 2**26
"""From here on neighbouring floats are 1.5e-8 apart, and the eighth decimal, which the SDK prints, may be wrong."""

sizes = st.integers(0, 6)
grids = st.one_of(
    st.builds(Grid.of, st.just(0), sizes),
    st.builds(Grid.of, st.just(110_000), sizes),
    st.builds(Grid.of, st.just(10_000), st.integers(0, 8)),
)
some_ticks = st.integers(1, 10**14)
prices = st.decimals(min_value="0.000001", max_value="1e9", allow_nan=False, allow_infinity=False)


def takes(price, decimals):
    """The venue's rule read from its page, on the digits of the number."""
    if price <= 0:
        return False
    _, digits, exponent = price.normalize().as_tuple()
    return exponent >= 0 or (len(digits) <= FIGURES and -exponent <= decimals)


def test_every_recorded_price_is_on_the_grid_and_is_written_as_it_came():
    if not WIRE.is_dir():
        pytest.skip(f"no recorded frames at {WIRE}")
    seen, finest = Counter(), Grid.of(10_000, 0)
    for folder in ("hftbacktest", "hl_verbatim", "tardis_node", "hyperliquid_python_sdk", "go_hyperliquid"):
        for file in (path for path in sorted((WIRE / folder / "hyperliquid").rglob("*")) if path.is_file()):
            raw = file.read_bytes()
            seen.update(PX.findall(gzip.decompress(raw) if file.suffix == ".gz" else raw))
    for text in (found.decode() for found in seen):
        price = Decimal(text)
        ticks = finest.ticks(price, Side.BUY)
        assert finest.takes(ticks), text
        assert finest.price_text(ticks) == text.removesuffix(".0")
    assert seen.total() > 2000
    assert len(seen) > 500


def test_recorded_bitcoin_prices_are_on_bitcoins_own_grid():
    files = sorted((WIRE / "hftbacktest" / "hyperliquid").glob("*.gz"))
    if not files:
        pytest.skip(f"no recorded frames at {WIRE}")
    grid, seen = Grid.of(0, 5), 0
    for found in PX.findall(gzip.decompress(files[0].read_bytes())):
        price = Decimal(found.decode())
        assert grid.ticks(price, Side.BUY) == grid.ticks(price, Side.SELL) == price / grid.tick
        seen += 1
    assert seen > 100


def test_the_reference_table_of_the_typescript_sdk_holds():
    file = WIRE / "hl_vectors" / "hyperliquid" / "format_shared.json"
    if not file.exists():
        pytest.skip(f"no table at {file}")
    table = json.loads(file.read_text())
    for asset, rows in ((0, table["referencePerps"]), (10_000, table["referenceSpots"])):
        for name, size_decimals, tick, lot in rows:
            grid = Grid.of(asset, size_decimals)
            steps = {grid.step(10**power) * grid.tick for power in range(12)}
            assert Decimal(tick) in steps, name
            assert grid.lot == Decimal(lot), name


@pytest.mark.parametrize(
    ("asset", "size_decimals", "price", "bought", "sold"),
    [
        (0, 1, "1234.5", "1234.5", "1234.5"),  # the examples of the venue's page
        (0, 1, "1234.56", "1234.5", "1234.6"),
        (0, 0, "0.001234", "0.001234", "0.001234"),
        (0, 0, "0.0012345", "0.001234", "0.001235"),
        (0, 1, "0.01234", "0.01234", "0.01234"),
        (0, 1, "0.012345", "0.01234", "0.01235"),
        (0, 5, "123456", "123456", "123456"),  # whole, so six figures are right
        (0, 5, "123456.7", "123456", "123457"),
        (0, 0, "0.0123456", "0.012345", "0.012346"),  # the forerunner made 0.0123 of it
        (110_000, 3, "1.296225", "1.296", "1.297"),  # the SDK makes 1.2962 of it, as if it were spot
        (10_000, 3, "1.296225", "1.2962", "1.2963"),
        (0, 0, "9.99995", "9.9999", "10"),
        (0, 0, "99999.5", "99999", "100000"),
    ],
)
def test_a_price_rounds_to_the_side_that_is_no_worse(asset, size_decimals, price, bought, sold):
    grid = Grid.of(asset, size_decimals)
    assert grid.price_text(grid.ticks(Decimal(price), Side.BUY)) == bought
    assert grid.price_text(grid.ticks(Decimal(price), Side.SELL)) == sold


@given(grids, some_ticks)
def test_a_price_is_taken_exactly_if_the_rule_says_so(grid, ticks):
    assert grid.takes(ticks) == takes(ticks * grid.tick, grid.price_decimals)


@given(grids, some_ticks)
def test_neighbours_are_prices_and_nothing_lies_between(grid, ticks):
    low, high = grid.at_or_below(ticks), grid.at_or_above(ticks)
    assert grid.takes(low)
    assert grid.takes(high)
    assert low <= ticks <= high
    assert (low == high) == grid.takes(ticks)
    assert grid.above(low) == low + grid.step(low)
    assert grid.below(grid.above(low)) == low
    if low != high:
        assert grid.above(low) == high
        assert grid.below(high) == low


@given(grids, prices, st.sampled_from(Side))
def test_rounding_is_never_worse_and_less_than_a_step(grid, price, side):
    if side is Side.BUY and price < grid.tick:
        with pytest.raises(ValueError, match="rounds to nothing"):
            grid.ticks(price, side)
        return
    ticks = grid.ticks(price, side)
    assert grid.takes(ticks)
    assert (price - ticks * grid.tick) * side.sign >= 0
    beyond = grid.above(ticks) if side is Side.BUY else ticks - 1 and grid.below(ticks)
    assert not beyond or (price - beyond * grid.tick) * side.sign < 0


@given(st.integers(0, 6), prices, st.sampled_from(Side))
def test_a_builder_dex_rounds_as_the_native_perpetuals(size_decimals, price, side):
    native, builder = Grid.of(0, size_decimals), Grid.of(110_007, size_decimals)
    assert native == builder
    if side is Side.SELL or price >= native.tick:
        assert native.ticks(price, side) == builder.ticks(price, side)


def test_the_sdk_rounds_a_builder_dex_to_a_price_that_is_refused(monkeypatch):
    from eth_account import Account

    sdk = exchange(monkeypatch, Account.from_key(KEY), Chain.TESTNET, 1)
    builder = ASSETS[-1]
    asked = Decimal(repr(sdk._slippage_price(builder.name, True, 0.05, 1.2345)))
    assert asked == Decimal("1.2962")
    assert not takes(asked, builder.grid.price_decimals)
    assert takes(builder.grid.ticks(asked, Side.BUY) * builder.grid.tick, builder.grid.price_decimals)


@given(grids, st.integers(1, 10**12))
def test_texts_are_what_the_sdk_writes_while_a_float_is_fine_enough(grid, number):
    ticks, lots = grid.at_or_below(number), number
    if ticks * grid.tick < FLOAT_FINE_BELOW:
        assert grid.price_text(ticks) == float_to_wire(float(ticks * grid.tick))
    if lots * grid.lot < FLOAT_FINE_BELOW:
        assert grid.size_text(lots) == float_to_wire(float(lots * grid.lot))


def test_a_size_that_a_float_does_not_hold_is_written_exactly():
    grid = Grid.of(0, 1)
    assert grid.size_text(1_410_064_579) == "141006457.9"
    assert float_to_wire(141006457.9) == "141006457.90000001"


@given(st.integers(0, 10**20), st.integers(0, 10))
def test_plain_text_is_the_number_and_has_no_idle_digit(units, decimals):
    text = plain(units, decimals)
    assert Decimal(text) == Decimal(units).scaleb(-decimals)
    assert re.fullmatch(r"(0|[1-9]\d*)(\.\d*[1-9])?", text)


@given(grids, prices)
@example(Grid.of(0, 0), Decimal("124999999.9999999999999999999730721089404723196719"))
def test_a_size_is_never_more_than_was_said(grid, size):
    lots = grid.lots(size)
    assert lots * grid.lot <= size < (lots + 1) * grid.lot
    assert lots == floor(Fraction(size) * 10**grid.size_decimals)  # a Decimal's product is rounded at 28 digits


def test_exact_multiples_of_a_lot_keep_every_lot():
    grid = Grid.of(0, 2)
    assert [grid.lots(Decimal(size)) for size in ("0.58", "0.29", "1.1", "0.009")] == [58, 29, 110, 0]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "0", "-1"])
def test_no_number_no_price_and_no_size(number):
    for ask in (lambda: Grid.of(0, 2).ticks(Decimal(number), Side.SELL), lambda: Grid.of(0, 2).lots(Decimal(number))):
        with pytest.raises(ValueError, match="must be a positive number"):
            ask()


def test_what_is_off_the_grid_is_not_written():
    grid = Grid.of(0, 5)
    for ticks in (0, -1, 634605, 1_000_001):
        assert not grid.takes(ticks)
        with pytest.raises(ValueError, match="must be positive and whole"):
            grid.price_text(ticks)
    with pytest.raises(ValueError, match="size in lots is 0"):
        grid.size_text(0)


def test_assets_that_are_none_are_named():
    for asset, size_decimals, says in ((-1, 0, "asset is -1"), (100_000_000, 0, "asset is"), (0, 7, "0 to 6")):
        with pytest.raises(ValueError, match=says):
            Grid.of(asset, size_decimals)
    assert Grid.of(10_000, 8).price_decimals == 0
