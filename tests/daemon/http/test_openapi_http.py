"""The OpenAPI document, held to what the service does: requests made from it meet only documented answers."""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from msgspec.structs import replace

from tests.daemon.http.serving import EASY, Served, serving

EXAMPLES = int(os.environ.get("OBID_HTTP_EXAMPLES", "15"))
"""Requests of each endpoint; more of them find more, and take longer."""

LIMITS = replace(EASY, seconds_max=120.0, rows_max=20_000, jobs_per_key_max=10_000, jobs_max=10_000)
ROOT = Path(__file__).resolve().parents[3]
STREAMS = ("/stream/live", "/v1/stream/live")


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("openapi"), LIMITS) as service:
        yield service


@pytest.fixture(scope="module")
def document(served: Served) -> dict:
    with served.client() as client:
        return client.get("/openapi.json").json()


PATHS = [
    *("/", "/metrics", "/data/generate", "/v1/data/generate", "/v1/jobs/generate", "/v1/jobs/{job_id}"),
    *("/v1/jobs/{job_id}/result", "/artifacts/{name}", *STREAMS, "/mcp", "/mcp/health", "/mcp/presets"),
    *("/mcp/config/schema", "/mcp/config/validate", "/mcp/generate_dataset", "/mcp/normalize", "/mcp/manifest"),
    *("/mcp/simulate_funding_regime", "/mcp/venues/{exchange}", "/mcp/caches/stats", "/mcp/caches"),
    *("/mcp/caches/{cache_key}", "/mcp/caches/{cache_key}/manifest", "/mcp/caches/export/{cache_key}"),
    *("/mcp/caches/stream/{cache_key}", "/mcp/tools/list", "/.well-known/mcp.json", "/.well-known/mcp-config"),
]


def test_the_document_has_every_endpoint(document: dict):
    assert sorted(document["paths"]) == sorted(PATHS)
    assert document["info"]["version"] == "0.5.2"


def test_what_needs_no_key_says_so(document: dict, served: Served):
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            answer = httpx.request(method, served.url + path)
            assert (answer.status_code == 401) == (said.get("security") != []), path
            assert ("401" in said["responses"]) == (answer.status_code == 401), path


@pytest.mark.parametrize("path", [path for path in PATHS if path != "/mcp"])
def test_only_documented_answers(path: str, document: dict, served: Served):
    schema = schemathesis.openapi.from_dict(document)
    for method, said in document["paths"][path].items():
        operation = schema[path][method.upper()]
        attack(operation, schemathesis.GenerationMode.POSITIVE, set(said["responses"]), served)
        if said.get("parameters") or said.get("requestBody"):
            attack(operation, schemathesis.GenerationMode.NEGATIVE, set(said["responses"]), served)


def attack(
    operation: schemathesis.APIOperation, mode: schemathesis.GenerationMode, documented: set[str], served: Served
) -> None:
    """Send an endpoint what its part of the document allows, or what it does not."""

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.explicit, Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def sent(case: schemathesis.Case) -> None:
        if operation.path in STREAMS:
            case.query = {**(case.query or {}), "speed": 0, "duration_s": 1}
        answer = case.call(base_url=served.url, headers={"X-API-Key": served.key}, timeout=60)
        assert str(answer.status_code) in documented, (answer.status_code, answer.text)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == ["application/problem+json"]

    sent()


def test_examples_of_the_document_are_answered(document: dict, served: Served):
    with served.client() as client:
        for path, methods in document["paths"].items():
            for method, said in methods.items():
                body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
                for name, example in body.get("examples", {}).items():
                    answer = client.request(method, path, json=example["value"])
                    assert answer.is_success, (path, name, answer.text)
                    schema = said["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
                    jsonschema.validate(answer.json(), {**schema, "components": document["components"]})


def test_what_trades_loads_nothing_of_it():
    program = (
        "import sys, daemon.run, daemon.session, daemon.generate; "
        "print({name.split('.')[0] for name in sys.modules} & "
        "{'fastapi', 'starlette', 'uvicorn', 'mcp', 'mcp_types', 'sse_starlette', 'httpx2'})"
    )
    found = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
