"""The universe: ids by place, delisted ones keep theirs, exact case, and one wrong name refuses itself alone."""

import json
from decimal import Decimal

import pytest

from config.universe import SymbolFacts, load_universe
from tests.venues.hyperliquid.said import LISTED
from venues.hyperliquid import info
from venues.hyperliquid.meta import assets_of, dex_of, dexs_of, instrument_of, nearest, universe_of

DEXS = info.perp_dexs().read('[null,{"name":"test"},{"name":"xyz"}]')
MAIN = [("BTC", 5, 40), ("MATIC", 1, 20), ("kSHIB", 0, 10), ("DOGE", 0, 3)]
BUILT = [("xyz:XYZ100", 4, 25), ("xyz:TSLA", 3, 10), ("xyz:COST", 4, 20), ("xyz:NVDA", 3, 2)]
ISOLATED = {"onlyIsolated": True, "marginMode": "strictIsolated"}


def listed(rows, gone=(), collateral=0, **more):
    universe = [
        LISTED | {"name": name, "szDecimals": decimals, "maxLeverage": leverage} | more | {"isDelisted": name in gone}
        for name, decimals, leverage in rows
    ]
    return info.meta().read(json.dumps({"universe": universe, "collateralToken": collateral}))


ASSETS = assets_of(DEXS, {"": listed(MAIN, {"MATIC"}), "xyz": listed(BUILT, {"xyz:COST"}, **ISOLATED)})


def facts(symbol, **more):
    row = load_universe("perps")["xyz:TSLA" if ":" in symbol else "BTC"]
    return SymbolFacts(**{field: getattr(row, field) for field in row.__struct_fields__} | {"symbol": symbol} | more)


def test_ids_are_places_and_the_delisted_keep_theirs():
    ids = {name: asset.asset_id for name, asset in ASSETS.items()}
    assert ids == {
        "BTC": 0,
        "MATIC": 1,
        "kSHIB": 2,
        "DOGE": 3,
        "xyz:XYZ100": 120000,
        "xyz:TSLA": 120001,
        "xyz:COST": 120002,
        "xyz:NVDA": 120003,
    }
    assert [name for name, asset in ASSETS.items() if asset.delisted] == ["MATIC", "xyz:COST"]


@pytest.mark.parametrize("dexs", ["[null]", "[]", '[null,{"name":"other"}]'])
def test_a_dex_that_the_venue_does_not_know_has_no_assets(dexs):
    known = info.perp_dexs().read(dexs)
    assert assets_of(known, {"": listed(MAIN), "xyz": listed(BUILT)}).keys() == {name for name, _, _ in MAIN}
    assert assets_of(known, {"": None, "xyz": None}) == {}


def test_an_asset_that_bears_another_dexs_name_is_not_taken_in():
    """It would shadow the true one and have its orders sent elsewhere."""
    both = {"xyz": listed(BUILT), "test": listed([("xyz:TSLA", 3, 10), ("BTC", 5, 40), ("test:ABC", 0, 3)])}
    assets = assets_of(DEXS, {"": listed(MAIN)} | both)
    assert (assets["BTC"].asset_id, assets["xyz:TSLA"].asset_id, assets["test:ABC"].asset_id) == (0, 120001, 110002)


def test_the_rules_are_the_venues_and_the_leverage_the_lesser():
    btc = instrument_of(ASSETS["BTC"], facts("BTC", leverage=10))
    assert (btc.tick, btc.lot, btc.price_figures_max) == (Decimal("0.1"), Decimal("0.00001"), 5)
    assert (btc.leverage, btc.isolated, btc.asset_class, btc.engine) == (10, False, "native", "perps")
    doge = instrument_of(ASSETS["DOGE"], facts("DOGE", leverage=10))
    assert (doge.tick, doge.lot, doge.leverage) == (Decimal("0.000001"), Decimal(1), 3)
    tesla = instrument_of(ASSETS["xyz:TSLA"], facts("xyz:TSLA", isolated=False))
    assert (tesla.tick, tesla.lot, tesla.leverage, tesla.isolated) == (Decimal("0.001"), Decimal("0.001"), 5, True)
    assert btc.tick * btc.lot == tesla.tick * tesla.lot == doge.tick * doge.lot == Decimal("0.000001")
    assert (ASSETS["BTC"].dust, ASSETS["DOGE"].dust) == (Decimal("0.000015"), Decimal("1.5"))


def test_what_cannot_be_traded_is_named_and_takes_nothing_down():
    wanted = [
        facts(name) for name in ("BTC", "btc", "KSHIB", "TSLA", "XYZ:NVDA", "MATIC", "xyz:TSLQ", "QQQQQQ", "DOGE")
    ]
    universe = universe_of(ASSETS, wanted)
    assert [instrument.symbol for instrument in universe.instruments] == ["BTC", "DOGE"]
    assert universe.assets.keys() == {"BTC", "DOGE"}
    said = {refused.name: str(refused) for refused in universe.refused}
    assert said["btc"] == "btc is not traded: the venue does not list it; did you mean BTC?"
    assert "did you mean kSHIB" in said["KSHIB"]
    assert "did you mean xyz:TSLA" in said["TSLA"]
    assert "did you mean xyz:NVDA" in said["XYZ:NVDA"]
    assert "xyz:TSLA" in said["xyz:TSLQ"]
    assert said["MATIC"] == "MATIC is not traded: the venue has delisted it"
    assert said["QQQQQQ"] == "QQQQQQ is not traded: the venue does not list it"
    assert len(said) == 7


def test_the_delisted_are_not_proposed():
    assert nearest("matic", ASSETS) == ()
    assert "xyz:COST" not in nearest("COST", ASSETS)


def test_a_dex_with_another_collateral_is_not_for_this_account():
    assets = assets_of(DEXS, {"": listed(MAIN), "xyz": listed(BUILT, collateral=1)})
    universe = universe_of(assets, [facts("BTC"), facts("xyz:TSLA")])
    assert [instrument.symbol for instrument in universe.instruments] == ["BTC"]
    assert "takes token 1 as collateral" in str(universe.refused[0])
    assert len(universe_of(assets, [facts("BTC"), facts("xyz:TSLA")], (0, 1)).instruments) == 2


@pytest.mark.parametrize(("decimals", "leverage"), [(7, 10), (-1, 10), (2, 0)])
def test_an_asset_without_rules_is_refused_alone(decimals, leverage):
    assets = assets_of(DEXS, {"": listed([*MAIN, ("ODD", decimals, leverage)])})
    universe = universe_of(assets, [facts("BTC"), facts("ODD")])
    assert len(universe.instruments) == 1
    assert "no rules for orders" in str(universe.refused[0])


def test_dexs_to_ask_follow_from_names():
    assert dexs_of(load_universe("perps")) == ("", "xyz")
    assert (dex_of("BTC"), dex_of("xyz:TSLA"), dex_of("flx:CRCL")) == ("", "xyz", "flx")
    assert dexs_of([]) == ()
