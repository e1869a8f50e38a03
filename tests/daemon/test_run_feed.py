"""`obid run --feed`: the daemon trades a market that `obid serve` makes, through a break of its line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.daemon.http.serving import serving
from tests.daemon.runs import eager, obid

ROOT = Path(__file__).resolve().parents[2]


def ran(folder: Path, url: str, key: str, *more: str) -> subprocess.CompletedProcess[str]:
    """A run of two symbols, to its end."""
    command = [
        sys.executable,
        "-m",
        "daemon",
        "run",
        "--mode",
        "synthetic",
        "--engine",
        "perps",
        "--symbols",
        "BTC,SOL",
    ]
    command += ["--feed", url, "--for", "8s", "--bar", "1s", "--json", "--config", str(eager(folder))]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "OBID_ALEATORIC_KEY": key}
    return subprocess.run(
        [*command, "--data-dir", str(folder / "run"), *more],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def test_the_daemon_trades_what_the_service_streams(tmp_path: Path):
    with serving(tmp_path / "service") as service:
        done = ran(tmp_path, service.url, service.key)
    assert done.returncode == 0, done.stderr
    summary, _, digest = done.stdout.rstrip().rpartition("\n")
    told = json.loads(summary)
    assert digest.startswith("digest sha256:")
    assert told["books"] > 10 and told["bars"] > 4, told
    assert service.key not in "".join(
        path.read_text(errors="replace") for path in (tmp_path / "run").rglob("*") if path.is_file()
    )


def test_a_wrong_key_ends_the_run_and_says_so(tmp_path: Path):
    with serving(tmp_path / "service") as service:
        done = ran(tmp_path, service.url, "ak_live_wrong")
    assert done.returncode == 1 and "401" in done.stderr + done.stdout


@pytest.mark.parametrize(
    "more",
    [
        ("--feed", "ftp://x"),
        ("--feed", "http://user:secret@x"),
        ("--feed", "http://x", "--speed", "2"),
        ("--feed", "http://x", "--mode", "shadow"),
        ("--feed", "http://x", "--scenario", "BTC:gap@10m,for=2m"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_is_refused(more: tuple[str, ...], tmp_path: Path):
    assert "--feed" in obid("run", "--data-dir", tmp_path, *more, code=2).output


def test_a_feed_needs_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OBID_ALEATORIC_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    said = obid("run", "--feed", "http://127.0.0.1:9", "--data-dir", tmp_path / "run", code=2).output
    assert "aleatoric_key" in said


def test_check_knows_a_feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OBID_ALEATORIC_KEY", "ak_live_x")
    told = obid("check", "--feed", "http://127.0.0.1:9/", "--data-dir", tmp_path / "run").output
    assert "as http://127.0.0.1:9 streams it" in told and "ak_live_x" not in told
    assert not (tmp_path / "run").exists()
    monkeypatch.delenv("OBID_ALEATORIC_KEY")
    said = obid("check", "--feed", "http://127.0.0.1:9", "--data-dir", tmp_path / "run", code=2).output
    assert "aleatoric_key" in said and said.count("\n") == 1
    assert "--feed" in obid("check", "--feed", "http://x", "--mode", "shadow", code=2).output
