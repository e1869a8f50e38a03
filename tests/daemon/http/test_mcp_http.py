"""MCP: the page's messages, the official client over both transports, wrappers and discovery, all from one table."""

import json
import os
import sys
from pathlib import Path

import httpx
import httpx2
import jsonschema
import pytest
import requests
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

from daemon.http.tools import TOOLS
from tests.daemon.http.serving import Served, serving

ROOT = Path(__file__).resolve().parents[3]
NINE = (
    *("get_health", "get_presets", "get_config_schema", "validate_config", "generate_dataset", "normalize_events"),
    *("simulate_funding_regime", "get_venue_details", "get_cache_stats"),
)
"""The page's table of tools."""

PAGE_REST = {
    "GET /mcp/manifest",
    "GET /mcp/config/schema",
    "POST /mcp/config/validate",
    "POST /mcp/generate_dataset",
    "GET /mcp/presets",
    "GET /mcp/venues/{exchange}",
    "GET /mcp/health",
    "POST /mcp/normalize",
    "POST /mcp/simulate_funding_regime",
    "GET /mcp/caches/stats",
    "GET /mcp/caches/{cache_key}/manifest",
    "GET /mcp/caches/export/{cache_key}",
    "GET /mcp/caches/stream/{cache_key}",
    "DELETE /mcp/caches/{cache_key}",
    "DELETE /mcp/caches",
    "GET /mcp/tools/list",
    "GET /.well-known/mcp.json",
    "GET /.well-known/mcp-config",
}
"""The page's endpoints of MCP."""

L2 = {"channel": "l2Book", "data": {"coin": "BTC", "time": 1767571200000, "levels": [[], []]}}
L2["data"]["levels"] = [[{"px": "110000.0", "sz": "1.5", "n": 3}], [{"px": "110001.0", "sz": "0.5", "n": 1}]]
ARGUMENTS = {
    "validate_config": {"config": {"symbol": "BTC", "seed": 1}},
    "generate_dataset": {"preset": "hyperliquid_perp_sol", "duration_seconds": 10},
    "normalize_events": {"source": "hyperliquid", "events": [{"payload": L2}]},
    "simulate_funding_regime": {"exchange": "binance", "spot_price": 97001.0, "mark_price": 97005.3, "num_periods": 6},
    "get_venue_details": {"exchange": "okx"},
}
CHANGING = {"timestamp", "job_id", "download_url", "files", "hits", "misses", "hit_ratio"}
"""What two calls of one tool may tell differently."""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("mcp")) as service:
        yield service


@pytest.fixture(scope="module")
def client(served: Served):
    with served.client("mcp") as client:
        yield client


def rpc(client: httpx.Client, method: str, number: int = 1, **params: object) -> dict:
    """The answer to a message, sent as the page's examples are."""
    said = {"jsonrpc": "2.0", "id": number, "method": method} | ({"params": params} if params else {})
    answer = client.post("/mcp", json=said)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_pages_initialize(client: httpx.Client):
    answer = rpc(client, "initialize", clientInfo={"name": "my-client", "version": "1.0"})
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", 1)
    assert answer["result"]["protocolVersion"] == "2024-11-05"
    assert answer["result"]["serverInfo"]["name"] == "aleatoric-engine"
    assert answer["result"]["serverInfo"]["version"] == "0.5.2"
    assert "tools" in answer["result"]["capabilities"] and "error" not in answer


def test_the_pages_call(client: httpx.Client):
    answer = rpc(client, "tools/call", 2, name="get_health", arguments={})
    assert answer["id"] == 2 and answer["result"]["isError"] is False
    (content,) = answer["result"]["content"]
    assert content["type"] == "text" and json.loads(content["text"])["status"] == "ok"
    assert "timestamp" in json.loads(content["text"])


def test_ping_and_list(client: httpx.Client):
    assert rpc(client, "ping")["result"] == {}
    tools = rpc(client, "tools/list")["result"]["tools"]
    assert tuple(tool["name"] for tool in tools) == NINE


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_every_version_that_shakes_hands_is_spoken(version: str, client: httpx.Client):
    who = {"name": "x", "version": "1"}
    answer = rpc(client, "initialize", protocolVersion=version, capabilities={}, clientInfo=who)
    assert answer["result"]["protocolVersion"] == version


def test_a_key_is_needed(served: Served):
    said = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert httpx.post(f"{served.url}/mcp", json=said).status_code == 401
    with served.client("generate") as other:
        assert other.post("/mcp", json=said).status_code == 403


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"jsonrpc": "2.0"}', b"1", b'{"method": 1}'])
def test_what_is_no_message_is_refused(body: bytes, client: httpx.Client):
    assert client.post("/mcp", content=body).status_code == 400


