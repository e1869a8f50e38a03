"""`obid screen equities`: what is looked at, what will do, and what a person reads of it."""

import json
from decimal import Decimal

import pytest

from actors.windows import z_score
from config.errors import ConfigError
from config.load import load_profile
from config.universe import load_universe
from daemon.errors import Failed
from daemon.screen_alpaca import AlpacaStocks
from daemon.screen_stocks import SOURCES, AskedStocks, screen_stocks, screened
from daemon.stocks import DAYS, Stock
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from tests.daemon.runs import obid
from venues.alpaca.bars import Buffer, Fullness
from venues.alpaca.trading_wire import Asset
from venues.market import Bar
from venues.venue import VenueUnreachable

PROFILE = load_profile("equities")
NOW_NS = 1_795_190_400 * NS_PER_S


def stock(symbol="KLAC", last=100.0, shares=2_000_000.0, **changes):
    """Sixty closes that swing by a dollar, then the last."""
    closes = tuple(last * (1 + 0.01 * (day % 2)) for day in range(DAYS - 1))
    return Stock(**{"symbol": symbol, "closes": (*closes, last), "volumes": (shares,) * DAYS, **changes})


def shown(*args):
    return json.loads(obid("screen", "equities", "--json", *args).stdout)


# --- the command, over the synthetic market


def test_the_universe_is_looked_at_and_ranked_by_how_far_it_strayed():
    found = shown("--seed", "7")
    assert found["looked_at"] == 141 == len(found["ranked"]) + len(found["left_out"])
    far = [abs(row["z"]) for row in found["ranked"]]
    assert far == sorted(far, reverse=True)
    assert len(far) > 30
    tier = PROFILE.tier_default
    for row in found["ranked"]:
        assert row["price_usd"] > 20
        assert row["volume_shares"] > 1_000_000
        assert row["in_universe"]
        assert row["sector"] == load_universe("equities")[row["symbol"]].sector
        assert row["zone"] == (
            "long" if row["z"] < -tier.z_entry else "short" if row["z"] > tier.z_entry else "between"
        )
    caps = {row["sector"]: row["sector_cap"] for row in found["ranked"]}
    assert caps["Utilities"] == 3
    assert shown("--seed", "7") == found, "the same seed, the same screen"


def test_new_names_are_those_that_the_universe_lacks_and_bad_ones_say_why():
    found = shown("--new-only")
    why = {row["symbol"]: row["why"] for row in found["left_out"]}
    assert not {row["symbol"] for row in found["ranked"]} & load_universe("equities").keys()
    assert "price" in why["UNG"], "README: left out for its price"
    assert all("shares a day" in why[name] for name in ("PPLT", "PALL", "CPER", "URNM")), "for their volume"
    assert {"AAPL", "NVDA"} <= {row["symbol"] for row in found["ranked"]}


def test_a_sector_and_a_distance_narrow_it():
    every, far = shown("--sector", "Utilities"), shown("--sector", "Utilities", "--min-z", "1.0")
    assert {row["sector"] for row in every["ranked"]} == {"Utilities"}
    assert [row["symbol"] for row in far["ranked"]] == [
        row["symbol"] for row in every["ranked"] if abs(row["z"]) >= 1.0
    ]
    assert len(far["ranked"]) < len(every["ranked"])
    assert any(row["why"].startswith("z ") for row in far["left_out"])


def test_people_read_a_table():
    lines = obid("screen", "equities", "--sector", "Energy").stdout.splitlines()
    assert lines[0].startswith("synthetic market, seed 1: ")
    heads = ["rank", "symbol", "sector", "universe", "price_usd", "volume_mshares", "z", "zone", "sector_cap"]
    assert lines[2].split() == heads


def test_nothing_that_will_do_is_exit_code_1():
    assert "none will do" in obid("screen", "equities", "--min-z", "7.9", code=1).stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--sector", "Banks"), "obid: --sector 'Banks': one of "),
        (("--min-z", "-1"), "obid: --min-z '-1.0': a number from 0 to 100"),
        (("--min-z", "nan"), "obid: --min-z 'nan': a number from 0 to 100"),
        (("--source", "yahoo"), "obid: --source 'yahoo': one of synthetic, alpaca"),
    ],
)
def test_what_makes_no_sense_is_one_line(args, said):
    (line,) = obid("screen", "equities", *args, code=2).stderr.splitlines()
    assert line.startswith(said)


