"""`obid screen`: over the synthetic market, over a venue that is only asked, and what it prints."""

import json
import tomllib

import pytest

from config.load import load_profile
from config.universe import category_of
from daemon.modes import universe
from daemon.screen import MEASURED_MAX, Asked, screened
from daemon.screen_hyperliquid import HyperliquidSource
from daemon.screen_text import export
from risk.screen import BAR_S, Candidate
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from tests.daemon.runs import obid

NOW_NS = 1_788_264_000 * NS_PER_S  # on a boundary of 4 h


def test_the_table_ranks_every_name_of_the_universe():
    lines = obid("screen", "hip3", "--seed", "7").stdout.splitlines()
    assert lines[0] == "synthetic market, seed 7: 20 of 20 listed"
    assert lines[2].split()[:3] == ["rank", "symbol", "category"]
    symbols = [line.split()[1] for line in lines[3:23]]
    assert sorted(symbols) == sorted(s for s in load_profile("perps").symbols if ":" in s)
    assert obid("screen", "hip3", "--seed", "7").stdout.splitlines() == lines, "the same seed, the same screen"


def test_fewer_are_chosen_and_the_rest_are_named():
    found = json.loads(obid("screen", "hip3", "--top", "3", "--json").stdout)
    assert (found["kind"], found["listed"], len(found["ranked"]), len(found["left_out"])) == ("hip3", 20, 3, 17)
    assert [row["rank"] for row in found["ranked"]] == [1, 2, 3]
    assert all(row["why"].startswith("score ") for row in found["left_out"])


def test_native_coins_have_their_pins_first():
    found = json.loads(obid("screen", "perps", "--json").stdout)
    assert [row["symbol"] for row in found["ranked"]][:2] == ["BTC", "ETH"]
    assert all(row["spread_bps"] <= 5 and row["leverage"] == 10 for row in found["ranked"])


@pytest.mark.parametrize("kind", ["hip3", "perps"])
def test_the_export_is_configuration_that_checks(kind, tmp_path):
    path = tmp_path / "chosen.toml"
    path.write_text(obid("screen", kind, "--top", "4", "--export").stdout)
    table = tomllib.loads(path.read_text())["perps"]
    assert len(table["shadow_symbols"]) == len(table["leverage"]) == 4
    lines = obid("check", "--config", path).stdout.splitlines()
    (shadow,) = [line for line in lines if line.startswith("perps-shadow: venue hyperliquid")]
    assert set(shadow.partition("symbols: ")[2].split()) == set(table["shadow_symbols"])
    profile = load_profile("perps", [path])
    assert {s: one.leverage for s, one in universe(profile).items() if s in table["leverage"]} == table["leverage"]
    assert profile.tiers == {}, "or the start would measure nothing"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--top", "0"), "--top '0': a whole number from 1 to 200"),
        (("--source", "moon"), "--source 'moon': one of synthetic, hyperliquid"),
        (("--base-url", "http://127.0.0.1:9"), "--base-url 'http://127.0.0.1:9': a synthetic market is at no address"),
        (("--source", "hyperliquid", "--base-url", "moon"), "--base-url 'moon': base_url must be http(s)://"),
    ],
)
def test_what_is_asked_wrongly_is_one_line(args, said):
    (line,) = obid("screen", "hip3", *args, code=2).stderr.splitlines()
    assert said in line


def test_a_venue_that_is_not_there_is_one_line():
    where = ("--source", "hyperliquid", "--base-url", "http://127.0.0.1:9")  # the discard port: nobody listens
    (line,) = obid("screen", "hip3", *where, code=1).stderr.splitlines()
    assert line.startswith("obid: http://127.0.0.1:9 does not answer as it should: /info: ")


@pytest.mark.parametrize(
    ("symbol", "category"),
    [("BTC", "major"), ("SOL", "alt"), ("NEWCOIN", "alt"), ("xyz:GOLD", "commodity"), ("abc:GOLD", "commodity"),
     ("xyz:EUR", "fx"), ("xyz:EWY", "etf"), ("xyz:NEWCO", "stock"), ("xyz:SP500", "index")],
)  # fmt: skip
def test_categories(symbol, category):
    assert category_of(symbol) == category


# --- Hyperliquid


