"""Data sets over HTTP: the page's request, the bytes of `obid generate`, jobs, files, and what is refused."""

import json
import time
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from config.errors import ConfigError
from daemon.cli import app
from daemon.http.artifacts import Artifacts, new_job_id
from daemon.http.limits import Limits, read_limits
from daemon.http.problems import Problem
from tests.daemon.http.serving import EASY, WAIT_S, Served, serving, until

PAGE = {
    "config": {"symbol": "BTC", "initial_price": 50000.0, "volatility_annual": 0.60, "seed": 42},
    "duration_seconds": 3600,
    "driver": {
        "multiprocess": True,
        "workers": 4,
        "window_seconds": 2.0,
        "max_retries": 5,
        "backoff_seconds": 1.25,
    },
}
"""The request of the API page, to the letter."""

SHORT = {"preset": "binance_futures_btc", "duration_seconds": 30, "config": {"seed": 7}}


LONG = {"preset": "binance_futures_btc", "duration_seconds": 86_400, "config": {"book_update_interval_ms": 100}}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("generate")) as service:
        yield service


@pytest.fixture(scope="module")
def client(served: Served):
    with served.client("generate") as client:
        yield client


def generated(folder: Path, *args: object) -> Path:
    """What `obid generate` writes."""
    out = folder / "own.parquet"
    result = CliRunner().invoke(app, ["generate", *map(str, args), "--out", str(out)])
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.parametrize("path", ["/data/generate", "/v1/data/generate"])
def test_the_pages_request_has_the_pages_response(path: str, client: httpx.Client):
    answer = client.post(path, json=PAGE)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["status"] == "completed" and told["storage_backend"] == "local"
    assert told["job_id"].startswith("aleatoric_batch_") and told["row_count"] > 1000
    assert told["manifest_hash"].startswith("sha256:")
    file = client.get(told["download_url"])
    assert len(file.content) == told["content_length_bytes"]
    assert told["download_url"].endswith(f"/artifacts/{told['job_id']}.parquet")


def test_it_is_what_obid_generate_makes_to_the_byte(client: httpx.Client, tmp_path: Path):
    told = client.post("/data/generate", json=SHORT).json()
    own = generated(tmp_path, "--preset", "binance_futures_btc", "--seconds", 30, "--seed", 7)
    beside = json.loads(own.with_suffix(".json").read_bytes())
    for kind, name in beside["files"].items():
        assert client.get(told["files"][kind]).content == (tmp_path / name).read_bytes()
    assert (told["digest"], told["manifest_hash"]) == (beside["digest"], beside["manifest_hash"])


def test_the_manifest_makes_the_file_again(client: httpx.Client, tmp_path: Path):
    told = client.post("/data/generate", json=SHORT).json()
    file = tmp_path / "told.json"
    file.write_bytes(client.get(told["files"]["manifest"]).content)
    own = generated(tmp_path, "--manifest", file)
    assert own.read_bytes() == client.get(told["download_url"]).content


def test_an_older_clients_names_are_understood(client: httpx.Client):
    asked = [{"volatility": 0.5, "initial_mid": 100.0}, {"volatility_annual": 0.5, "initial_price": 100.0}]
    told = [
        client.post("/data/generate", json={**SHORT, "preset": "hyperliquid_perp_sol", "config": config}).json()
        for config in asked
    ]
    assert told[0]["manifest_hash"] == told[1]["manifest_hash"]


def ended(client: httpx.Client, url: str) -> dict:
    """A job when it is over."""
    until = time.monotonic() + WAIT_S
    while (told := client.get(url).json())["finished_ms"] is None:
        assert time.monotonic() < until
        time.sleep(0.02)
    return told


def test_a_job_goes_its_way(client: httpx.Client):
    answer = client.post("/v1/jobs/generate", json=SHORT)
    assert answer.status_code == 202
    told = ended(client, answer.json()["status_url"])
    assert (told["status"], told["progress"], told["error"]) == ("completed", 1.0, None)
    result = client.get(told["result_url"])
    assert result.status_code == 200 and result.json()["job_id"] == told["job_id"]
    assert client.get(result.json()["download_url"]).content[:4] == b"PAR1"
    assert client.delete(told["status_url"]).status_code == 409


