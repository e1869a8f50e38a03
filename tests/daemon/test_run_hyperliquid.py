"""`obid run --mode live` and shadow against the emulated Hyperliquid: the daemon unchanged, the socket real."""

import asyncio
import json
import urllib.request
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from actors.messages import OrderPlanned, RunStarted
from actors.records import written
from config.errors import ConfigError
from config.settings import PLAY, load_settings
from daemon import run
from daemon.books import recover_from
from daemon.emulate import snippet
from daemon.options import JOURNAL_NAME, Mode, RunOptions
from daemon.report.made import made
from supervisor.journal import Journal
from tests.daemon.runs import EAGER, log_of, obid
from tests.venues.emulator.running import ADDRESS, KEY, Running, running
from tests.venues.hyperliquid.adapted import adapted
from venues.market import Accepted, OrderRequest

SYMBOLS = ("BTC", "ETH", "xyz:TSLA")
SPEED = 8.0
BUSY = EAGER.replace("[perps.signal]", "[perps.signal]\nbar_s = 1").replace("6000", "60")
FAULTS = """
seed = 3
[[fault]]
kind = "close"
every_s = 40
[[fault]]
kind = "lost_before"
every_s = 25
requests = ["order", "batchModify"]
[[fault]]
kind = "inner_error"
every_s = 20
[[fault]]
kind = "duplicate_fills"
every_s = 10
[[fault]]
kind = "late_fills"
every_s = 15
"""


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", KEY)


def configured(tmp_path: Path, venue: Running, more: str = BUSY, symbols: tuple[str, ...] = SYMBOLS) -> Path:
    path = tmp_path / "emulator.toml"
    path.write_text("\n".join(snippet(venue.url, ADDRESS, symbols)) + "\n" + more)
    return path


def traded(venue: Running, config: Path, data: Path, monkeypatch, *, mode: Mode = Mode.LIVE, seconds: float) -> int:
    """Run at the emulator's speed and by its time, which the command line has no way to say: a venue keeps its own."""
    asked = urllib.request.Request(venue.url + "/emulator/time", b"{}", method="POST")

    def now_ns() -> int:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return json.load(answer)["now_ns"]

    monkeypatch.setattr(run, "now_ns", now_ns)
    options = RunOptions(
        mode=mode,
        engines=("perps",),
        data_dir=data,
        config=config,
        plain=True,
        for_ns=round(seconds * 1e9),
        speed=SPEED,
    )
    return run.run(options)


def test_venue_ledger_and_memory_agree_after_a_bad_minute(tmp_path, monkeypatch, key):
    faults = tmp_path / "faults.toml"
    faults.write_text(FAULTS)
    data = tmp_path / "data"
    with running(SYMBOLS, speed=SPEED, faults=str(faults), seed=5) as venue:
        config = configured(tmp_path, venue)
        assert traded(venue, config, data, monkeypatch, seconds=80) == 0
        assert traded(venue, config, data, monkeypatch, seconds=30) == 0, "and again, on the same books"
        truth, counted = venue.truth(), venue.statistics()
    mind = recover_from(data / JOURNAL_NAME)
    held = {s: mind.books.instrument("perps", s).size(p.lots) for s, p in mind.books.positions.get("perps", {}).items()}
    assert {s: float(size) for s, size in held.items() if size} == {s: float(z) for s, z in truth["positions"].items()}
    assert [order.request.id for order in mind.orders.values() if not order.over] == []
    assert truth["open_orders"] == []
    assert mind.fills["perps"] == len(truth["fills"]) > 0, "how many is a matter of what else the machine does"
    assert not log_of(data, "drift")
    assert not log_of(data, "child_crashed")
    (told,) = made(data, week=True, on="", run="").engines
    assert told.venues_minor == sum(round(Decimal(fill["closedPnl"]) * 1_000_000) for fill in truth["fills"])
    assert abs(told.apart_minor) < 10_000, "a cent: the report has the venue's own count beside ours"
    assert counted["venue"]["refused_429"] == 0
    (ip,) = counted["venue"]["by_ip"].values()
    assert ip["weight_per_minute_highest"] <= 1200
    assert ip["refused"] == {}
    assert counted["faults"]["lost_before"] and counted["faults"]["inner_error"]


def test_the_opening_balance_is_booked_once_and_later_money_as_what_it_is(tmp_path, monkeypatch, key):
    """A deposit between two runs was in no book, or was the opening balance of the second."""
    data, usd = tmp_path / "data", 1_000_000
    with running(SYMBOLS, speed=SPEED, seed=5) as venue:
        config = configured(tmp_path, venue, more="")
        assert traded(venue, config, data, monkeypatch, seconds=5) == 0
        first = recover_from(data / JOURNAL_NAME)
        venue.deposit(50)
        assert traded(venue, config, data, monkeypatch, seconds=75) == 0
    mind = recover_from(data / JOURNAL_NAME)
    assert first.books.money("perps").capital_minor == 200_000 * usd
    assert mind.books.money("perps").capital_minor == mind.books.money("perps").cash_minor == 200_050 * usd
    assert mind.opened_ns == first.opened_ns
    assert [(row["kind"], row["amount_minor"]) for row in log_of(data, "money_moved")] == [("deposit", 50 * usd)]
    assert not log_of(data, "cash_drift")


