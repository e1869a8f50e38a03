"""The cache over HTTP: runs and canonical events kept, found, exported, replayed, removed; and normalising itself."""

import json
from pathlib import Path

import httpx
import polars as pl
import pytest
from msgspec.structs import replace

from tests.daemon.http.serving import EASY, Served, serving
from tests.daemon.http.test_stream_http import events

RUN = {"preset": "hyperliquid_perp_sol", "config": {"seed": 3}, "duration_seconds": 60, "enable_cache": True}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("caches")) as service:
        yield service


@pytest.fixture
def client(served: Served):
    with served.client("mcp", "generate", "stream") as client:
        client.delete("/mcp/caches", params={"confirm": "true"})
        yield client


def frames(client: httpx.Client, source: str) -> tuple[str, list[dict]]:
    """A symbol, and rows of a source that our own market speaks."""
    symbol = {"hyperliquid": "SOL", "binance": "BTCUSDT"}.get(source, "BTC")
    query = {"symbol": symbol, "seed": 5, "duration_s": 20, "speed": 0}
    if source != "synthetic":
        query["dialect"] = source
    return symbol, [json.loads(data) for _, data in events(client.get("/stream/live", params=query))]


def test_a_run_is_kept_and_found(client: httpx.Client):
    plain = client.post("/data/generate", json=RUN | {"enable_cache": False}).json()
    first, second = (client.post("/mcp/generate_dataset", json=RUN).json() for _ in range(2))
    assert (plain["cache_key"], first["cache_hit"], second["cache_hit"]) == (None, False, True)
    assert plain["digest"] == first["digest"] == second["digest"]
    files = [client.get(told["download_url"]).content for told in (plain, first, second)]
    assert files[0] == files[1] == files[2]
    books = [client.get(told["files"]["book"]).content for told in (plain, second)]
    assert books[0] == books[1]
    stats = client.get("/mcp/caches/stats").json()
    assert [entry["key"] for entry in stats["caches"]] == [first["cache_key"]]
    assert stats["totals"]["entries"] == 1 and stats["totals"]["compression_ratio"] > 2
    assert stats["hits"] >= 1 and 0 < stats["hit_ratio"] <= 1
    key = first["cache_key"]
    about = client.get(f"/mcp/caches/{key}/manifest").json()
    assert about["manifest_hash"] == first["manifest_hash"] and about["manifest"]["seed"] == 3
    assert client.get(f"/mcp/caches/export/{key}").content == files[0]
    replayed = events(client.get(f"/mcp/caches/stream/{key}", params={"speed": 0}))
    live = client.get(
        "/stream/live",
        params={"symbol": "SOL", "preset": RUN["preset"], "seed": 3, "duration_s": 60, "speed": 0},
    )
    assert [data for _, data in replayed] == [data for _, data in events(live)]


def test_a_damaged_run_is_made_again(client: httpx.Client, served: Served):
    first = client.post("/data/generate", json=RUN).json()
    folder = served.data_dir / "aleatoric" / "cache"
    for name, text in ((f"{first['cache_key']}.rows.lz4", b"x"), (f"{first['cache_key']}.json", b"{")):
        (folder / name).write_bytes(text)
        assert client.get("/mcp/caches/stats").status_code == 200
        again = client.post("/data/generate", json=RUN).json()
        assert (again["digest"], again["cache_hit"]) == (first["digest"], False)


def test_entries_go_one_by_one_and_all_at_once(client: httpx.Client):
    keys = [client.post("/data/generate", json=RUN | {"duration_seconds": s}).json()["cache_key"] for s in (5, 6, 7)]
    assert client.delete(f"/mcp/caches/{keys[0]}").json() == {"deleted": 1, "keys": [keys[0]]}
    assert client.delete(f"/mcp/caches/{keys[0]}").status_code == 404
    for params in ({}, {"confirm": "false"}):
        assert client.delete("/mcp/caches", params=params).status_code == 422
    assert client.delete("/mcp/caches", params={"confirm": "true"}).json()["deleted"] == 2
    assert client.get("/mcp/caches/stats").json()["totals"]["entries"] == 0


@pytest.mark.parametrize("path", ["{}/manifest", "export/{}", "stream/{}"])
def test_what_is_not_there_is_not_found(path: str, client: httpx.Client):
    assert client.get("/mcp/caches/" + path.format("0" * 32)).status_code == 404
    for key in ("x", "..%2f..%2fkeys", "0" * 31 + "G", "0" * 33):
        assert client.get("/mcp/caches/" + path.format(key)).status_code in (404, 422)


