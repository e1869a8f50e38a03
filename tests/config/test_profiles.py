"""What the crypto and the equities engine are, figure by figure, as the seed's README has them."""

from collections import Counter
from decimal import Decimal

import pytest

from config.load import load_profile
from config.universe import load_universe

CRYPTO, EQUITIES = load_profile("crypto"), load_profile("equities")
ONE_A_SECTOR = ("Defense", "Energy", "Energy ETF", "Nuclear Energy")


def test_crypto_trades_28_pairs_long_only_on_minutes():
    assert len(CRYPTO.symbols) == len(set(CRYPTO.symbols)) == 28
    assert all(symbol.endswith("/USD") for symbol in CRYPTO.symbols)
    signal = CRYPTO.signal
    assert (signal.bar_s, signal.window_bars, signal.daily, signal.obi_depth) == (60, 60, False, 20)
    assert not signal.allow_short
    assert not any(one.shortable for one in load_universe("crypto").values())
    assert CRYPTO.risk.session == "always"


def test_crypto_joins_the_bid_and_leaves_across_the_spread():
    route = CRYPTO.routes["spot"]
    assert (route.entry, route.exit) == ("maker", "taker")
    assert (route.reprice_bps_min, route.reprice_gap_s) == (10.0, 2.0)
    assert CRYPTO.signal.taker_slippage_bps == 10.0


def test_equities_trade_the_seeds_names_on_days():
    """README counts 138 and lists 141: all of them."""
    assert len(EQUITIES.symbols) == len(set(EQUITIES.symbols)) == 141
    assert all(load_universe("equities")[symbol].sector for symbol in EQUITIES.symbols)
    signal = EQUITIES.signal
    assert (signal.daily, signal.window_bars, signal.obi_depth, signal.allow_short) == (True, 60, 1, True)
    assert signal.obi_theta > 0, "or an empty quote passes both sides"
    assert signal.obi_age_ms_max == 60_000


def test_equities_open_and_hold_nothing_outside_the_session():
    risk = EQUITIES.risk
    assert risk.session == "us_equities"
    assert risk.flatten_minutes > 0
    assert risk.entries_stop_minutes * 60 >= EQUITIES.signal.time_stop_rth_s + risk.flatten_minutes * 60


def test_sector_caps():
    risk = EQUITIES.risk
    assert risk.sector_caps == {**dict.fromkeys(ONE_A_SECTOR, 1), "Semiconductors": 2}
    assert risk.sector_cap_default == 3
    sizes = Counter(load_universe("equities")[symbol].sector for symbol in EQUITIES.symbols)
    assert all(sizes[sector] > 0 for sector in risk.sector_caps)


@pytest.mark.parametrize("engine", ["crypto", "equities"])
def test_money_at_risk(engine):
    paper, live = load_profile(engine), load_profile(engine, live=True)
    assert (paper.signal.notional_usd, live.signal.notional_usd) == (1500, 100)
    assert (paper.risk.daily_loss_usd, live.risk.daily_loss_usd) == (500, 50)
    assert paper.risk.drawdown_max == live.risk.drawdown_max == 0.02
    assert paper.risk.orders_per_minute == live.risk.orders_per_minute == 30
    assert (live.risk.symbol_cap_usd, paper.risk.symbol_cap_usd) == (500, 5000)
    for one in (paper, live):
        assert one.risk.order_notional_usd_max >= one.signal.notional_usd * Decimal("1.05")
    assert live.macro.when_degraded == "shut"
