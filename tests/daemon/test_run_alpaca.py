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
    path.write_text(text)
    return path


def traded(venue: Running, data: Path, monkeypatch: Any, config: Path, *engines: str, mode: Mode, seconds: float) -> int:
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
