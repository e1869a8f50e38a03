"""Live streams: the page's formats and snippets, the bytes of `obid generate`, resuming, clients that do not read."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import httpx
import polars as pl
import pytest
import sseclient
from msgspec.structs import replace
from typer.testing import CliRunner

from daemon.cli import app
from daemon.http import door, streams
from tests.daemon.http.serving import EASY, WAIT_S, Served, serving, until
from venues.aleatoric.artifacts.stream import lines_of
from venues.aleatoric.batch import Batch
from venues.aleatoric.presets import get_preset

PAIR = {"mode": "composite_pair", "symbol": "BTCUSDT", "seed": 42}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("stream")) as service:
        yield service


@pytest.fixture(scope="module")
def client(served: Served):
    with served.client("stream", "metrics") as client:
        yield client


def events(answer: httpx.Response) -> list[tuple[str, str]]:
    """Ids and data of an answer that has ended."""
    assert answer.status_code == 200, answer.text
    found = [part.split("\n") for part in answer.text.split("\n\n")]
    return [(part[0].removeprefix("id: "), part[1].removeprefix("data: ")) for part in found if len(part) == 2]


def streamed(client: httpx.Client, headers: dict[str, str] | None = None, **query: object) -> list[tuple[str, str]]:
    """The events of a stream that is taken as fast as it comes."""
    asked = {"symbol": "BTCUSDT", "seed": 7, "duration_s": 20, "speed": 0} | query
    params = {name: value for name, value in asked.items() if value is not None}
    return events(client.get("/stream/live", params=params, headers=headers))


def told(client: httpx.Client, name: str) -> float:
    """One number of /metrics."""
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name)


def test_single_has_the_pages_wire_format(client: httpx.Client):
    found = [json.loads(data) for _, data in streamed(client)]
    trades = [event for event in found if event["event_type"] == "trade"]
    books = [event for event in found if event["event_type"] == "book"]
    assert trades and books and len(trades) + len(books) == len(found)
    head = {"event_type", "timestamp_ms", "capture_time_ms", "symbol"}
    assert set(trades[0]) == head | {"side", "price", "size", "trade_id", "notional_usd"}
    assert set(books[0]) == head | {"bids", "asks", "best_bid", "best_ask", "mid_price", "spread_bps"}
    assert set(books[0]["bids"][0]) == {"price", "size"} and trades[0]["trade_id"].startswith("trd_")
    arrivals = [event["capture_time_ms"] for event in found]
    assert arrivals == sorted(arrivals)


def test_composite_pair_is_as_the_page_has_it(client: httpx.Client):
    found = [json.loads(data) for _, data in streamed(client, **PAIR, src_latency_mode="colocated", duration_s=60)]
    spot = [event["payload"] for event in found if event["type"] == "spot"]
    perp = [event["payload"] for event in found if event["type"] == "perp"]
    sides = {"best_bid", "best_ask", "bid_qty", "ask_qty", "depth_bids", "depth_asks"}
    common = {"ts", "symbol", "src_latency_ms", "source_type"} | sides
    assert set(spot[0]) == common
    assert set(perp[0]) == common | {"mark", "index", "last_funding_rate", "next_funding_time"}
    assert {tick["source_type"] for tick in perp} == {"trade"}
    assert 0.6 < sum(tick["source_type"] == "trade" for tick in spot) / len(spot) < 0.8
    stamps = [event["payload"]["ts"] for event in found]
    assert stamps == sorted(stamps) and {event["type"] for event in found} == {"spot", "perp"}
    assert all(1 <= tick["src_latency_ms"] <= 5 for tick in spot + perp)
    assert all(abs(tick["mark"] / tick["index"] - 1) <= 15.01e-4 for tick in perp)
    for tick in spot + perp:
        bids, asks = ([level[0] for level in tick[side]] for side in ("depth_bids", "depth_asks"))
        assert len(bids) == len(asks) == 5
        assert bids == sorted(bids, reverse=True) and asks == sorted(asks) and bids[0] < asks[0]


@pytest.mark.parametrize(("mode", "low", "high"), [("zero", 0, 0), ("colocated", 1, 5), ("retail", 50, 200)])
def test_latency_is_as_asked(mode: str, low: float, high: float, client: httpx.Client):
    found = [json.loads(data)["payload"] for _, data in streamed(client, **PAIR, src_latency_mode=mode)]
    assert all(low <= tick["src_latency_ms"] <= high for tick in found)
    single = [json.loads(data) for _, data in streamed(client, src_latency_mode=mode)]
    ages = [event["capture_time_ms"] - event["timestamp_ms"] for event in single if event["event_type"] == "book"]
    assert min(ages) >= low


@pytest.mark.parametrize("path", ["/stream/live", "/v1/stream/live"])
@pytest.mark.parametrize(("mode", "form"), [("single", "wire"), ("composite_pair", "pair")])
def test_a_stream_is_what_obid_generate_prints(path: str, mode: str, form: str, client: httpx.Client):
    asked = {"symbol": "BTCUSDT", "preset": "binance_futures_btc", "mode": mode, "seed": 7, "duration_s": 20}
    found = events(client.get(path, params={**asked, "speed": 0}))
    command = ["generate", "--preset", "binance_futures_btc", "--seconds", "20", "--seed", "7", "--stream", form]
    printed = CliRunner().invoke(app, command)
    assert printed.exit_code == 0
    assert [data for _, data in found] == printed.stdout.splitlines()


def test_a_stream_is_the_batch_of_its_manifest(client: httpx.Client, tmp_path: Path, served: Served):
    found = [json.loads(data) for _, data in streamed(client, preset="binance_futures_btc")]
    with served.client("generate") as maker:
        asked = {"preset": "binance_futures_btc", "config": {"seed": 7}, "duration_seconds": 20}
        file = maker.get(maker.post("/data/generate", json=asked).json()["download_url"]).content
    (tmp_path / "x.parquet").write_bytes(file)
    rows = pl.read_parquet(tmp_path / "x.parquet").to_dicts()
    assert [{name: value for name, value in row.items() if value is not None} for row in rows] == found


@pytest.mark.parametrize(
    ("dialect", "symbol", "preset"),
    [
        ("binance", "BTCUSDT", "binance_spot_btc"),
        ("okx", "BTC-USDT", "okx_spot_btc"),
        ("bybit", "BTCUSDT", "bybit_futures_btc"),
        ("hyperliquid", "SOL", "hyperliquid_perp_sol"),
    ],
)
def test_an_exchange_speaks_its_own_frames(dialect: str, symbol: str, preset: str, client: httpx.Client):
    found = [data.encode() for _, data in streamed(client, dialect=dialect, symbol=symbol)]
    assert found == [line for _, line in lines_of(Batch(replace(get_preset(preset), seed=7), 20), "venue")]


def test_any_market_speaks_hyperliquid(client: httpx.Client):
    channels = {json.loads(data)["channel"] for _, data in streamed(client, dialect="hyperliquid")}
    assert "l2Book" in channels


def test_the_same_seed_is_the_same_stream_and_none_is_another(client: httpx.Client):
    assert streamed(client) == streamed(client)
    assert streamed(client, seed=8)[0][1] != streamed(client, seed=9)[0][1]
    first, second = (streamed(client, seed=None, duration_s=2) for _ in range(2))
    assert first[0][1] != second[0][1]


@pytest.mark.parametrize("query", [{}, PAIR, {"dialect": "okx"}, {"seed": None, "duration_s": 30}], ids=str)
def test_who_comes_back_goes_on_behind_the_last_event(query: dict, client: httpx.Client):
    whole = streamed(client, **query)
    numbers = [int(event_id.rpartition(".")[2]) for event_id, _ in whole]
    assert numbers == list(range(len(whole)))
    for last in (0, 63, 64, len(whole) - 2):
        again = streamed(client, {"Last-Event-ID": whole[last][0]}, **query)
        assert again == whole[last + 1 :]
    asked = {"symbol": "BTCUSDT", "seed": 7, "duration_s": 20, "speed": 0} | query
    params = {name: value for name, value in asked.items() if value is not None}
    end = client.get("/stream/live", params=params, headers={"Last-Event-ID": whole[-1][0]})
    assert (end.status_code, end.content) == (204, b"")


def test_who_comes_back_late_is_told_at_once_what_he_missed(client: httpx.Client):
    params = {"symbol": "BTCUSDT", "seed": 7, "duration_s": 6}
    with client.stream("GET", "/stream/live", params=params) as answer:
        lines = answer.iter_lines()
        last = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
    hashed, seed, start, begun_ms, number = last.split(".")
    last = f"{hashed}.{seed}.{start}.{int(begun_ms) - 5_000}.{number}"  # as if that had been five seconds ago
    begun = time.monotonic()
    again = events(client.get("/stream/live", params=params, headers={"Last-Event-ID": last}))
    assert [data for _, data in again] == [data for _, data in streamed(client, duration_s=6)[1:]]
    assert time.monotonic() - begun < 5.0  # one second was left of six


def test_an_id_of_another_stream_is_refused(client: httpx.Client):
    given = streamed(client)[5][0]
    hashed, seed, start, begun, _ = given.split(".")
    end = f"{start}.{begun}"
    wrong = [given, "x", "0.0.0.0.0", f"{hashed}.{seed}.{end}.-1", f"{hashed}.{2**63}.{end}.1", "ü".encode()]
    for event_id in wrong:
        answer = client.get(
            "/stream/live",
            params={"symbol": "BTCUSDT", "seed": 8 if event_id == given else 7, "src_latency_mode": "retail"},
            headers={"Last-Event-ID": event_id},
        )
        assert (answer.status_code, answer.json()["field"]) == (422, "Last-Event-ID"), answer.text
    far = {"Last-Event-ID": f"{hashed}.{seed}.{end}.999999999999"}
    answer = client.get("/stream/live", params={"symbol": "BTCUSDT", "seed": 7, "duration_s": 20}, headers=far)
    assert answer.status_code == 422 and "start anew" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "symbol"),
        ({"symbol": ""}, "symbol"),
        ({"symbol": "a b"}, "symbol"),
        ({"symbol": "../../etc/passwd?"}, "symbol"),
        ({"symbol": "B" * 33}, "symbol"),
        ({"symbol": "BTC", "mode": "triple"}, "mode"),
        ({"symbol": "BTC", "seed": "-1"}, "seed"),
        ({"symbol": "BTC", "seed": "1.5"}, "seed"),
        ({"symbol": "BTC", "seed": str(2**64)}, "seed"),
        ({"symbol": "BTC", "src_latency_mode": "slow"}, "src_latency_mode"),
        ({"symbol": "BTC", "duration_s": "nan"}, "duration_s"),
        ({"symbol": "BTC", "duration_s": "inf"}, "duration_s"),
        ({"symbol": "BTC", "duration_s": "-5"}, "duration_s"),
        ({"symbol": "BTC", "duration_s": "1e9"}, "duration_s"),
        ({"symbol": "BTC", "duration_s": "0.001"}, "duration_s"),
        ({"symbol": "BTC", "speed": "-1"}, "speed"),
        ({"symbol": "BTC", "dialect": "ftx"}, "dialect"),
        ({"symbol": "BTC", "dialect": "okx", "mode": "composite_pair"}, "dialect"),
        ({"symbol": "BTC", "preset": "none"}, "preset"),
        ({"symbol": "PLTR", "mode": "composite_pair"}, "asset_class"),
        ({"symbol": "BTC", "colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_what_is_wrong_is_named(query: dict[str, str], field: str, client: httpx.Client):
    answer = client.get("/stream/live", params={"duration_s": "1", "speed": "0"} | query)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_symbol_that_nobody_knows_is_a_market_too(client: httpx.Client):
    assert json.loads(streamed(client, symbol="NEWCOIN")[0][1])["symbol"] == "NEWCOIN"


def test_real_time_takes_its_time(client: httpx.Client):
    begun = time.monotonic()
    streamed(client, duration_s=1.0, speed=1)
    assert time.monotonic() - begun > 0.8


def test_the_pages_snippet_with_sseclient(served: Served):
    url = f"{served.url}/stream/live?mode=composite_pair&symbol=BTCUSDT&seed=42"
    req = urllib.request.Request(url, headers={"Authorization": f"Bearer {served.key}"})
    seen = set()
    with urllib.request.urlopen(req) as resp:
        client = sseclient.SSEClient(resp)
        for event in client.events():
            msg = json.loads(event.data)
            if msg["type"] == "spot":
                spot = msg["payload"]
                said = f"SPOT bid={spot['best_bid']} ask={spot['best_ask']} source={spot['source_type']}"
            elif msg["type"] == "perp":
                perp = msg["payload"]
                said = f"PERP mark={perp['mark']} {perp['last_funding_rate']:.5f} next={perp['next_funding_time']}"
            seen.add(said[:4])
            if len(seen) == 2:
                break


async def test_the_pages_snippet_with_httpx(served: Served):
    async def stream_composite(api_key: str):
        url = f"{served.url}/stream/live"
        params = {"mode": "composite_pair", "symbol": "BTCUSDT", "seed": 42, "src_latency_mode": "zero"}
        headers = {"Authorization": f"Bearer {api_key}", "Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", url, params=params, headers=headers) as resp,
        ):
            async for line in resp.aiter_lines():
                if line.startswith("data:"):
                    msg = json.loads(line[5:].strip())
                    yield msg

    found = stream_composite(served.key)
    kinds = {(await anext(found))["type"] for _ in range(8)}
    await found.aclose()
    assert kinds == {"spot", "perp"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_pages_snippet_with_curl(served: Served):
    url = f"{served.url}/stream/live?mode=composite_pair&symbol=BTCUSDT&duration_s=1"
    command = ["curl", "-sN", "-H", f"Authorization: Bearer {served.key}", url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=WAIT_S).stdout
    assert printed.count("\ndata: ") == 20


def test_who_leaves_is_noticed(client: httpx.Client):
    with client.stream("GET", "/stream/live", params={"symbol": "BTC", "seed": 1}) as answer:
        lines = answer.iter_lines()  # to be held: without it the connection is closed
        next(lines)
        until(lambda: told(client, "aleatoric_streams_open") == 1)
    until(lambda: told(client, "aleatoric_streams_open") == 0)


def opened(served: Served, query: str) -> socket.socket:
    """A connection that asks for a stream, and takes as little as it can."""
    host, port = served.url.removeprefix("http://").split(":")
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect((host, int(port)))
    line.sendall(f"GET /stream/live?{query} HTTP/1.1\r\nHost: x\r\nX-API-Key: {served.key}\r\n\r\n".encode())
    return line


def test_who_does_not_read_is_cut_and_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "TAKE_S_MAX", 0.5)
    with serving(tmp_path) as service, service.client() as client:
        mute = [opened(service, f"symbol=BTCUSDT&seed={seed}&speed=0") for seed in range(10)]
        until(lambda: told(client, "aleatoric_streams_open") == 10)
        before = told(client, "aleatoric_stream_events_total")
        assert len(streamed(client, speed=0)) > 200
        until(lambda: told(client, "aleatoric_streams_open") == 0)
        assert told(client, "aleatoric_answers_cut_total") == 10
        # What nobody took was not made either: buffers of both ends, and no more.
        assert told(client, "aleatoric_stream_events_total") - before < 10 * 20_000
        for line in mute:
            line.close()


def test_a_key_may_have_so_many_streams(tmp_path: Path):
    with serving(tmp_path, replace(EASY, streams_per_key_max=1)) as service, service.client() as client:
        with client.stream("GET", "/stream/live", params={"symbol": "BTC"}) as answer:
            lines = answer.iter_lines()  # to be held: without it the connection is closed
            next(lines)
            second = client.get("/stream/live", params={"symbol": "BTC"})
            assert second.status_code == 429 and second.headers["retry-after"]
        until(lambda: told(client, "aleatoric_streams_open") == 0)


def test_a_stop_ends_streams(tmp_path: Path):
    with ExitStack() as stack:
        with serving(tmp_path) as service:
            client = stack.enter_context(service.client())
            answer = stack.enter_context(client.stream("GET", "/stream/live", params={"symbol": "BTC", "seed": 1}))
            lines = answer.iter_lines()
            next(lines)
        assert all(line == "" or line.startswith(("id: ", "data: ")) for line in lines)  # it has an end


async def test_heartbeats_come_while_nothing_else_does(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(streams, "HEARTBEAT_NS", 50_000_000)
    async with httpx.AsyncClient(timeout=WAIT_S, headers={"X-API-Key": served.key}) as client:
        params = {"symbol": "BTC", "seed": 1, "duration_s": 2, "speed": 1}
        text = (await client.get(f"{served.url}/stream/live", params=params)).text
    assert ": still here\n\n" in text


def test_events_are_counted(client: httpx.Client):
    before = told(client, "aleatoric_stream_events_total")
    count = len(streamed(client))
    assert told(client, "aleatoric_stream_events_total") == before + count


def test_ids_go_up_by_one_over_pieces(client: httpx.Client):
    numbers = [int(event_id.rpartition(".")[2]) for event_id, _ in streamed(client, duration_s=60)]
    assert len(numbers) > 3 * streams.PIECE_LINES and all(b - a == 1 for a, b in pairwise(numbers))
