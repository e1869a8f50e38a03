"""The universes are what their files say they are, and fit the profiles that trade them."""

from decimal import Decimal
from typing import get_args

import pytest

from config.load import ENGINES, load_profile
from config.profile import AssetClass
from config.universe import SymbolFacts, load_universe
from venues.market import Instrument

EVERY = [facts for engine in ENGINES for facts in load_universe(engine).values()]
DUST_SHARE_MAX = Decimal("0.1")  # of an entry: what counts as flat must not be a position


@pytest.mark.parametrize(("engine", "count"), [("perps", 28), ("crypto", 28), ("equities", 141)])
def test_a_profile_trades_its_whole_universe(engine, count):
    universe = load_universe(engine)
    assert len(universe) == count
    assert sorted(load_profile(engine).symbols) == sorted(universe)


@pytest.mark.parametrize("facts", EVERY, ids=lambda facts: facts.symbol)
def test_every_symbol_can_be_traded_and_simulated(facts: SymbolFacts):
    profile = load_profile(facts.engine)
    assert facts.asset_class in get_args(AssetClass)
    assert facts.asset_class in profile.routes
    assert facts.asset_class in profile.fees
    assert facts.price_usd > 0
    assert facts.price_usd % facts.step == 0, "the starting price is off the grid"
    assert facts.step % facts.tick == 0
    assert facts.spread_steps >= 1
    assert 0 < facts.volatility_annual < 3
    assert facts.depth_usd > 0 < facts.trades_per_s
    notional = profile.notional_usd(facts.asset_class)
    assert notional <= profile.symbol_cap_usd(facts.symbol)
    assert notional >= facts.notional_min_usd
    assert profile.risk.dust_lots * float(facts.lot * facts.price_usd) < float(notional * DUST_SHARE_MAX)


def test_an_instrument_takes_its_fields_by_name():
    facts = load_universe("perps")["xyz:TSLA"]
    instrument = Instrument(**{name: getattr(facts, name) for name in Instrument.__struct_fields__})
    assert (instrument.tick, instrument.lot, instrument.leverage) == (Decimal("0.001"), Decimal("0.001"), 5)
    assert instrument.isolated
    assert facts.step == Decimal("0.01"), "five figures are coarser than the tick at 399"


def test_whole_prices_need_no_figures():
    assert load_universe("perps")["BTC"].step == 1


def test_each_sector_cap_has_its_sector():
    sectors = {facts.sector for facts in load_universe("equities").values()}
    assert set(load_profile("equities").risk.sector_caps) <= sectors
    assert "" not in sectors
