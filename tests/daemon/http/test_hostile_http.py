"""Clients that mean harm, and machines that fail: each has its answer, nothing is written, nobody else is harmed."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from daemon.cli import app
from daemon.http import door, serve, service
from daemon.http.artifacts import Artifacts, disk_now_ns, new_job_id
from daemon.http.folders import folders_in
from daemon.http.jobs import Jobs
from daemon.http.keys import create_key
from daemon.http.limits import Limits
from daemon.http.metrics import Metrics
from daemon.http.problems import Problem
from supervisor.clock import Clock
from tests.daemon.http.serving import EASY, WAIT_S, Served, serving, until
from tests.daemon.http.test_generate_http import LONG, SHORT, ended
from tests.daemon.http.test_serve import started
from tests.daemon.http.test_stream_http import told

PROBLEM = "application/problem+json"
JSON = {"Content-Type": "application/json"}
MIB = 1 << 20


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("hostile")) as service:
        yield service


@pytest.fixture(scope="module")
def client(served: Served):
    with served.client() as client:
        yield client


def written(folder: Path) -> set[Path]:
    """All that the service has kept but its keys."""
    return {path for name in ("artifacts", "jobs", "cache") for path in (folder / "aleatoric" / name).rglob("*")}


def said(served: Served, text: bytes) -> bytes:
    """All that the service answers to some bytes, which must end with the connection closed."""
    host, port = served.url.removeprefix("http://").split(":")
    heard = b""
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as line, suppress(ConnectionResetError):
        line.sendall(text.replace(b"KEY", served.key.encode()))
        while part := line.recv(65_536):
            heard += part
    return heard


POST = b"POST /data/generate HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\n"
HIDDEN = b"GET /mcp/tools/list HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
        (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + HIDDEN, 400),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + HIDDEN, 400),
        (POST + b"Content-Length: +2\r\n\r\n{}" + HIDDEN, 400),
        (POST + b"Content-Length: -1\r\n\r\n{}" + HIDDEN, 400),
        (POST + b"Content-Length: 9000000\r\n\r\n" + HIDDEN, 413),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n" + HIDDEN, 413),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + HIDDEN, 400),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * MIB + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET /?" + b"a=1&" * 3_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"\x16\x03\x01\x02\x00" + b"\0" * 200, 400),
    ],
    ids=[
        *("both", "te_te", "te_other", "two_lengths", "plus", "minus", "large", "huge", "chunk", "space", "hosts"),
        *("nul", "no_host", "line", "lines", "heads", "path", "query", "tls"),
    ],
)
def test_one_request_has_one_answer(text: bytes, status: int, served: Served):
    heard = said(served, text)
    assert heard.startswith(b"HTTP/1.1 %d " % status) and heard.count(b"HTTP/1.1 ") == 1, heard
    assert b"get_health" not in heard
    head, _, body = heard.partition(b"\r\n\r\n")
    assert PROBLEM.encode() in head and msgspec.json.decode(body)["status"] == status


def test_a_head_that_comes_in_pieces_is_heard_out(served: Served):
    host, port = served.url.removeprefix("http://").split(":")
    for name_bytes, status in ((20_000, 200), (100_000, 431)):
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: ")
            for _ in range(10):
                line.sendall(b"a" * (name_bytes // 10))
                time.sleep(0.01)  # long enough for the server to read them one by one
            line.sendall(b"\r\n\r\n")
            assert line.recv(65_536).startswith(b"HTTP/1.1 %d " % status)


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b'{"duration_seconds": 1e9, "duration_seconds": 10}', 400, "duration_seconds"),
        (b'{"duration_seconds": 10, "config": {"seed": 1, "seed": 2}}', 400, "seed"),
        (b'{"duration_seconds": -0.0}', 422, "duration_seconds"),
        (b'{"duration_seconds": 1e999}', 400, None),
        (b'{"duration_seconds": ' + b"9" * 5_000 + b"}", 400, None),
        (b'{"duration_seconds": 10, "config": {"seed": ' + b"9" * 5_000 + b"}}", 400, None),
        (b'{"duration_seconds": 10, "config": {"initial_price": 1e-320}}', 422, "initial_price"),
        (b'{"duration_seconds": 10, "config": {"burst_probability": 1e-30}}', 422, "burst_probability"),
        (b'{"duration_seconds": 10, "config": {"spread_recovery_ms": 1e-320}}', 422, "spread_recovery_ms"),
        (b'{"duration_seconds": 10, "config": {"symbol": "\\ud800"}}', 400, None),
        (b'{"duration_seconds": 10, "config": {"symbol": "a\\u0000b"}}', 422, "symbol"),
        (b'{"duration_seconds": 10, "config": {"symbol": "\xc0\xaf"}}', 400, None),
        ('{"duration_seconds": 10}'.encode("utf-16"), 400, None),
        (b'{"duration_seconds": 10} // x', 400, None),
        (b'{"__proto__": {"a": 1}, "duration_seconds": 10}', 422, "__proto__"),
        (b'{"' + b"a" * 200_000 + b'": 1, "duration_seconds": 10}', 422, "a" * 200 + "..."),
        (b'{"config": {"scenarios": [' + b"[]," * 80_000 + b'[]]}, "duration_seconds": 10}', 422, "scenarios"),
        (b'{"preset": "' + b"a" * 300_000 + b'"}', 413, None),
    ],
    ids=[
        *("twice", "twice_inside", "minus_0", "1e999", "digits", "seed_digits", "price", "burst", "recovery"),
        *("surrogate", "nul", "overlong", "utf16", "comment", "proto", "name", "lists", "large"),
    ],
)
def test_a_body_that_lies_is_refused_in_few_words(
    body: bytes, status: int, field: str | None, client: httpx.Client, served: Served
):
    before = written(served.data_dir)
    answer = client.post("/data/generate", content=body, headers=JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM), answer.text
    assert answer.json().get("field") == field and len(answer.content) < 3_000
    assert written(served.data_dir) == before


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_body_of_another_kind_is_refused(kind: str, client: httpx.Client):
    for path in ("/data/generate", "/mcp", "/mcp/normalize"):
        answer = client.post(path, content=b"{}", headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["field"]) == (415, "Content-Type")


@pytest.mark.parametrize(
    ("query", "status", "field"),
    [
        ("symbol=BTC&symbol=ETH", 400, "symbol"),
        ("symbol=BTC&seed=1&%73eed=2", 400, "seed"),
        ("symbol=BTC&speed=1e-320", 422, "speed"),
        ("symbol=BTC&duration_s=1e-320", 422, "duration_s"),
        ("symbol=BTC&seed=" + "9" * 5_000, 422, "seed"),
        ("symbol=%00", 422, "symbol"),
    ],
    ids=["twice", "twice_escaped", "slow", "short", "digits", "nul"],
)
def test_a_query_that_lies_is_refused(query: str, status: int, field: str, client: httpx.Client):
    answer = client.get("/stream/live?" + query)
    assert (answer.status_code, answer.json()["field"]) == (status, field), answer.text


@pytest.mark.parametrize("path", ["/mcp/caches/stream/" + "0" * 32, "/mcp/caches"])
def test_a_parameter_that_nobody_knows_is_refused(path: str, client: httpx.Client):
    answer = client.request("GET" if "stream" in path else "DELETE", path, params={"confirm": "true", "colour": "red"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, PROBLEM)


@pytest.mark.parametrize(
    ("asked", "status", "content"),
    [
        ("bytes=0-0", 206, b"a"),
        ("bytes=-0", 416, None),
        ("bytes=-99999999", 206, b"abcdefghij"),
        ("bytes=3-99999999999999999999", 206, b"defghij"),
        ("bytes=10-", 416, None),
        ("bytes=5-2", 400, None),
        ("bytes=a-b", 400, None),
        ("bytes=", 400, None),
        ("lines=0-1", 400, None),
        ("bytes=--5", 416, None),
        ("bytes=9" + "9" * 5_000 + "-", 400, None),
        ("bytes=0-4,2-6,6-8", 206, b"abcdefghi"),
        ("bytes=" + ",".join(["0-"] * 1_000), 200, b"abcdefghij"),
        ("bytes=" + ",".join(f"{at}-{at}" for at in range(9_000)), 431, None),
    ],
    ids=lambda value: str(value)[:20],
)
def test_ranges_are_met_or_refused(asked: str, status: int, content: bytes | None, client, served: Served):
    file = served.data_dir / "aleatoric" / "artifacts" / f"{new_job_id()}.parquet"
    file.write_bytes(b"abcdefghij")
    answer = client.get(f"/artifacts/{file.name}", headers={"Range": asked})
    assert answer.status_code == status
    if content is None:
        assert answer.headers["content-type"] == PROBLEM and answer.json()["status"] == status
        assert (answer.headers.get("content-range") == "bytes */10") == (status == 416)
    else:
        assert answer.content == content


def test_a_link_is_no_artifact_and_is_not_followed(client: httpx.Client, served: Served, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_bytes(b"x" * 1_000)
    folder = served.data_dir / "aleatoric" / "artifacts"
    link = folder / f"{new_job_id()}.parquet"
    link.symlink_to(secret / "file")
    assert client.get(f"/artifacts/{link.name}").status_code == 404
    (folder / ".link").symlink_to(secret)
    Artifacts(folder, Limits()).purge(link.lstat().st_mtime_ns + 10**9 * 90_000)
    assert not link.is_symlink() and (secret / "file").is_file()


def test_messages_of_the_protocol_have_an_id_that_can_be_answered(client: httpx.Client):
    for given in (None, 1.5, True, [1]):
        answer = client.post("/mcp", json={"jsonrpc": "2.0", "id": given, "method": "ping"})
        assert (answer.status_code, answer.json()["field"]) == (400, "id")
    for method in ("GET", "DELETE"):
        answer = client.request(method, "/mcp", headers={"Accept": "text/event-stream"})
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_a_stream_ends_when_its_key_is_revoked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(service, "HOUSE_EACH_S", 0.05)
    with serving(tmp_path) as served, served.client() as watcher:
        text, key = create_key(folders_in(tmp_path).keys, ["stream"], "", 1)
        headers = {"X-API-Key": text}
        with httpx.stream("GET", f"{served.url}/stream/live?symbol=BTC", headers=headers, timeout=WAIT_S) as answer:
            lines = answer.iter_lines()
            next(lines)
            assert CliRunner().invoke(app, ["keys", "revoke", key.id, "--data-dir", str(tmp_path)]).exit_code == 0
            list(lines)  # to its end
        until(lambda: told(watcher, "aleatoric_streams_open") == 0)


def test_two_jobs_do_not_share_one_place(tmp_path: Path):
    rows = 30 * 10 + 30 * 2 * 20  # of SHORT: more than its books and trades
    with (
        serving(tmp_path, replace(EASY, artifacts_bytes_max=rows * 400)) as served,
        served.client() as client,
    ):
        statuses = [client.post("/v1/jobs/generate", json=SHORT).status_code for _ in range(2)]
        assert statuses == [202, 507]


def test_jobs_are_cancelled_at_any_moment(tmp_path: Path):
    with serving(tmp_path) as served, served.client() as client:
        jobs = [client.post("/v1/jobs/generate", json=asked).json() for asked in (LONG, SHORT, LONG)]
        waits, first = jobs[1:], jobs[0]
        for job in waits:  # none has begun: there is one worker, and it has the first
            assert client.delete(job["status_url"]).json()["status"] == "cancelled"
        until(lambda: client.get(first["status_url"]).json()["progress"] > 0)
        assert client.delete(first["status_url"]).json()["status"] == "cancelled"
        for pause_s in (0.0, 0.01, 0.05):
            job = client.post("/v1/jobs/generate", json=SHORT).json()
            time.sleep(pause_s)
            assert client.delete(job["status_url"]).status_code in (200, 409)
            if ended(client, job["status_url"])["status"] == "completed":
                Artifacts(folders_in(tmp_path).artifacts, Limits()).remove(job["job_id"])
        assert client.post("/data/generate", json=SHORT).status_code == 200  # the worker is free
        until(lambda: len(list(folders_in(tmp_path).artifacts.iterdir())) == 4)
        until(lambda: {path.suffix for path in folders_in(tmp_path).jobs.iterdir()} == {".json"})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of processes are POSIX")
def test_a_disk_that_takes_no_more_is_a_507(tmp_path: Path):
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536));from daemon.cli import app; app()"
    )
    with started(tmp_path, "--workers", "1", program=program) as (_, client):
        answer = client.post("/data/generate", json=SHORT | {"duration_seconds": 600})
        assert (answer.status_code, answer.headers["content-type"]) == (507, PROBLEM), answer.text
        assert not list(folders_in(tmp_path).artifacts.iterdir())
        assert client.post("/data/generate", json={"duration_seconds": 5}).status_code == 200


def test_what_is_damaged_harms_nothing_else(tmp_path: Path):
    folders = folders_in(tmp_path)
    (folders.keys / "damaged.json").write_text("{")
    (folders.keys / "used").write_text("no folder")
    with pytest.raises(FileExistsError), serving(tmp_path):
        pass
    (folders.keys / "used").unlink()
    with serving(tmp_path) as served, served.client() as client:
        for path in (folders.keys / "used").iterdir():
            path.unlink()
        (folders.keys / "used").rmdir()
        (folders.keys / "used").write_text("no folder")
        assert client.get("/metrics").status_code == 200
        key = "0" * 32
        for name in (f"{key}.json", f"{key}.rows.lz4"):
            (folders.cache / name).write_text("{")
        for path in (f"{key}/manifest", f"export/{key}", f"stream/{key}"):
            answer = client.get(f"/mcp/caches/{path}")
            assert (answer.status_code, answer.json()["field"]) == (404, "cache_key")


def test_who_does_not_read_a_file_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "TAKE_S_MAX", 0.3)
    with serving(tmp_path) as served, served.client() as client:
        file = folders_in(tmp_path).artifacts / f"{new_job_id()}.parquet"
        with file.open("wb") as large:
            large.truncate(64 * MIB)
        host, port = served.url.removeprefix("http://").split(":")
        with socket.socket() as line:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            line.connect((host, int(port)))
            line.sendall(f"GET /artifacts/{file.name} HTTP/1.1\r\nHost: x\r\nX-API-Key: {served.key}\r\n\r\n".encode())
            until(lambda: told(client, "aleatoric_answers_cut_total") == 1)


def test_who_spells_a_second_request_for_ever_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with serving(tmp_path) as served:
        host, port = served.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as line:
            line.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            heard = b""
            while not heard.endswith(b"}"):
                heard += line.recv(65_536)
            assert heard.startswith(b"HTTP/1.1 200")
            monkeypatch.setattr(serve, "HEAD_S_MAX", 0.2)
            line.sendall(b"GET / HTTP/1.1\r\nHost")
            with suppress(ConnectionResetError):
                assert line.recv(65_536) == b""


async def test_small_work_that_does_not_end_is_ended(tmp_path: Path):
    folders, clock = folders_in(tmp_path), Clock.wall(asyncio.get_running_loop())
    limits = Limits(sync_s_max=0.3)
    jobs = Jobs(folders.jobs, Artifacts(folders.artifacts, limits), limits, clock, Metrics())
    try:
        with pytest.raises(Problem, match="not done within"):
            await jobs.work(time.sleep, 600)
        jobs.limits = Limits()
        assert await jobs.work(abs, -7) == 7
        with pytest.raises(Problem, match="a worker process died"):
            await jobs.work(os._exit, 1)
        assert await jobs.work(abs, -8) == 8
    finally:
        await jobs.stop()


def test_a_clock_that_is_set_removes_nothing_too_soon(tmp_path: Path):
    class Set:
        """A clock whose machine was set by so many seconds after the start."""

        def __init__(self, by_s: float) -> None:
            self.by_ns = round(by_s * 1e9)

        def now_ns(self) -> int:
            return made_ns + 10**9

        def strayed_ns(self) -> int:
            return self.by_ns

    artifacts = Artifacts(tmp_path, Limits())
    for by_s in (0, 1e6, -1e6):
        file = tmp_path / f"{new_job_id()}.parquet"
        file.write_bytes(b"x")
        made_ns = file.stat().st_mtime_ns
        stamp_ns = made_ns + round(by_s * 1e9)  # by the machine's time after it was set
        os.utime(file, ns=(stamp_ns, stamp_ns))
        assert artifacts.purge(disk_now_ns(Set(by_s))) == 0 and file.is_file()


def test_a_service_that_was_killed_leaves_no_parts_for_long(tmp_path: Path):
    artifacts = Artifacts(tmp_path, Limits(job_s_max=100.0))
    parts, file = tmp_path / f".{new_job_id()}.parquet.parts", tmp_path / f"{new_job_id()}.parquet"
    parts.mkdir()
    (parts / "0.events").write_bytes(b"x")
    file.write_bytes(b"x")
    made_ns = file.stat().st_mtime_ns
    assert artifacts.purge(made_ns + 99 * 10**9) == 0
    assert artifacts.purge(made_ns + 102 * 10**9) == 1 and file.is_file() and not parts.exists()


def test_answers_and_events_fit_their_lines(served: Served):
    """A client that reads with the standard library alone reads the same."""
    program = (
        "import json, sys, urllib.request as u; url, key = sys.argv[1:];"
        "r = u.urlopen(u.Request(url + '/stream/live?symbol=BTC&seed=1&duration_s=20&speed=0', "
        "headers={'X-API-Key': key}));"
        "print(sum(1 for line in r if line.startswith(b'data: ') and json.loads(line[6:])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, served.url, served.key], capture_output=True, text=True, check=True
    )
    with served.client() as client:
        query = {"symbol": "BTC", "seed": 1, "duration_s": 20, "speed": 0}
        text = client.get("/stream/live", params=query).text
    assert int(done.stdout) == len([json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")])