class SaidByVenue:
    """A door that answers as the venue's pages say, for a dex of three names of which one is delisted."""

    def __init__(self):
        self.asked = []

    async def info(self, body, read):
        question = json.loads(body)
        self.asked.append(question["type"])
        return read(json.dumps(getattr(self, question["type"])(question)).encode())

    async def close(self):
        self.asked.append("close")

    def perpDexs(self, question):
        return [None, {"name": "xyz", "fullName": "XYZ", "deployer": "0x1"}]

    def metaAndAssetCtxs(self, question):
        dex = "xyz:" if question.get("dex") else ""
        names = [("A", False), ("B", False), ("GONE", True)]
        listed = [
            {"name": f"{dex}{name}", "szDecimals": 2, "maxLeverage": 10} | ({"isDelisted": True} if gone else {})
            for name, gone in names
        ]
        context = {
            "funding": "0.0", "openInterest": "50000", "prevDayPx": "100", "dayNtlVlm": "900000", "oraclePx": "100",
            "markPx": "100", "midPx": "100", "premium": "0", "impactPxs": ["99.9", "100.1"], "dayBaseVlm": "9000",
        }  # fmt: skip
        return [{"universe": listed}, [context] * len(listed)]

    def candleSnapshot(self, question):
        req = question["req"]
        starts = range(req["startTime"], req["endTime"] + 1, BAR_S * 1000)
        return [
            {"t": at, "T": at + BAR_S * 1000 - 1, "s": req["coin"], "i": "4h", "n": 5, "v": "1",
             "o": "100", "h": "104", "l": "99", "c": "103" if place % 2 else "100"}
            for place, at in enumerate(starts)
        ]  # fmt: skip

    def l2Book(self, question):
        sides = [[{"px": "99.99", "sz": "1", "n": 1}], [{"px": "100.01", "sz": "1", "n": 1}]]
        return {"coin": question["coin"], "time": 1, "levels": sides}


def screen_of(source, kind="hip3"):
    asked = Asked(kind=kind, top=5, source="hyperliquid")

    async def main(clock):
        return await screened(asked, source, load_profile("perps"))

    return run_virtual(main, NOW_NS)


def test_hyperliquid_is_asked_for_dexs_contexts_candles_and_books():
    door = SaidByVenue()
    found = screen_of(HyperliquidSource(door=door, clock=lambda: NOW_NS))
    assert [(row.symbol, row.volume_usd, row.open_interest_usd) for row in found.ranked] == [
        ("xyz:A", 900_000.0, 5_000_000.0),
        ("xyz:B", 900_000.0, 5_000_000.0),
    ]
    assert found.ranked[0].spread_bps == pytest.approx(2.0)
    assert 1.4 < found.ranked[0].rmsd < 1.6
    assert door.asked == ["perpDexs", "metaAndAssetCtxs", "l2Book", "candleSnapshot", "l2Book", "candleSnapshot"]


def test_names_that_the_universe_lacks_are_exported_as_comments_only():
    found = screen_of(HyperliquidSource(door=SaidByVenue(), clock=lambda: NOW_NS))
    text = export(found, load_profile("perps"))
    assert '  # "xyz:A", is not in config/universe/perps.toml yet; stock, RMSD 1.48 %' in text
    assert tomllib.loads(text)["perps"]["shadow_symbols"] == []


class Crowded:
    """More names than are worth a question."""

    name = "crowded"

    async def listed(self, asset_class):
        return [
            Candidate(symbol=f"C{n:03}", category="alt", leverage_max=5, volume_usd=float(n), open_interest_usd=1.0)
            for n in range(MEASURED_MAX + 3)
        ] + [Candidate(symbol="BTC", category="major", leverage_max=40, volume_usd=0.5, open_interest_usd=1.0)]

    async def closes(self, symbol):
        return (1.0, 2.0) * 21

    async def spread_bps(self, symbol):
        return 1.0


def test_only_those_that_trade_most_are_measured_and_the_pinned():
    found = screen_of(Crowded(), "perps")
    assert found.ranked[0].symbol == "BTC"
    unasked = [one.symbol for one in found.left_out if one.why.startswith("not measured")]
    assert unasked == ["C003", "C002", "C001", "C000"]
