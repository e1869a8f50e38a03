"""Damaged logs: what is told is what was written, and what cannot be told is said."""

import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.log_reader import LogFilter, read
from daemon.logs import open_log

START_NS = 1_767_225_600_000_000_005
LINES = 6


@pytest.fixture
def log_file(tmp_path: Path) -> Path:
    log = open_log(tmp_path, "r1", lambda: START_NS)
    for number in range(LINES):
        log.info("fill", number=number, symbol=("BTC", "ETH")[number % 2])
    log.close()
    return log.file.path


def told(file: Path, wanted: LogFilter | None = None) -> list[tuple]:
    """What a reader is told: numbers of the lines' own, and what is wrong."""
    return [
        (line["number"],) if "number" in line else (line["event"], line.get("line", line.get("lines")))
        for line in read(file.parents[1], wanted or LogFilter())
    ]


def rewrite(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert data.count(old) == 1
    file.write_bytes(data.replace(old, new))


def test_a_changed_line_is_named_and_the_rest_is_read(log_file):
    rewrite(log_file, b'"number":2', b'"number":3')
    assert told(log_file) == [(0,), (1,), ("damaged_line", 3), ("missing_lines", 1), (3,), (4,), (5,)]


def test_damage_is_told_whatever_is_asked_for(log_file):
    rewrite(log_file, b'"number":2,"symbol":"BTC"', b'"number":2,"symbol":"BTD"')
    assert told(log_file, LogFilter(symbol="ETH")) == [(1,), ("damaged_line", 3), ("missing_lines", 1), (3,), (5,)]
    assert told(log_file, LogFilter(events=frozenset({"nothing"}))) == [("damaged_line", 3), ("missing_lines", 1)]


@pytest.mark.parametrize("number", range(LINES))
def test_a_line_whose_checksum_is_no_field_any_more_is_damaged(log_file, number):
    """The first line too: the lines behind it say that it should have one."""
    lines = log_file.read_bytes().splitlines(keepends=True)
    lines[number] = lines[number].replace(b'"crc":', b'"brc":')
    log_file.write_bytes(b"".join(lines))
    assert ("damaged_line", number + 1) in told(log_file)
    assert (number,) not in told(log_file)


def test_a_line_that_is_gone_is_missed(log_file):
    lines = log_file.read_bytes().splitlines(keepends=True)
    log_file.write_bytes(b"".join(lines[:2] + lines[4:]))
    assert told(log_file) == [(0,), (1,), ("missing_lines", 2), (4,), (5,)]


def test_a_torn_line_is_told_and_does_not_spoil_the_next_run(log_file):
    log_file.write_bytes(log_file.read_bytes()[:-20])
    assert told(log_file)[-1] == ("damaged_line", LINES)
    log = open_log(log_file.parents[1], "r2", lambda: START_NS)
    log.info("fill", number=77)
    log.close()
    assert told(log_file) == [(0,), (1,), (2,), (3,), (4,), ("damaged_line", LINES), (77,)]


def test_a_log_without_checksums_is_read_as_it_is(log_file):
    old = b'{"run":"r0","seq":%d,"at":"2025-12-31T00:00:00.000000000Z","level":"info","event":"x","number":%d}\n'
    log_file.write_bytes(b"".join(old % (n + 1, 10 + n) for n in range(5)) + log_file.read_bytes())
    assert told(log_file) == [(10 + n,) for n in range(5)] + [(n,) for n in range(LINES)]


def test_the_command_shows_it_and_goes_on(log_file):
    rewrite(log_file, b'"number":2', b'"number":9')
    shown = CliRunner().invoke(app, ["logs", "--data-dir", str(log_file.parents[1])])
    assert shown.exit_code == 0
    assert "damaged_line  file=obid.jsonl line=3 why=its checksum does not hold" in shown.output
    assert len(shown.output.splitlines()) == LINES + 1
    as_json = CliRunner().invoke(app, ["logs", "--json", "--data-dir", str(log_file.parents[1])])
    assert [json.loads(line)["event"] for line in io.StringIO(as_json.output)].count("damaged_line") == 1


def test_the_documented_check_by_hand(log_file):
    """The one-liner of docs/log-schema.md, as it stands there."""
    import re
    import subprocess
    import sys

    rewrite(log_file, b'"number":4', b'"number":9')
    text = (Path(__file__).parents[2] / "docs" / "log-schema.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"python3 -c '(import sys, zlib.*?)' obid\.jsonl", text, re.DOTALL)
    script = script.replace("\n", " ")
    found = subprocess.run([sys.executable, "-c", script, log_file], capture_output=True, text=True, check=True)
    assert found.stdout == "5\n"
