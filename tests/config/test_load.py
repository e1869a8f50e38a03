"""Profiles: layers, and one clear line for every kind of wrong value."""

import math
import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import ENGINES, PACKAGE, load_profile, split_symbols
from config.profile import Profile

ABOVE_0 = "must be a finite number above 0"


@pytest.fixture
def mine(tmp_path):
    """Writes an operator's file and says where it is."""

    def write(text: str) -> list[Path]:
        path = tmp_path / "my.toml"
        path.write_text(text)
        return [path]

    return write


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_packaged_loads(engine, live):
    profile = load_profile(engine, live=live)
    assert profile.engine == engine
    assert profile.risk.daily_loss_usd == (50 if live else 500)
    assert profile.macro.when_degraded == ("shut" if live else "trade")


def test_the_tiers_and_the_clip_sizes():
    perps = load_profile("perps")
    tiers = {symbol: (perps.tier(symbol).z_entry, perps.tier(symbol).z_exit) for symbol in perps.symbols}
    assert tiers["BTC"] == (1.25, 0.5)
    assert tiers["SOL"] == (2.5, 0.75)
    assert tiers["xyz:TSLA"] == (1.5, 0.3)
    assert tiers["xyz:XYZ100"] == (1.75, 0.4)
    assert (perps.notional_usd("native"), perps.notional_usd("hip3")) == (250, 100)
    assert (perps.symbol_cap_usd("BTC"), perps.symbol_cap_usd("xyz:TSLA")) == (500, 200)
    assert load_profile("equities").signal.obi_theta > 0, "or an empty quote passes both sides"
    assert not load_profile("crypto").signal.allow_short


def test_later_layers_win(mine):
    files = mine("[perps.risk]\ndaily_loss_usd = 80\n[perps.live.risk]\ndaily_loss_usd = 20\n[daemon]\nmode = 'live'")
    assert load_profile("perps").risk.daily_loss_usd == 500
    assert load_profile("perps", files).risk.daily_loss_usd == 80
    assert load_profile("perps", files, live=True).risk.daily_loss_usd == 20
    assert load_profile("crypto", files).risk.daily_loss_usd == 500, "another engine's table is not this one's"
    assert load_profile("perps", files, cli={"risk": {"daily_loss_usd": 0.1}}).risk.daily_loss_usd == Decimal("0.1")
    assert load_profile("perps", files, symbols=["ETH", "BTC"]).symbols == ("ETH", "BTC")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[perps.risk]\ndrawdown_max = nan",
            "perps.risk.drawdown_max = nan: must be a finite number above 0 and below 1",
        ),
        ("[perps.risk]\ndrawdown_max = 2", "drawdown_max = 2: must be a finite number above 0 and below 1"),
        ("[perps.risk]\ndaily_loss_usd = inf", f"perps.risk.daily_loss_usd = inf: {ABOVE_0}"),
        ("[perps.risk]\ndaily_loss_usd = -inf", f"perps.risk.daily_loss_usd = -inf: {ABOVE_0}"),
        ("[perps.risk]\nnet_cap_usd = -5", f"perps.risk.net_cap_usd = -5: {ABOVE_0}"),
        ("[perps.risk]\ndrawdown = 0.1", "perps.risk.drawdown = 0.1: no such setting; did you mean drawdown_max?"),
        ("[perps.risk]\norders_burst = 30.5", "orders_burst = 30.5: must be a whole number above 0"),
        ("[perps.risk]\norders_burst = '30'", "orders_burst = '30': must be a whole number above 0"),
        ("[perps.signal]\ntrend_gate = 1", "perps.signal.trend_gate = 1: must be true or false"),
        ("[perps.signal]\nobi_theta = true", "must be a finite number at least 0 and below 1"),
        ("[perps.signal]\nobi_depth = 7", "perps.signal.obi_depth = 7: must be one of 1, 5, 20"),
        ("[perps.fees]\nnative = { maker_bps = nan, taker_bps = 1 }", "perps.fees.native.maker_bps = nan: must be a"),
        ("[perps.risk.symbol_caps_usd]\nBTC = -3", f"perps.risk.symbol_caps_usd.BTC = -3: {ABOVE_0}"),
        ("[perps.routes.hip3]\nentry = 'makr'", "perps.routes.hip3.entry = 'makr': must be one of maker, taker"),
        ("[perps.routes.spot]\nentry = 'maker'", "perps.routes.spot.exit: is missing; must be one of maker, taker"),
        ("[perps]\nrisk = 3", "perps.risk = 3: must be a table"),
        ("perps = 3", "perps: must be a table"),
        ("[perps]\nsymbols = 'BTC'", "perps.symbols = 'BTC': must be a list"),
        ("[perps]\nsymbols = []", "perps.symbols = []: must name at least one symbol"),
        ("[perps]\nsymbols = ['BTC', 'BTC']", "perps.symbols = 'BTC': is named twice"),
        ("[perps]\nsymbols = ['XYZ:MSTR']", "no such symbol in the perps universe; did you mean xyz:MSTR?"),
        ("[perps.tiers]\nBTX = { z_entry = 1, z_exit = 0.5 }", "perps.tiers = 'BTX': no such symbol"),
        ("[perps.tiers]\nBTC = { z_entry = 1, z_exit = 1.5 }", "tiers.BTC.z_exit = 1.5: must be below z_entry (1.0)"),
        (
            "[perps.tier_rules.sector]\nz_entry = 1\nz_exit = 0.5",
            "perps.tier_rules.sector: no such category; known are",
        ),
        ("[perps.tier_rules.fx]\nz_exit = 2", "tier_rules.fx.z_exit = 2.0: must be below z_entry (1.25)"),
        (
            "[perps.tier_rules.fx]\nsteps = [{ rmsd_min = 2, z_entry = 2, z_exit = 1 },"
            " { rmsd_min = 1, z_entry = 2, z_exit = 1 }]",
            "perps.tier_rules.fx.steps = [2.0, 1.0]: rmsd_min must rise from step to step",
        ),
        ("[perps.signal]\nobi_depth = 1", "perps.signal.obi_theta = 0.0: must be above 0 where obi_depth is 1"),
        ("[perps.risk]\nreduce_off = 1.6", "perps.risk.reduce_off = 1.6: must be at most reduce_on (1.5)"),
        ("[perps.signal]\nnotional_usd = 900", "order_notional_usd_max = 275: must be at least the largest notional"),
        ("[perps.risk]\nflatten_minutes = 5", "flatten_minutes = 5: must be at most entries_stop_minutes (0)"),
        ("[perps.risk.sector_caps]\nEnergie = 1", "perps.risk.sector_caps.Energie: no such sector"),
        ("[perps]\nengine = 'crypto'", "perps.engine = 'crypto': must be perps"),
        ("[prps]\nsymbols = []", "prps: no such table; did you mean perps?"),
        ("[perps", "is no TOML"),
    ],
)
def test_a_wrong_value_is_one_line(text, said, mine):
    files = mine(text)
    with pytest.raises(ConfigError) as caught:
        load_profile("perps", files)
    line = str(caught.value)
    assert said in line
    assert "\n" not in line
    assert str(files[0]) in line or "config/profiles/perps.toml" in line or "is missing" in line, "it says where"


