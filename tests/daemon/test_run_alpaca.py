"""`obid run --mode paper`, live with play money, and shadow against the emulated Alpaca: the daemon unchanged."""

import json
import urllib.request
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from config.errors import ConfigError
from config.settings import PLAY, load_settings
from daemon import run
from daemon.books import recover_from
from daemon.options import JOURNAL_NAME, Mode, RunOptions
from tests.daemon.runs import EAGER, log_of
from tests.venues.emulator.alpaca_running import KEY, SECRET, running_alpaca
from tests.venues.emulator.running import Running

COINS = ("BTC/USD", "ETH/USD", "SOL/USD")
SHARES = ("CRM", "COST")
SPEED = 8.0
BUSY = EAGER.replace("[perps.signal]", "[perps.signal]\nbar_s = 1").replace("6000", "60")
FAULTS = """
seed = 3
[[fault]]
kind = "close"
every_s = 40
[[fault]]
kind = "lost_before"
every_s = 30
requests = ["order", "replace"]
[[fault]]
kind = "gateway_504"
every_s = 25
requests = ["order", "replace", "cancel"]
[[fault]]
kind = "late_fills"
every_s = 15
"""


@pytest.fixture
def keys(monkeypatch):
    for kind in ("PAPER", "LIVE"):
        monkeypatch.setenv(f"OBID_ALPACA_{kind}_KEY_ID", KEY)
        monkeypatch.setenv(f"OBID_ALPACA_{kind}_SECRET", SECRET)


def configured(tmp_path: Path, venue: Running, *engines: str, daemon: str = "", more: str = BUSY) -> Path:
    path = tmp_path / "emulator.toml"
    text = f'[daemon]\nalpaca_url = "{venue.url}"\n{daemon}\n'
    for engine in engines:
        symbols = COINS if engine == "crypto" else SHARES
        text += f"[{engine}]\nsymbols = {json.dumps(symbols)}\n" + more.replace("perps", engine)
        if engine == "equities" and more:  # bars of seconds, not of days
            text = text.replace("[equities.signal]\n", "[equities.signal]\ndaily = false\nobi_theta = 0.01\n")
    path.write_text(text)
    return path


def traded(
    venue: Running, data: Path, monkeypatch: Any, config: Path, *engines: str, mode: Mode, seconds: float
) -> int:
    """Run at the emulator's speed and by its time."""
    asked = urllib.request.Request(venue.url + "/emulator/time", b"{}", method="POST")

    def now_ns() -> int:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["now_ns"]

    monkeypatch.setattr(run, "now_ns", now_ns)
    options = RunOptions(
        mode=mode,
        engines=engines,
        data_dir=data,
        config=config,
        plain=True,
        for_ns=round(seconds * 1e9),
        speed=SPEED,
    )
    return run.run(options)


def held(data: Path, engine: str) -> dict[str, Decimal]:
    """Positions by the ledger."""
    mind = recover_from(data / JOURNAL_NAME)
    positions = mind.books.positions.get(engine, {})
    return {s.replace("/", ""): mind.books.instrument(engine, s).size(p.lots) for s, p in positions.items() if p.lots}


def told(truth: Any) -> dict[str, Decimal]:
    """Positions by the venue."""
    return {symbol.replace("/", ""): Decimal(qty) for symbol, qty in truth["positions"].items() if Decimal(qty)}


def test_venue_and_ledger_agree_after_a_bad_minute(tmp_path, monkeypatch, keys):
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS)
    data = tmp_path / "data"
    with running_alpaca(COINS, speed=SPEED, faults=str(faults)) as venue:
        config = configured(tmp_path, venue, "crypto")
        assert traded(venue, data, monkeypatch, config, "crypto", mode=Mode.PAPER, seconds=100) == 0
        assert traded(venue, data, monkeypatch, config, "crypto", mode=Mode.PAPER, seconds=40) == 0, "and again"
        truth, counted = venue.truth(KEY), venue.statistics()
    mind = recover_from(data / JOURNAL_NAME)
    assert held(data, "crypto") == told(truth)
    assert [order.request.id for order in mind.orders.values() if not order.over] == []
    assert truth["open_orders"] == []
    assert len(truth["fills"]) > 0
    assert not log_of(data, "drift")
    assert not log_of(data, "child_crashed")
    assert counted["faults"]["lost_before"] and counted["faults"]["gateway_504"]