def test_a_method_and_a_tool_that_are_not_there(client: httpx.Client):
    assert rpc(client, "tools/dance")["error"]["code"] == -32601
    answer = rpc(client, "tools/call", name="dance", arguments={})
    assert answer["result"]["isError"] and "get_health" in answer["result"]["content"][0]["text"]


@pytest.mark.parametrize(
    ("tool", "arguments", "field"),
    [
        ("generate_dataset", {"duration_seconds": 1e9}, "duration_seconds"),
        ("generate_dataset", {"duration_seconds": 10, "config": {"sed": 1}}, "sed"),
        ("simulate_funding_regime", {"exchange": "mtgox", "spot_price": 1, "mark_price": 1}, "exchange"),
        ("simulate_funding_regime", {"exchange": "okx", "spot_price": 1, "mark_price": 3}, "mark_price"),
        ("get_venue_details", {}, "exchange"),
        ("get_health", {"loud": True}, "loud"),
        ("normalize_events", {"source": "ftx", "events": []}, "source"),
    ],
)
def test_a_tool_names_what_is_wrong(tool: str, arguments: dict, field: str, client: httpx.Client):
    answer = rpc(client, "tools/call", name=tool, arguments=arguments)["result"]
    assert answer["isError"] and field in answer["content"][0]["text"]


async def called(client: Client) -> dict[str, dict]:
    """All nine tools, listed and called by the official client."""
    found = {}
    tools = (await client.list_tools()).tools
    assert tuple(tool.name for tool in tools) == NINE
    for tool in tools:
        arguments = ARGUMENTS.get(tool.name, {})
        jsonschema.validate(arguments, tool.input_schema)
        answer = await client.call_tool(tool.name, arguments)
        assert not answer.is_error, answer
        found[tool.name] = json.loads(answer.content[0].text)
    return found


async def test_the_official_client_over_http(served: Served):
    async with (
        httpx2.AsyncClient(headers={"X-API-Key": served.key}, timeout=60) as line,
        Client(streamable_http_client(f"{served.url}/mcp", http_client=line)) as client,
    ):
        told = await called(client)
    with served.client("mcp") as fetch:
        assert fetch.get(told["generate_dataset"]["download_url"]).content[:4] == b"PAR1"


async def test_the_official_client_over_stdio(tmp_path: Path):
    started = StdioServerParameters(
        command=sys.executable,
        args=["-m", "daemon", "mcp", "--data-dir", str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=str(ROOT),
    )
    async with Client(stdio_client(started)) as client:
        told = await called(client)
    file = Path(told["generate_dataset"]["download_url"].removeprefix("file://"))
    assert file.is_relative_to(tmp_path) and file.read_bytes()[:4] == b"PAR1"  # noqa: ASYNC240


def test_tools_schemas_discovery_and_rest_are_one(served: Served, client: httpx.Client):
    by_protocol = {tool["name"]: tool for tool in rpc(client, "tools/list")["result"]["tools"]}
    discovered = {tool["name"]: tool for tool in httpx.get(f"{served.url}/mcp/tools/list").json()["tools"]}
    card = httpx.get(f"{served.url}/.well-known/mcp.json").json()
    manifest = {tool["name"]: tool for tool in client.get("/mcp/manifest").json()["tools"]}
    document = client.get("/openapi.json").json()
    assert tuple(by_protocol) == tuple(discovered) == tuple(manifest) == NINE
    assert tuple(tool["name"] for tool in card["tools"]) == NINE
    for name, tool in by_protocol.items():
        assert tool["inputSchema"] == discovered[name]["inputSchema"] == manifest[name]["inputSchema"]
        assert tool["description"] == discovered[name]["description"] == manifest[name]["description"]
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        assert set(ARGUMENTS.get(name, {})) <= set(tool["inputSchema"]["properties"])
        rest = manifest[name]["rest"]
        operation = document["paths"][rest["path"]][rest["method"].lower()]
        if rest["method"] == "POST":
            body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
            fields = document["components"]["schemas"][body]["properties"]
            assert set(fields) == set(tool["inputSchema"]["properties"])
        else:
            paths = {one["name"] for one in operation.get("parameters", ())}
            assert paths == set(tool["inputSchema"].get("properties", ()))
    there = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert there >= PAGE_REST


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_a_wrapper_answers_what_its_tool_does(tool, client: httpx.Client):
    arguments = ARGUMENTS.get(tool.name, {})
    by_tool = rpc(client, "tools/call", name=tool.name, arguments=arguments)["result"]["content"][0]["text"]
    path = tool.path.format(**arguments)
    answer = client.post(path, json=arguments) if tool.method == "POST" else client.get(path)
    assert answer.status_code == 200, answer.text
    told = [
        {name: value for name, value in one.items() if name not in CHANGING}
        for one in (answer.json(), json.loads(by_tool))
    ]
    assert told[0] == told[1] and set(answer.json()) == set(json.loads(by_tool))


def test_validate_says_what_is_wrong(client: httpx.Client):
    good = client.post("/mcp/config/validate", json={"config": {"symbol": "BTC", "seed": 7}}).json()
    again = client.post("/mcp/config/validate", json={"config": {"seed": 7}, "preset": None}).json()
    assert good["valid"] and good["manifest_hash"] == again["manifest_hash"]
    wrong = client.post("/mcp/config/validate", json={"config": {"sed": 7}}).json()
    assert not wrong["valid"] and wrong["errors"][0]["field"] == "sed" and wrong["manifest_hash"] is None


def test_the_manifest_schema_is_one(client: httpx.Client):
    schema = client.get("/mcp/config/schema").json()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"symbol": "BTC", "seed": 42, "initial_price": 50000.0}, schema)