def test_a_full_cache_takes_no_more(tmp_path: Path):
    with serving(tmp_path, replace(EASY, cache_entries_max=1)) as service, service.client() as client:
        assert client.post("/data/generate", json=RUN).status_code == 200
        answer = client.post("/data/generate", json=RUN | {"duration_seconds": 5})
        assert (answer.status_code, answer.json()["field"]) == (507, "enable_cache")


@pytest.mark.parametrize("source", ["synthetic", "hyperliquid", "binance"])
def test_our_own_market_is_normalized(source: str, client: httpx.Client):
    symbol, rows = frames(client, source)
    asked = {
        "source": source,
        "symbol": symbol,
        "events": [{"payload": row, "received_ns": 1767571200 * 10**9 + at} for at, row in enumerate(rows)],
    }
    told = client.post("/mcp/normalize", json=asked).json()
    assert told["event_count"] == len(told["events"]) > 10
    # Changes of a Binance book say nothing before the whole book that they change.
    assert {row["field"] for row in told["bad_rows"]} <= ({"u"} if source == "binance" else set())
    assert {event["event_type"] for event in told["events"]} <= {"book", "trade"}
    assert [event["id"] for event in told["events"]] == list(range(1, told["event_count"] + 1))


@pytest.mark.parametrize("source", ["cme", "sgx"])
def test_rows_that_are_none_are_reported(source: str, client: httpx.Client):
    told = client.post("/mcp/normalize", json={"source": source, "events": [{"payload": {"a": 1}}, {}]}).json()
    assert told["event_count"] == 0 and [row["position"] for row in told["bad_rows"]] == [0, 1]


def test_canonical_events_are_kept_exported_and_replayed(client: httpx.Client, served: Served, tmp_path: Path):
    symbol, rows = frames(client, "hyperliquid")
    asked = {"source": "hyperliquid", "symbol": symbol, "events": rows, "enable_cache": True}
    first, second = (client.post("/mcp/normalize", json=asked).json() for _ in range(2))
    assert (first["cache_hit"], second["cache_hit"]) == (False, True)
    assert first["events"] == second["events"]
    key = first["cache_key"]
    about = client.get(f"/mcp/caches/{key}/manifest").json()
    assert (about["kind"], about["source"], about["row_count"]) == ("normalized", "hyperliquid", first["event_count"])
    (tmp_path / "x.parquet").write_bytes(client.get(f"/mcp/caches/export/{key}").content)
    table = pl.read_parquet(tmp_path / "x.parquet")
    assert table["event_type"].to_list() == [event["event_type"] for event in first["events"]]
    assert table["at_ns"].to_list() == [event["at_ns"] for event in first["events"]]
    replayed = [json.loads(data) for _, data in events(client.get(f"/mcp/caches/stream/{key}"))]
    assert [one for one in replayed if one["event_type"] in ("book", "trade")] == first["events"]
    folder = served.data_dir / "aleatoric" / "cache" / "events"
    for name in (f"{key}.jsonl.lz4", f"{key}.json"):
        (folder / name).write_bytes(b"x")
        again = client.post("/mcp/normalize", json=asked).json()
        assert (again["events"], again["cache_hit"]) == (first["events"], False)
    assert client.delete(f"/mcp/caches/{key}").json()["deleted"] == 1


def test_normalizing_streams(client: httpx.Client):
    _, rows = frames(client, "synthetic")
    asked = {"source": "synthetic", "events": rows}
    whole = client.post("/mcp/normalize", json=asked).json()["events"]
    answer = client.post("/mcp/normalize", json=asked | {"stream": True})
    assert [json.loads(data) for _, data in events(answer)] == whole


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"source": "ftx"}, "source"),
        ({"symbol": ""}, "symbol"),
        ({"events": {}}, "events"),
        ({"events": [1]}, "events.0"),
        ({"events": [{}] * 20_001}, "events"),
        ({"stream": "yes"}, "stream"),
        ({"colour": 1}, "colour"),
    ],
    ids=["source", "symbol", "table", "number", "many", "stream", "unknown"],
)
def test_what_is_wrong_is_named(changed: dict, field: str, client: httpx.Client):
    answer = client.post("/mcp/normalize", json={"source": "synthetic", "events": []} | changed)
    assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