def numbers(table: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Where every number of a packaged profile stands."""
    found = []
    for key, value in table.items():
        if isinstance(value, dict):
            found += numbers(value, (*path, key))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append((*path, key))
    return found


@pytest.mark.parametrize("engine", ENGINES)
def test_no_number_of_a_profile_may_be_no_number(engine):
    with (PACKAGE / "profiles" / f"{engine}.toml").open("rb") as file:
        packaged = tomllib.load(file)
    packaged.pop("live")
    paths = numbers(packaged)
    assert len(paths) > 30
    for path in paths:
        for wrong in (math.nan, math.inf, -math.inf, "1", True):
            table = wrong
            for key in reversed(path):
                table = {key: table}
            with pytest.raises(ConfigError) as caught:
                load_profile(engine, cli=table)
            line = str(caught.value)
            assert line.startswith(f"{'.'.join([engine, *path])} = "), line
            assert ": must be " in line
            assert line.endswith("(command line)")


def test_it_says_where(mine):
    files = mine("# a comment\n[perps.risk]\nnet_cap_usd = 1250\n\ndrawdown_max = nan # here\n")
    with pytest.raises(ConfigError, match=r"my\.toml line 5\)$"):
        load_profile("perps", files)
    with pytest.raises(ConfigError, match=r"config/profiles/perps\.toml line \d+\)$"):
        load_profile("perps", mine("[perps.signal]\nnotional_usd = 900"))
    with pytest.raises(ConfigError, match=r"^perps\.signal\.bar_s = -1: .* \(command line\)$"):
        load_profile("perps", cli={"signal": {"bar_s": -1}})


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="can't be read: No such file"):
        load_profile("perps", [tmp_path / "none.toml"])


def test_a_class_that_is_traded_needs_route_and_fees(monkeypatch):
    profile = load_profile("perps")
    packaged = Profile.model_validate_json
    lacking = {name: route for name, route in profile.routes.items() if name != "hip3"}
    monkeypatch.setattr(
        Profile, "model_validate_json", lambda *a, **k: packaged(*a, **k).model_copy(update={"routes": lacking})
    )
    with pytest.raises(ConfigError, match=r"perps\.routes\.hip3: is missing, and symbols of class hip3 are traded"):
        load_profile("perps")


def test_symbols_go_to_the_engines_that_know_them():
    assert split_symbols(["perps", "crypto"], ["ETH", "BTC/USD", "BTC"]) == {
        "perps": ("ETH", "BTC"),
        "crypto": ("BTC/USD",),
    }
    assert split_symbols(["perps"], []) == {"perps": ()}
    with pytest.raises(
        ConfigError, match="--symbols = 'BTC/US': no such symbol in perps, crypto; did you mean BTC/USD"
    ):
        split_symbols(["perps", "crypto"], ["BTC/US"])
    with pytest.raises(ConfigError, match="names nothing that crypto trades"):
        split_symbols(["perps", "crypto"], ["BTC"])