def test_alpaca_without_a_key_is_one_line(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in ("OBID_ALPACA_PAPER_KEY_ID", "OBID_ALPACA_PAPER_SECRET"):
        monkeypatch.delenv(name, raising=False)
    (line,) = obid("screen", "equities", "--source", "alpaca", code=2).stderr.splitlines()
    assert "alpaca_paper_key_id" in line


# --- what will do


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (stock(last=20.0), "price 20.00 USD, more than 20 wanted"),
        (stock(shares=1_000_000.0), "1,000,000 shares a day, more than 1,000,000 wanted"),
        (stock(closes=(100.0,) * 59), "59 daily closes, 60 wanted"),
        (stock(closes=(100.0,) * 60), "its closes are flat"),
        (stock(closes=(*(100.0,) * 59, float("nan"))), "its closes are no prices"),
        (stock(volumes=()), "0 shares a day, more than 1,000,000 wanted"),
        (stock(wrong="cannot be traded there"), "cannot be traded there"),
    ],
)
def test_what_is_left_out_says_why(one, why):
    found = screened(AskedStocks(), "a test", [one], PROFILE)
    assert found.ranked == ()
    assert [row.why for row in found.left_out] == [why]


def test_z_is_of_the_last_sixty_closes_and_the_volume_of_thirty_days():
    one = stock()
    long = stock(closes=(1.0, *one.closes), volumes=(*(0.0,) * 30, *(3_000_000.0,) * 30))
    (row,) = screened(AskedStocks(), "a test", [long], PROFILE).ranked
    assert row.z == z_score(one.closes) == pytest.approx(-0.959, abs=0.001)
    assert (row.volume_shares, row.zone, row.sector_cap) == (3_000_000.0, "between", 2)


def test_a_name_that_nobody_knows_has_no_sector():
    (row,) = screened(AskedStocks(new_only=True), "a test", [stock("ZZZZ"), stock("KLAC")], PROFILE).ranked
    assert (row.symbol, row.sector, row.in_universe, row.sector_cap) == ("ZZZZ", "", False, 3)


# --- Alpaca


class Assets:
    """Alpaca's list."""

    async def must(self, kind, path, query):
        assert (path, query) == ("/v2/assets", {"status": "active", "asset_class": "us_equity"})
        known = {"KLAC": True, "NKE": True, "NEWCO": True, "HALTED": False}
        return tuple(Asset(symbol=name, asset_class="us_equity", tradable=yes) for name, yes in known.items())

    async def close(self):
        """Nothing is open."""


class Bars:
    """Alpaca's bars: full ones of every name, but NKE's."""

    async def close(self):
        """Nothing is open."""

    async def buffers(self, symbols, wanted):
        assert (wanted.feed, wanted.bars, wanted.path) == ("sip", DAYS, "/v2/stocks/bars")
        self.asked = list(symbols)
        return {symbol: self.buffer(symbol) for symbol in symbols}

    def buffer(self, symbol):
        if symbol == "NKE":
            return Buffer(symbol, (), DAYS, Fullness.REFUSED, "invalid symbol: NKE")
        one = stock(symbol)
        bars = tuple(Bar(symbol, day, 1, c, c, c, c, 1) for day, c in enumerate(one.closes))
        return Buffer(symbol, bars, DAYS, Fullness.FULL, volumes=one.volumes)


def alpaca():
    source = object.__new__(AlpacaStocks)
    source.name, source._assets, source._bars = "alpaca", Assets(), Bars()
    return source


def asked_of_alpaca(monkeypatch, **asked):
    source = alpaca()
    monkeypatch.setitem(SOURCES, "alpaca", lambda asked, clock: source)
    monkeypatch.setattr("daemon.screen_stocks.run_wall", run_virtual)
    return source, screen_stocks(AskedStocks(source="alpaca", **asked))


def test_alpacas_universe_is_what_trades_there(monkeypatch):
    source, found = asked_of_alpaca(monkeypatch)
    assert source._bars.asked == ["KLAC", "NKE"], "in the order of the universe"
    assert [row.symbol for row in found.ranked] == ["KLAC"]
    why = {row.symbol: row.why for row in found.left_out}
    assert why["NKE"] == "invalid symbol: NKE"
    assert why["HRL"] == "cannot be traded there"
    assert found.looked_at == 141


def test_alpacas_new_names_are_all_others_that_trade(monkeypatch):
    source, found = asked_of_alpaca(monkeypatch, new_only=True)
    assert source._bars.asked == ["NEWCO"]
    assert [row.symbol for row in found.ranked] == ["NEWCO"]


def test_a_venue_that_does_not_answer_is_told(monkeypatch):
    async def down(*_):
        raise VenueUnreachable("no route")

    monkeypatch.setattr(Bars, "buffers", down)
    with pytest.raises(Failed, match="alpaca does not answer as it should: no route"):
        asked_of_alpaca(monkeypatch)


def test_candidates_are_none_of_the_universe_and_of_its_sectors():
    universe, candidates = load_universe("equities"), load_universe("equities_candidates")
    assert not universe.keys() & candidates.keys()
    assert {one.sector for one in candidates.values()} <= {one.sector for one in universe.values()}
    assert {one.tick for one in candidates.values()} == {Decimal("0.01")}
    with pytest.raises(ConfigError):
        load_profile("equities", symbols=["AAPL"])
