"""Every example of docs/aleatoric-api.md, run as it stands there against a real service."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.http.limits import Limits
from daemon.http.tools import TOOLS
from tests.daemon.http.serving import Served, serving

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "aleatoric-api.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def blocks(kind: str) -> list[str]:
    """The page's blocks of one language."""
    return [text for name, text in BLOCKS if name == kind]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("docs")) as service:
        yield service


def ran(command: list[str], served: Served, folder: Path) -> str:
    """What an example prints."""
    environ = {**os.environ, "ALEATORIC_URL": served.url, "ALEATORIC_API_KEY": served.key}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("text", blocks("python"), ids=range(len(blocks("python"))))
def test_a_python_example_runs(text: str, served: Served, tmp_path: Path):
    ran([sys.executable, "-W", "error", "-c", text], served, tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("text", blocks("sh"), ids=range(len(blocks("sh"))))
def test_a_shell_example_runs(text: str, served: Served, tmp_path: Path):
    if "| jq" in text.replace("|\n  jq", "| jq") and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    printed = ran(["sh", "-ec", text], served, tmp_path)
    assert printed and '"status":4' not in printed


def test_assistants_are_configured_with_json():
    servers = [json.loads(text)["mcpServers"]["aleatoric"] for text in blocks("json")]
    assert servers[0]["args"] == ["mcp"] and servers[1]["url"].endswith("/mcp")


def test_the_page_has_the_tools_and_the_limits():
    for tool in TOOLS:
        assert f"| {tool.name} | {tool.method} {tool.path} |" in PAGE
    limits = Limits()
    told = (f"{limits.requests_per_s:g} requests a second", f"{limits.requests_burst:g} at once")
    told += (f"{limits.jobs_per_key_max} jobs", f"{limits.streams_per_key_max} streams")
    told += (f"{limits.seconds_max / 86_400:g} days", f"{limits.rows_max:,} rows", f"{limits.sync_s_max:g} s")
    told += (f"{limits.body_bytes_max >> 10} KiB", f"{limits.rows_bytes_max >> 20} MiB")
    told += (f"{limits.artifacts_bytes_max // 10**9} GB", f"{limits.artifacts_max:,} runs")
    told += (f"{limits.events_normalized_max:,} rows to normalize",)
    assert [part for part in told if part not in PAGE] == []