def test_a_job_is_cancelled_and_leaves_nothing(client: httpx.Client, served: Served):
    told = client.post("/v1/jobs/generate", json=LONG).json()
    until = time.monotonic() + WAIT_S
    while client.get(told["status_url"]).json()["status"] != "running":
        assert time.monotonic() < until
        time.sleep(0.02)
    assert client.get(told["result_url"]).status_code == 202
    assert client.delete(told["status_url"]).json()["status"] == "cancelled"
    assert client.get(told["result_url"]).status_code == 409
    artifacts = served.data_dir / "aleatoric" / "artifacts"
    while [*artifacts.glob(f"*{told['job_id']}*")]:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_job_is_its_keys_own(client: httpx.Client, served: Served):
    told = client.post("/v1/jobs/generate", json=SHORT).json()
    with served.client("generate") as other:
        assert other.get(told["status_url"]).status_code == 404
        assert other.delete(told["status_url"]).status_code == 404
    ended(client, told["status_url"])


def test_a_key_may_have_so_many_jobs(tmp_path: Path):
    with serving(tmp_path, replace(EASY, jobs_per_key_max=1)) as service, service.client() as client:
        long = {**SHORT, "duration_seconds": 36_000}
        assert client.post("/v1/jobs/generate", json=long).status_code == 202
        answer = client.post("/v1/jobs/generate", json=SHORT)
        assert answer.status_code == 429 and answer.headers["retry-after"]
    assert not [*(tmp_path / "aleatoric" / "artifacts").iterdir()]


def test_a_run_that_takes_too_long_is_a_504_with_advice(tmp_path: Path):
    with serving(tmp_path, replace(EASY, sync_s_max=0.05)) as service, service.client() as client:
        answer = client.post("/data/generate", json={**SHORT, "duration_seconds": 36_000})
        assert answer.status_code == 504 and "/v1/jobs/generate" in answer.json()["detail"]


def test_a_run_that_finds_no_room_is_a_507(tmp_path: Path):
    with serving(tmp_path, replace(EASY, artifacts_bytes_max=1000)) as service, service.client() as client:
        answer = client.post("/data/generate", json=SHORT)
        assert answer.status_code == 507 and "bytes" in answer.json()["detail"]
        assert answer.headers["content-type"] == "application/problem+json"
    assert not [*(tmp_path / "aleatoric" / "artifacts").iterdir()]


def test_jobs_outlive_the_service(tmp_path: Path):
    with serving(tmp_path) as service, service.client() as client:
        told = client.post("/data/generate", json=SHORT).json()
        headers = client.headers
    with serving(tmp_path) as service, service.client() as client:
        url = f"{service.url}/v1/jobs/{told['job_id']}"
        assert client.get(url).status_code == 404  # another key's
        client.headers = headers
        assert client.get(url).json()["status"] == "completed"