def test_an_order_that_a_killed_run_left_is_looked_after_whatever_is_traded_now(tmp_path, monkeypatch, key):
    """Its symbol taken out of the configuration, every start crashed before its halt was latched, and it rested on."""
    data = tmp_path / "data"
    with running(SYMBOLS, speed=SPEED, seed=5) as venue:
        order, run_started = asyncio.run(resting(venue, tmp_path))
        planned = OrderPlanned("perps", order, True, run_started.at_ns)
        data.mkdir(mode=0o700)
        with closing(Journal.open(data / JOURNAL_NAME)) as journal:
            taken = Accepted("perps", order.id, "ETH", run_started.at_ns)
            journal.append(map(written, [run_started, planned, taken]))
        config = configured(tmp_path, venue, more="", symbols=("BTC",))
        with pytest.raises(ConfigError, match="ETH is missing; perps has an order of it that may rest"):
            traded(venue, config, data, monkeypatch, seconds=5)
        config = configured(tmp_path, venue, more="", symbols=("BTC", "ETH"))
        assert traded(venue, config, data, monkeypatch, seconds=20) == 0
        assert venue.truth()["open_orders"] == []
    assert recover_from(data / JOURNAL_NAME).orders[order.id].over
    assert not log_of(data, "child_crashed")


async def resting(venue: Running, folder: Path) -> tuple[OrderRequest, RunStarted]:
    """An order that rests far from the market, and the run that sent it."""
    async with adapted(venue, folder, speed=SPEED) as one:
        order = one.order("ETH", "buy", away=8.0)
        assert isinstance(await one.adapter.submit(order), Accepted)
        return order, RunStarted(
            number=1,
            run_id="live-1",
            mode="live",
            seed=1,
            version="0",
            engines=("perps",),
            instruments=tuple(one.adapter.instruments.values()),
            at_ns=one.clock.now_ns(),
        )


def test_shadow_hears_the_venue_and_sends_it_nothing(tmp_path, monkeypatch):
    data = tmp_path / "data"
    with running(SYMBOLS, speed=SPEED, seed=5) as venue:
        config = configured(tmp_path, venue)
        assert traded(venue, config, data, monkeypatch, mode=Mode.SHADOW, seconds=40) == 0
        asked = venue.statistics()["venue"]["asked"]
        assert venue.truth()["fills"] == venue.truth()["open_orders"] == []
    assert log_of(data, "fill"), "simulated"
    assert "order" not in asked


def test_a_company_that_reports_is_not_entered(tmp_path, monkeypatch):
    """Many companies: how often one is wished within seconds of real time is a matter of what else the machine does."""
    data, earnings = tmp_path / "data", tmp_path / "earnings.toml"
    companies = ("TSLA", "NVDA", "MSTR", "COIN", "AMD", "PLTR", "GOOGL", "HOOD")
    coins = ("BTC", "ETH", "SOL", "HYPE", "DOGE", "AVAX")
    symbols = (*coins, *(f"xyz:{name}" for name in companies))
    with running(symbols, speed=SPEED, seed=5) as venue:
        asked = urllib.request.Request(venue.url + "/emulator/time", b"{}", method="POST")
        with urllib.request.urlopen(asked, timeout=10) as answer:
            today = datetime.fromtimestamp(json.load(answer)["now_ns"] / 1e9, UTC).date()
        days = [today + timedelta(days=days) for days in (-1, 0, 5)]
        listed = [f"{name} = ['{days[0]}', '{days[1]}']" for name in companies]
        earnings.write_text("\n".join([f"first = {days[0]}", f"last = {days[2]}", "[reports]", *listed]))
        config = configured(tmp_path, venue, symbols=symbols)
        config.write_text(config.read_text().replace("[daemon]", f"[daemon]\nearnings_file = '{earnings}'"))
        assert traded(venue, config, data, monkeypatch, mode=Mode.SHADOW, seconds=40) == 0
    refused = [line for line in log_of(data, "refused") if line["rule"] == "blackout"]
    assert refused
    assert all(line["value"] == f"{line['wish']['symbol'][4:]} reports" for line in refused)
    entered = {line["wish"]["symbol"] for line in log_of(data, "approved") if line["wish"].get("purpose") == "entry"}
    assert entered and entered <= set(coins)


def test_a_key_of_nobody_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("OBID_HYPERLIQUID_AGENT_KEY", "0x" + "7" * 64)
    with running(SYMBOLS, speed=1.0) as venue:
        config = configured(tmp_path, venue)
        result = obid("run", "--mode", "live", "--config", config, "--data-dir", tmp_path / "data", code=2)
    (line,) = result.stderr.splitlines()
    assert line.startswith("obid: hyperliquid_agent_key: its address 0x")
    assert "7777" not in line


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"live": PLAY}, "real money needs the second switch"),
        ({"live": PLAY, "hyperliquid_chain": "mainnet"}, "real money needs the second switch"),
        ({"live": PLAY, "hyperliquid_url": "http://127.0.0.1:1"}, "hyperliquid_chain: is missing"),
        ({"hyperliquid_url": "http://127.0.0.1:1", "hyperliquid_chain": "mainnet"}, "must begin with https://"),
        ({"hyperliquid_url": "127.0.0.1:1", "hyperliquid_chain": "testnet"}, "must begin with https://"),
    ],
)
def test_play_money_is_testnets_alone_and_the_chain_is_said(table, said):
    with pytest.raises(ConfigError, match=said):
        load_settings({"mode": "live", **table}, env_file=None, engines=["perps"])