@pytest.mark.parametrize("exchange", ["binance", "hyperliquid", "okx", "bybit", "cme", "sgx"])
def test_every_venue_has_details(exchange: str, client: httpx.Client):
    told = client.get(f"/mcp/venues/{exchange}").json()
    assert told["exchange"] == exchange and set(told["funding"]) == {"venue", "aleatoric"}


@pytest.mark.parametrize("exchange", ["mtgox", "..%2f", "x" * 40])
def test_a_venue_that_nobody_knows(exchange: str, client: httpx.Client):
    assert client.get(f"/mcp/venues/{exchange}").status_code in (404, 422)


def test_the_pages_funding_snippet(served: Served):
    resp = requests.post(
        f"{served.url}/mcp/simulate_funding_regime",
        headers={"Authorization": f"Bearer {served.key}"},
        json={"exchange": "binance", "spot_price": 97001.0, "mark_price": 97005.3, "num_periods": 3, "seed": 42},
        timeout=30,
    )
    data = resp.json()
    fields = {"exchange", "funding_rate", "funding_rate_bps", "premium_bps", "perp_price", "settlement_times"}
    assert set(data) == fields | {"interval_hours", "annualized_rate", "periods"}
    assert f"Current rate: {data['funding_rate_bps']:.2f} bps"[:13] == "Current rate:"
    for index, p in enumerate(data["periods"]):
        assert p["period_index"] == index
        assert p["next_funding_time"] - p["start_ts_ms"] == data["interval_hours"] * 3_600_000
        assert p["funding_rate_bps"] == pytest.approx(p["funding_rate"] * 1e4)
    assert len(data["periods"]) == len(data["settlement_times"]) == 3


@pytest.mark.parametrize(
    "changed",
    [
        {"exchange": "mtgox"},
        {"spot_price": -1},
        {"spot_price": "97001"},
        {"mark_price": 0},
        {"mark_price": 1e9},
        {"num_periods": 13},
        {"num_periods": 0},
        {"seed": -1},
        {"position_size": "long"},
        {"colour": "red"},
    ],
    ids=str,
)
def test_funding_refuses_by_the_field(changed: dict, client: httpx.Client):
    asked = {"exchange": "binance", "spot_price": 97001.0, "mark_price": 97005.3} | changed
    answer = client.post("/mcp/simulate_funding_regime", json=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, next(iter(changed))), answer.text


def test_funding_takes_a_position_and_the_caps(client: httpx.Client):
    asked = {"exchange": "binance", "spot_price": 97001.0, "mark_price": 98001.0, "num_periods": 2, "profile": "venue"}
    url = "/mcp/simulate_funding_regime"
    plain, long, short = (
        client.post(url, json=asked | more).json() for more in ({}, {"position_size": 2.0}, {"position_size": -2.0})
    )
    assert "position_pnl" not in plain and long["position_pnl"] == -short["position_pnl"] != 0
    assert {name: value for name, value in long.items() if name != "position_pnl"} == plain
    aleatoric = asked | {"profile": "aleatoric"}
    capped, free = (client.post(url, json=aleatoric | {"use_soft_cap": soft}).json() for soft in (True, False))
    assert capped["funding_rate"] <= free["funding_rate"]
    later = client.post(url, json=asked | {"start_ms": 1_800_000_000_000}).json()
    assert later["periods"][0]["start_ts_ms"] <= 1_800_000_000_000 < later["periods"][0]["next_funding_time"]


def test_the_same_funding_request_has_the_same_answer(client: httpx.Client):
    asked = {"exchange": "okx", "spot_price": 97001.0, "mark_price": 97005.3, "num_periods": 12, "seed": 42}
    answers = [client.post("/mcp/simulate_funding_regime", json=asked | more).json() for more in ({}, {}, {"seed": 43})]
    assert answers[0] == answers[1] != answers[2] and len(answers[0]["periods"]) == 12