def test_ranges_are_served(client: httpx.Client):
    url = client.post("/data/generate", json=SHORT).json()["download_url"]
    whole = client.get(url).content
    part = client.get(url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole)}"
    assert client.get(url, headers={"Range": "bytes=-8"}).content == whole[-8:]
    assert client.get(url, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert client.head(url).headers["content-length"] == str(len(whole))
    again = b"".join(
        client.get(url, headers={"Range": f"bytes={at}-{at + 9999}"}).content for at in range(0, len(whole), 10_000)
    )
    assert sha256(again).digest() == sha256(whole).digest()


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "%2e%2e",
        "%2e%2e%2fkeys",
        "../keys/x.json",
        "..%2F..%2Fetc%2Fpasswd",
        "aleatoric_batch_x.parquet",
        "a%00b",
        "ü",
    ],
)
def test_no_name_leaves_the_folder(name: str, client: httpx.Client):
    assert client.get(f"/artifacts/{name}").status_code == 404


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "duration_seconds"),
        ({"duration_seconds": 1e9}, "duration_seconds"),
        ({"duration_seconds": 8 * 86_400}, "duration_seconds"),
        ({"duration_seconds": 7 * 86_400, "config": {"book_update_interval_ms": 1}}, "duration_seconds"),
        ({"duration_seconds": -1}, "duration_seconds"),
        ({"duration_seconds": 0}, "duration_seconds"),
        ({"duration_seconds": 0.001}, "duration_seconds"),
        ({"duration_seconds": "60"}, "duration_seconds"),
        ({"duration_seconds": True}, "duration_seconds"),
        ({"duration_seconds": 10, "colour": "red"}, "colour"),
        ({"duration_seconds": 10, "preset": "nothing"}, "preset"),
        ({"duration_seconds": 10, "preset": 7}, "preset"),
        ({"duration_seconds": 10, "config": []}, "config"),
        ({"duration_seconds": 10, "config": {"sed": 1}}, "sed"),
        ({"duration_seconds": 10, "config": {"seed": -1}}, "seed"),
        ({"duration_seconds": 10, "config": {"seed": 2**64}}, "seed"),
        ({"duration_seconds": 10, "config": {"initial_price": "1"}}, "initial_price"),
        ({"duration_seconds": 10, "config": {"symbol": "a b"}}, "symbol"),
        ({"duration_seconds": 10, "config": {"exchange": "mtgox"}}, "exchange"),
        ({"duration_seconds": 10, "driver": {"workers": 0}}, "driver.workers"),
        ({"duration_seconds": 10, "driver": {"workers": 10**6}}, "driver.workers"),
        ({"duration_seconds": 10, "driver": {"max_retries": 1.5}}, "driver.max_retries"),
        ({"duration_seconds": 10, "driver": {"threads": 1}}, "driver.threads"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_written(asked, field: str, client: httpx.Client, served: Served):
    folder = served.data_dir / "aleatoric"
    before = {path for name in ("artifacts", "jobs") for path in (folder / name).iterdir()}
    for path in ("/data/generate", "/v1/jobs/generate"):
        answer = client.post(path, json=asked)
        assert (answer.status_code, answer.json()["field"]) == (422, field), answer.text
    assert {path for name in ("artifacts", "jobs") for path in (folder / name).iterdir()} == before


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"duration_seconds": NaN}', 400),
        (b'{"duration_seconds": Infinity}', 400),
        (b'{"duration_seconds": 1}{"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b'{"config":' * 200 + b"1" + b"}" * 200, 400),
        (b"[]", 422),
        (b"", 422),
        (b" " * (8 * 1024 * 1024 + 1), 413),
    ],
    ids=["nan", "infinity", "more", "utf8", "deep_list", "deep_object", "list", "empty", "large"],
)
def test_a_body_that_is_none_is_refused(body: bytes, status: int, client: httpx.Client):
    answer = client.post("/data/generate", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text


def test_what_is_too_old_goes(tmp_path: Path):
    artifacts = Artifacts(tmp_path, Limits(artifacts_age_s_max=100.0))
    name = f"{new_job_id()}.parquet"
    (tmp_path / name).write_bytes(b"x")
    made_ns = (tmp_path / name).stat().st_mtime_ns
    assert artifacts.purge(made_ns + 99 * 10**9) == 0 and artifacts.path_of(name).is_file()
    assert artifacts.purge(made_ns + 101 * 10**9) == 1
    with pytest.raises(Problem, match="no such artifact"):
        artifacts.path_of(name)


def test_what_only_the_making_finds_is_told_by_the_field(client: httpx.Client):
    asked = {"preset": "equities:PLTR", "config": {"start_ms": 8_000_000_000_000}, "duration_seconds": 60}
    answer = client.post("/data/generate", json=asked)
    assert (answer.status_code, answer.json()["field"]) == (422, "start_ms"), answer.text


def test_a_job_that_takes_too_long_is_stopped(tmp_path: Path):
    with serving(tmp_path, replace(EASY, job_s_max=2.0)) as service, service.client() as client:
        told = client.post("/v1/jobs/generate", json={**SHORT, "duration_seconds": 36_000}).json()
        told = ended(client, told["status_url"])
        assert told["status"] == "failed" and client.get(told["result_url"]).status_code == 504
        # The worker is free again, once it is warm.
        until(lambda: client.post("/data/generate", json=SHORT).status_code == 200)


def test_links_begin_with_what_the_operator_said(tmp_path: Path):
    with serving(tmp_path, public_url="https://data.example.org/") as service, service.client() as client:
        told = client.post("/data/generate", json=SHORT).json()
        assert told["download_url"].startswith("https://data.example.org/artifacts/aleatoric_batch_")
        card = client.get("/.well-known/mcp.json").json()
        assert card["transport"]["url"] == "https://data.example.org/mcp"


def test_limits_are_read_by_name(tmp_path: Path):
    file = tmp_path / "limits.toml"
    file.write_text("rows_max = 5\nsync_s_max = 1\n")
    assert read_limits(file) == Limits(rows_max=5, sync_s_max=1.0)
    for text, said in (
        ("rows = 1", "no such limit"),
        ("rows_max = 0", "rows_max = 0"),
        ("rows_max = 1.5", "rows_max = 1.5"),
        ("sync_s_max = nan", "sync_s_max = nan"),
        ("sync_s_max = -1.0", "sync_s_max"),
        ("rows_max", "cannot be read"),
    ):
        file.write_text(text)
        with pytest.raises(ConfigError, match=said):
            read_limits(file)
