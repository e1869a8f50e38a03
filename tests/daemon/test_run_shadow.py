"""Shadow per symbol: some symbols of an engine burn in with simulated fills while the others trade for real."""

import pytest

from config.load import load_profile
from daemon import modes
from daemon.options import Mode
from tests.daemon.runs import EAGER, count, hold, log_of, obid
from venues.simulated import SimulatedVenue

SHADOWED = ("SOL", "xyz:TSLA")
CONFIG = (
    '[perps]\nshadow_symbols = ["SOL", "xyz:TSLA"]\n'
    + EAGER
    + "[perps.tier_rules.alt]\nz_entry = 0.3\nz_exit = 0.1\n[perps.tier_rules.stock]\nz_entry = 0.3\nz_exit = 0.1\n"
)
BUSY = ("--symbols", "BTC,SOL,xyz:TSLA", "--seed", "7", "--plain")


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "shadow.toml"
    path.write_text(CONFIG)
    return path


def test_two_engines_with_books_of_their_own_trade_in_one_run(config, tmp_path):
    data = tmp_path / "data"
    result = obid("run", "--config", config, *BUSY, "--bar", "5s", "--for", "10m", "--speed", "max", "--data-dir", data)
    assert count(result, "fills") > 20
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line[:5] in ("perps", "all  ")}
    assert rows["all"] == rows["perps"] != rows["perps-shadow"], "simulated dollars add up to nothing"
    fills = log_of(data, "fill")
    assert {(fill["engine"], fill["symbol"]) for fill in fills} == {
        ("perps", "BTC"),
        ("perps-shadow", "SOL"),
        ("perps-shadow", "xyz:TSLA"),
    }
    accounts = obid("ledger", "statement", "--data-dir", data).stdout
    assert "position:perps:BTC" in accounts
    assert "position:perps-shadow:SOL" in accounts
    assert "position:perps:SOL" not in accounts, "simulated lots in the books of real money"


def test_a_symbol_in_shadow_is_never_gated_for_ever(config, tmp_path):
    """The seed's shadow told no taker's fill and ended no maker's cancel: the symbol was shut from then on."""
    data = tmp_path / "data"
    obid("run", "--config", config, *BUSY, "--bar", "5s", "--for", "20m", "--speed", "max", "--data-dir", data)
    intents = [line for line in log_of(data, "intent") if line["engine"] == "perps-shadow"]
    for symbol in SHADOWED:
        purposes = [line["purpose"] for line in intents if line["symbol"] == symbol]
        assert purposes.count("entry") > 3 < purposes.count("exit"), f"{symbol} was entered and left again and again"


class Real(SimulatedVenue):
    """Stands for a real venue: answers, and keeps what it was sent."""

    sent: list  # of all of its kind

    async def submit(self, order):
        self.sent.append(order)
        return await super().submit(order)

    async def replace(self, order):
        self.sent.append(order)
        return await super().replace(order)


def test_in_live_mode_no_order_of_a_symbol_in_shadow_reaches_the_real_venue(config, tmp_path, monkeypatch):
    sent: list = []
    source = modes.synthetic_source(7, modes.session_calendar())

    def adapter(profile, clock, _):
        engine = modes.matching_engine(profile, modes.universe(profile), modes.LedgerMind())
        stand_in = Real("real", source(profile, clock.now_ns()), engine, modes.latency_of(profile, 7), clock)
        stand_in.sent = sent
        return stand_in

    monkeypatch.setitem(modes.ADAPTERS, "hyperliquid", adapter)
    opening = modes.deposits  # a real venue says what the account holds; this one holds what a made one opens with
    monkeypatch.setattr(modes, "deposits", lambda _, *rest: opening(Mode.SYNTHETIC, *rest))
    monkeypatch.setenv("OBID_LIVE", "yes-real-money")
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", "0x" + "1" * 64)
    monkeypatch.setenv("OBID_HYPERLIQUID_MASTER_ADDRESS", "0x" + "2" * 40)
    config.write_text(CONFIG + "[perps.macro]\nwhen_degraded = 'trade'\n[perps.live.macro]\nwhen_degraded = 'trade'\n")
    data = tmp_path / "data"
    obid("run", "--mode", "live", "--config", config, *BUSY, "--bar", "1s", "--for", "15s", "--data-dir", data)
    assert {order.symbol for order in sent} == {"BTC"}
    assert {order.engine for order in sent} == {"perps"}
    shadowed = [fill["symbol"] for fill in log_of(data, "fill") if fill["engine"] == "perps-shadow"]
    assert set(shadowed) <= set(SHADOWED) and shadowed


def test_check_says_where_the_orders_of_each_go(config):
    lines = obid("check", "--config", config).stdout.splitlines()
    assert "perps-shadow: orders go to: obid's matching engine; nothing leaves this machine" in lines
    assert "perps-shadow: venue hyperliquid, 2 symbols: SOL xyz:TSLA" in lines
    (traded,) = [line for line in lines if line.startswith("perps: venue hyperliquid")]
    assert " SOL" not in traded and " BTC" in traded


def test_in_shadow_mode_all_of_an_engine_is_one_side(config):
    lines = obid("check", "--mode", "shadow", "--config", config).stdout.splitlines()
    assert not any("perps-shadow" in line for line in lines)


def test_a_symbol_that_is_held_does_not_change_sides(config, tmp_path):
    data = tmp_path / "data"
    hold(data, "SOL", 20)
    result = obid("run", "--config", config, "--data-dir", data, "--for", "1s", "--speed", "max", code=2)
    assert result.stderr.splitlines() == [
        "obid: shadow_symbols = 'SOL': perps holds 20 lots of it: flatten it before perps-shadow trades it"
    ]


@pytest.mark.parametrize(
    ("symbols", "said"),
    [
        ("BTC", "perps.shadow_symbols = 'BTC': leaves no symbol to trade for real; shadow mode is for that"),
        ("XYZ:MSTR", "perps.shadow_symbols = 'XYZ:MSTR': no such symbol in the perps universe; did you mean xyz:MSTR?"),
    ],
)
def test_what_cannot_be_shadowed_is_one_line(symbols, said, tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(f'[perps]\nshadow_symbols = ["{symbols}"]\n')
    result = obid("check", "--config", path, "--symbols", "BTC", code=2)
    (line,) = result.stderr.splitlines()
    assert said in line


def test_a_symbol_that_is_not_traded_today_may_stay_in_the_list(config):
    lines = obid("check", "--config", config, "--symbols", "BTC").stdout.splitlines()
    assert not any("perps-shadow" in line for line in lines)


def test_the_packaged_profile_has_nothing_in_shadow():
    assert load_profile("perps").shadow_symbols == ()
