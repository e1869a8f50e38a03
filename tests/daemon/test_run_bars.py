"""Hybrid bars: of some symbols another source gives the bars, of all others the venue's books make them."""

from itertools import count as numbers

import pytest

from daemon import modes
from daemon.options import Mode
from tests.daemon.runs import eager, log_of, obid
from venues.market import Bar
from venues.simulated import SimulatedVenue

SPOT = 500_000.0  # nowhere near the perpetual's price, so that one can tell whose bar it was
S = 1_000_000_000


class SpotBars:
    """A bar a second around SPOT."""

    name = "alpaca"

    def __init__(self, names, clock):
        self.names = names
        self.clock = clock

    def _bar(self, symbol, start_ns):
        close = SPOT * (1 + 0.001 * (start_ns // S % 7))
        return Bar(symbol, start_ns, S, close, close, close, close, 1)

    async def history(self, symbol, interval_ns, bars):
        now_ns = self.clock.now_ns() // S * S
        return [self._bar(symbol, now_ns - (bars - place) * S) for place in range(bars)]

    async def bars(self):
        start_ns = self.clock.now_ns() // S * S
        for place in numbers():
            await self.clock.sleep_until(start_ns + (place + 1) * S)
            yield [self._bar(symbol, start_ns + place * S) for symbol in self.names]


@pytest.fixture
def config(tmp_path):
    return eager(tmp_path, '[perps.live.macro]\nwhen_degraded = "trade"\n[perps.bars.alpaca]\nBTC = "BTC/USD"\n')


def test_decisions_of_a_symbol_stand_on_the_bars_of_its_source(config, tmp_path, monkeypatch):
    source = modes.synthetic_source(7, modes.session_calendar())

    def adapter(profile, clock, _):
        engine = modes.matching_engine(profile, modes.universe(profile), modes.LedgerMind())
        market = source(profile, clock.now_ns())
        return SimulatedVenue("real", market, engine, modes.latency_of(profile, 7), clock)

    opening = modes.deposits
    monkeypatch.setattr(modes, "deposits", lambda _, *rest: opening(Mode.SYNTHETIC, *rest))
    monkeypatch.setitem(modes.ADAPTERS, "hyperliquid", adapter)
    monkeypatch.setitem(modes.BAR_SOURCES, "alpaca", lambda names, clock, *_: SpotBars(names, clock))
    monkeypatch.setenv("OBID_ALPACA_DATA_KEY_ID", "PK" + "1" * 18)
    monkeypatch.setenv("OBID_ALPACA_DATA_SECRET", "2" * 40)
    monkeypatch.setenv("OBID_LIVE", "yes-real-money")
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", "0x" + "1" * 64)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", "0x" + "2" * 40)
    data = tmp_path / "data"
    run = ("run", "--mode", "live", "--config", config, "--symbols", "BTC,ETH", "--bar", "1s", "--plain")
    obid(*run, "--for", "15s", "--data-dir", data)
    closes = {symbol: [] for symbol in ("BTC", "ETH")}
    for line in log_of(data, "intent"):
        closes[line["symbol"]].append(line["evidence"]["close"])
    assert closes["BTC"] and min(closes["BTC"]) >= SPOT
    assert max(closes["ETH"], default=0.0) < 10_000


def test_a_source_that_this_version_lacks_is_one_line(config, monkeypatch, tmp_path):
    monkeypatch.setitem(modes.ADAPTERS, "hyperliquid", lambda profile, clock, real: None)
    monkeypatch.delitem(modes.BAR_SOURCES, "alpaca")
    result = obid("run", "--mode", "shadow", "--config", config, "--data-dir", tmp_path / "data", code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("obid: perps.bars.alpaca: this version has no bars of that source")


def test_bars_that_want_a_login_say_so(config, monkeypatch, tmp_path):
    monkeypatch.setitem(modes.ADAPTERS, "hyperliquid", lambda profile, clock, real: None)
    result = obid("run", "--mode", "shadow", "--config", config, "--data-dir", tmp_path / "data", code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("obid: alpaca_data_key_id: is missing, and Alpaca's market data wants a login")


def test_a_made_market_has_its_own_bars(config):
    lines = obid("check", "--config", config).stdout
    assert "bars of alpaca" not in lines
    assert "perps: bars of alpaca: BTC" in obid("check", "--mode", "shadow", "--config", config).stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[perps.bars.alpaca]\nBTX = "BTC/USD"\n', "perps.bars.alpaca = 'BTX': no such symbol"),
        (
            '[perps.bars.a]\nBTC = "x"\n[perps.bars.b]\nBTC = "y"\n',
            "perps.bars = 'BTC': has bars of one source at most",
        ),
        ('[equities.bars.a]\nCOST = "x"\n', "equities.bars = 'a': an engine whose window holds days"),
    ],
)
def test_bars_that_cannot_be_are_one_line(text, said, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(text)
    (line,) = obid("check", "--engine", text[1:].partition(".")[0], "--config", path, code=2).stderr.splitlines()
    assert said in line
