"""The daemon's own figures: what Prometheus' parser makes of them, by its naming rules, beside a run that trades."""

import json
import re
import shutil
import socket
import subprocess
import threading
from collections import deque
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from daemon import graph
from daemon.logs import event_of
from daemon.metrics import metrics_text
from daemon.snapshot import ActorRow, EngineRow, OrderRow, PositionRow, Snapshot, Status
from tests.daemon.runs import ROOT, Daemon, eager

NS = 1_000_000_000
UNITS = ("_total", "_seconds", "_dollars", "_messages", "_messages_max")
PLAIN = {"obid_info", "obid_healthy", "obid_trading_state", "obid_reconciled", "obid_streams", "obid_streams_fresh"}
PLAIN |= {"obid_streams_unlearnt"}
PLAIN |= {"obid_open_orders", "obid_actor_healthy"}
"""Metrics that have no unit: flags and things that are counted."""

STATUS = Status(
    version="1", run_id='a"b\\c', mode="live", pid=1, seed=1, speed="1", virtual=False,
    started_ns=5 * NS, at_ns=65 * NS, healthy=True, books=7, decisions=3, lag_ms=2.5,
)  # fmt: skip
ENGINE = EngineRow(
    engine="perps", venue="v", trading="halted", reason="r", reconciled=True, symbols=28,
    symbols_fresh=27, symbols_unlearnt=1,
    cash_minor=1_500_000, equity_minor=-2_250_000, realised_minor=1, unrealised_minor=2, fees_minor=3, funding_minor=4,
)  # fmt: skip
ACTOR = ActorRow(
    name="perps.feed", engine="perps", state="running", healthy=False, restarts=2, waiting=5, age_ms=12.5,
    heard=9, conflated=1, high_water=6, size_max=64,
)  # fmt: skip
POSITION = PositionRow(
    engine="perps", symbol="xyz:TSLA", lots=-1, size=Decimal(-1), entry=Decimal(1), mark=None,
    notional_minor=-99_500_000, unrealised_minor=0, realised_minor=0, opened_ns=1,
)  # fmt: skip
ORDER = OrderRow(
    engine="perps", order_id="o", intent_id="i", symbol="BTC", side="buy", state="resting", purpose="entry",
    size=Decimal(1), size_filled=Decimal(0), price=Decimal(1), time_in_force="alo", reason="", at_ns=1,
)  # fmt: skip
SNAPSHOT = Snapshot(status=STATUS, engines=(ENGINE,), actors=(ACTOR,), positions=(POSITION,), orders=(ORDER,))
TEXT = metrics_text(SNAPSHOT, {"PositionChanged": 4, "Fill": 2}, {"sector_cap": 3})


def families(text: str) -> dict:
    """What a scraper makes of it."""
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(text: str, name: str, **labels: str) -> float:
    (sample,) = [s for f in families(text).values() for s in f.samples if s.name == name and s.labels == labels]
    return sample.value


def test_a_snapshot_is_told_in_base_units():
    assert value(TEXT, "obid_info", version="1", mode="live", run='a"b\\c') == 1
    assert value(TEXT, "obid_clock_seconds") - value(TEXT, "obid_start_time_seconds") == 60
    assert value(TEXT, "obid_loop_lag_seconds") == 0.0025
    assert value(TEXT, "obid_equity_dollars", engine="perps") == -2.25
    assert value(TEXT, "obid_trading_state", engine="perps", state="halted") == 1
    assert value(TEXT, "obid_trading_state", engine="perps", state="active") == 0
    assert value(TEXT, "obid_position_dollars", engine="perps", symbol="xyz:TSLA") == -99.5
    assert value(TEXT, "obid_open_orders", engine="perps") == 1
    assert value(TEXT, "obid_messages_total", event="position_changed") == 4
    assert value(TEXT, "obid_refusals_total", rule="sector_cap") == 3
    assert value(TEXT, "obid_actor_healthy", actor="perps.feed", engine="perps") == 0
    assert value(TEXT, "obid_mailbox_age_seconds", actor="perps.feed", engine="perps") == 0.0125


def test_names_and_units_are_prometheus_own():
    for name, kind in re.findall(r"# TYPE (\S+) (\S+)", TEXT):
        assert re.fullmatch(r"obid_[a-z_]+", name)
        assert name in PLAIN or name.endswith(UNITS), name
        assert (kind == "counter") == name.endswith("_total")
    assert len(re.findall("# HELP", TEXT)) == len(set(re.findall(r"# HELP (\S+)", TEXT)))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on this machine")
def test_promtool_has_nothing_to_say():
    checked = subprocess.run(["promtool", "check", "metrics"], input=TEXT, text=True, capture_output=True, check=False)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_dashboard_asks_for_what_there_is():
    board = json.loads((ROOT / "deploy" / "grafana" / "obid.json").read_text("utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    named = {name for expr in asked for name in re.findall(r"obid_[a-z_]+", expr)}
    assert named <= set(re.findall(r"# TYPE (\S+)", TEXT)) and len(named) > 15
    boxes = [tuple(panel["gridPos"][side] for side in "xywh") for panel in board["panels"]]
    cells = [(x + i, y + j) for x, y, w, h in boxes for i in range(w) for j in range(h)]
    assert len(cells) == len(set(cells)) and max(x for x, _ in cells) < 24, "no panel covers another"
    events = {event_of(kind) for kind in graph.TOLD}
    assert {
        name for expr in asked for part in re.findall(r'event=~"([^"]+)"', expr) for name in part.split("|")
    } <= events


class Hook(HTTPServer):
    """A webhook that takes everything."""

    def __init__(self) -> None:
        self.got: deque[dict] = deque()
        super().__init__(("127.0.0.1", 0), Taking)


class Taking(BaseHTTPRequestHandler):
    """Its requests."""

    def do_POST(self) -> None:
        self.server.got.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook():
    server = Hook()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_a_run_is_scraped_and_its_halt_is_told(tmp_path, monkeypatch, hook):
    port = free_port()
    address = f"http://127.0.0.1:{hook.server_port}/hooks/s3cret-token"
    monkeypatch.setenv("OBID_METRICS_PORT", str(port))
    monkeypatch.setenv("OBID_ALERT_URL", address)
    with Daemon(tmp_path / "data", "--config", eager(tmp_path), "--symbols", "BTC,ETH", "--bar", "1s") as daemon:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            text = daemon.wait_for(lambda: "obid_books_total" in (t := client.get("/metrics").text) and t)
            assert value(text, "obid_streams", engine="perps") == 2
            daemon.wait_for(lambda: client.get("/healthz").status_code == 200)
            assert client.get("/").status_code == 404
            assert client.post("/metrics", content="x").status_code == 405
        daemon.ask("halt", reason="lunch")
        told = daemon.wait_for(lambda: [one for one in hook.got if one["key"] == "trading:all"])
        assert (told[0]["title"], told[0]["text"]) == ("all engines: halted by operator", "lunch")
        daemon.end()
        assert "s3cret" not in daemon.said() + daemon.wrongs()
    assert "s3cret" not in (tmp_path / "data" / "log" / "obid.jsonl").read_text("utf-8")


def test_a_taken_port_is_one_line(tmp_path, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("OBID_METRICS_PORT", str(taken.getsockname()[1]))
        daemon = Daemon(tmp_path / "data", "--for", "5s")
        daemon.process.wait(30)
    assert daemon.process.returncode == 1
    assert daemon.wrongs().strip().splitlines()[-1].endswith("cannot be listened on: Address already in use")