def test_two_engines_trade_one_account(tmp_path, monkeypatch, keys):
    """One stream, one REST, one account; each has its part of the money, and no position of the other's."""
    data = tmp_path / "data"
    with running_alpaca((*COINS, *SHARES), speed=SPEED) as venue:
        config = configured(tmp_path, venue, "crypto", "equities")
        assert traded(venue, data, monkeypatch, config, "crypto", "equities", mode=Mode.PAPER, seconds=80) == 0
        truth, counted = venue.truth(KEY), venue.statistics()
    mind = recover_from(data / JOURNAL_NAME)
    assert held(data, "crypto") | held(data, "equities") == told(truth)
    assert {mind.books.money(engine).capital_minor for engine in ("crypto", "equities")} == {50_000_000_000}
    assert not log_of(data, "drift")
    assert not log_of(data, "child_crashed")
    assert {fill["symbol"] for fill in truth["fills"]} & {*COINS}, "coins were traded"
    assert {fill["symbol"] for fill in truth["fills"]} & {*SHARES}, "and shares"
    assert counted["sockets"] == 3, "coins, shares, the account"
    cash = sum(mind.books.money(engine).cash_minor for engine in ("crypto", "equities"))
    assert abs(cash - round(Decimal(truth["account"]["cash"]) * 1_000_000)) < 100_000, "ten cents"


def test_live_runs_with_play_money(tmp_path, monkeypatch, keys):
    data = tmp_path / "data"
    with running_alpaca(COINS, speed=SPEED) as venue:
        config = configured(tmp_path, venue, "crypto", daemon=f'live = "{PLAY}"\nalpaca_trading_mode = "live"')
        assert traded(venue, data, monkeypatch, config, "crypto", mode=Mode.LIVE, seconds=40) == 0
        truth = venue.truth(KEY)
    assert held(data, "crypto") == told(truth)
    assert not log_of(data, "drift")


def test_shadow_hears_the_market_and_sends_nothing(tmp_path, monkeypatch, keys):
    data = tmp_path / "data"
    with running_alpaca(COINS, speed=SPEED) as venue:
        config = configured(tmp_path, venue, "crypto")
        assert traded(venue, data, monkeypatch, config, "crypto", mode=Mode.SHADOW, seconds=40) == 0
        truth, counted = venue.truth(KEY), venue.statistics()
    assert truth["orders"] == []
    assert counted["sockets"] == 1, "coins, and no account"
    assert log_of(data, "fill") or log_of(data, "position_changed")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"alpaca_url": "http://10.0.0.1:1"}, "http:// is for an emulator on this machine"),
        ({"alpaca_data_url": "ftp://127.0.0.1"}, "must begin with https://"),
        ({"alpaca_feed": "sip"}, "must be iex with alpaca_plan = basic"),
        ({"alpaca_data_key_id": "half"}, "alpaca_data_secret: is missing beside alpaca_data_key_id"),
        ({"alpaca_data_secret": "half"}, "alpaca_data_key_id: is missing beside alpaca_data_secret"),
        ({"mode": "live", "live": PLAY}, "real money needs the second switch"),
        ({"mode": "live", "live": PLAY, "alpaca_url": "https://10.0.0.1"}, "real money needs the second switch"),
    ],
)
def test_settings_that_cannot_be_right(asked, said, keys):
    cli = {"mode": "paper", "alpaca_trading_mode": asked.get("mode", "paper")} | asked
    with pytest.raises(ConfigError) as error:
        load_settings(cli, engines=["crypto"], env_file=None)
    assert said in str(error.value)


def test_play_money_is_right_at_an_emulator(keys):
    cli = {"mode": "live", "alpaca_trading_mode": "live", "live": PLAY, "alpaca_url": "http://127.0.0.1:8200"}
    assert load_settings(cli, engines=["crypto", "equities"], env_file=None).live == PLAY
