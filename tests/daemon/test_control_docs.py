"""docs/control.md: its tables are what the types say, its examples work."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.control_docs import ANSWERS, tables
from daemon.verbs import ARGS, DOES
from tests.daemon.runs import Daemon, obid

PAGE = Path(__file__).resolve().parents[2] / "docs" / "control.md"


def test_the_tables_are_what_the_types_say():
    text = PAGE.read_text("utf-8")
    assert text.endswith(tables()), "write them anew: obid ctl names --document"
    assert obid("ctl", "names", "--document").stdout == tables()
    assert ARGS.keys() == DOES.keys() >= ANSWERS.keys()
    assert all(f"| `{verb}` | " in text for verb in ARGS)


@pytest.mark.skipif(sys.platform == "win32", reason="a Unix socket")
def test_the_example_and_the_lines_by_hand_work(tmp_path):
    text = PAGE.read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    imported = set(re.findall(r"^import (\w+)$", example, re.MULTILINE))
    assert imported == {"json", "socket", "sys"}
    with Daemon(tmp_path / "data", "--symbols", "BTC", "--speed", "20") as daemon:
        command = [sys.executable, "-c", example, str(daemon.data_dir)]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
        assert shown.splitlines()[0].startswith("perps active ")
        assert shown.splitlines()[1:] == ["net_cap_usd 1250 1250", "subscribed"]
        by_hand = re.findall(r"echo '(\{.*\})' \|", text)
        assert len(by_hand) == 2
        for line in by_hand:
            request = json.loads(line)
            assert daemon.ask(request["verb"], **request.get("args", {}))
        daemon.end()
