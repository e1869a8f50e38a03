"""Keys: made, kept as a hash, known to a running service at once, revoked, limited."""

import json
import re
import stat
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from config.errors import ConfigError
from daemon.cli import app
from daemon.http.door import OPEN
from daemon.http.folders import folders_in
from daemon.http.keys import KeyRing, create_key, last_used_ns, list_keys, revoke_key
from daemon.http.limits import Buckets
from tests.daemon.http.serving import EASY, Served, serving

S = 10**9


def keys(*args: object, folder: Path, code: int = 0) -> str:
    """What `obid keys` prints."""
    result = CliRunner().invoke(app, ["keys", *map(str, args), "--data-dir", str(folder)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("keys")) as service:
        yield service


def test_a_key_is_shown_once_and_kept_as_a_hash(tmp_path: Path):
    shown = keys("create", "--scope", "stream", "--scope", "generate", "--name", "laptop", folder=tmp_path)
    text = shown.splitlines()[0]
    assert re.fullmatch(r"ak_live_[A-Za-z0-9_-]{43}", text)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 1 and text.encode() not in files[0].read_bytes()
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    listed = json.loads(keys("list", "--json", folder=tmp_path))
    assert [(key["scopes"], key["name"], key["last_used_ns"]) for key in listed] == [
        (["generate", "stream"], "laptop", None)
    ]
    assert text not in keys("list", folder=tmp_path)


@pytest.mark.parametrize("scopes", [(), ("--scope", "everything")])
def test_a_key_is_for_something_that_there_is(scopes, tmp_path: Path):
    assert "generate, stream, metrics, mcp" in keys("create", *scopes, folder=tmp_path, code=2)


def test_a_key_that_is_not_there_is_not_revoked(tmp_path: Path):
    assert "no such key" in keys("revoke", "0123456789ab", folder=tmp_path, code=2)


def test_a_damaged_key_file_is_named(tmp_path: Path):
    folder = folders_in(tmp_path).keys
    (folder / "damaged.json").write_text("{")
    with pytest.raises(ConfigError, match=r"damaged\.json"):
        list_keys(folder)


def test_a_ring_knows_what_changed_and_who_was_there(tmp_path: Path):
    folder = folders_in(tmp_path).keys
    ring, now_ns = KeyRing(folder), 1_000 * S
    text, key = create_key(folder, ["mcp"], "", now_ns)
    assert ring.find(text, now_ns) == key
    assert ring.find(text + "x", now_ns) is None and ring.find("", now_ns) is None and ring.find("ä€", now_ns) is None
    ring.used(key, now_ns)
    ring.used(key, now_ns + 59 * S)
    assert last_used_ns(folder, key.id) == now_ns
    ring.used(key, now_ns + 60 * S)
    assert last_used_ns(folder, key.id) == now_ns + 60 * S
    revoke_key(folder, key.id, now_ns + S)
    found = ring.find(text, now_ns + S)
    assert found is not None and found.revoked_ns == now_ns + S


@pytest.mark.parametrize("path", ["/metrics", "/openapi.json", "/nowhere", "/v1/jobs/x", "/mcp/health", "/artifacts/x"])
def test_what_is_not_open_needs_a_key(path: str, served: Served):
    for headers in ({}, {"X-API-Key": "ak_live_wrong"}, {"Authorization": "Basic abc"}, {"X-API-Key": "ä".encode()}):
        answer = httpx.get(served.url + path, headers=headers)
        assert answer.status_code == 401 and answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"] == "Bearer"


def test_both_headers_open(served: Served):
    for headers in ({"X-API-Key": served.key}, {"Authorization": f"Bearer {served.key}"}):
        assert httpx.get(f"{served.url}/metrics", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("scope", "path"),
    [("stream", "/metrics"), ("metrics", "/v1/jobs/x"), ("metrics", "/mcp/health"), ("generate", "/stream/live")],
)
def test_a_key_opens_what_it_is_for(scope: str, path: str, served: Served):
    with served.client(scope) as client:
        answer = client.get(path)
    assert answer.status_code == 403 and "this needs" in answer.json()["detail"]


def test_a_revoked_key_opens_nothing(served: Served):
    folder = folders_in(served.data_dir).keys
    text, key = create_key(folder, ["metrics"], "", S)
    headers = {"X-API-Key": text}
    assert httpx.get(f"{served.url}/metrics", headers=headers).status_code == 200
    keys("revoke", key.id, folder=served.data_dir)
    answer = httpx.get(f"{served.url}/metrics", headers=headers)
    assert answer.status_code == 401 and "was revoked" in answer.json()["detail"]


def test_without_a_key_only_what_the_page_says(served: Served):
    assert httpx.get(f"{served.url}/").json()["version"] == "0.5.2"
    assert {"/", "/mcp/tools/list", "/.well-known/mcp.json", "/.well-known/mcp-config"} == OPEN


def test_a_bucket_fills_as_time_goes():
    buckets = Buckets(per_s=2.0, burst=3.0)
    assert [buckets.wait_s("a", 0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    assert buckets.wait_s("b", 0) == 0.0
    assert buckets.wait_s("a", S // 2) == 0.0
    assert buckets.wait_s("a", S // 2) == 0.5
    assert [buckets.wait_s("a", 100 * S) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_too_many_requests_wait(tmp_path: Path):
    limits = replace(EASY, requests_per_s=0.5, requests_burst=2.0, strangers_per_s=0.5, strangers_burst=2.0)
    with serving(tmp_path, limits) as service, service.client() as client:
        answers = [client.get("/metrics") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 2
        assert [httpx.get(f"{service.url}/metrics").status_code for _ in range(3)] == [401, 401, 429]
