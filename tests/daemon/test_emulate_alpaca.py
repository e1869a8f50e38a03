"""`obid emulate alpaca` from its command line."""

import json
import subprocess
import sys
import tomllib
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from daemon.cli import app
from daemon.emulate_alpaca import secret_of, throw_away_key

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "daemon", "emulate", "alpaca", "--port", "0", "--json")


def serving(*more):
    """Start it; returns the process and what it printed."""
    process = subprocess.Popen([*COMMAND, *more], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    assert line, process.stderr.read()
    return process, json.loads(line)


def test_it_serves_and_goes_without_a_word():
    process, told = serving(
        "--symbols", "BTC/USD,CRM", "--start", "2026-11-26T15:00Z", "--speed", "step", "--seed", "7"
    )
    try:
        key, secret = told["throw_away_key_id"], told["throw_away_secret"]
        assert (key, secret) == (throw_away_key(7), secret_of(key, 7))
        headers = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}
        with urllib.request.urlopen(urllib.request.Request(f"{told['url']}/v2/clock", headers=headers)) as answer:
            clock = json.load(answer)
        assert clock["timestamp"].startswith("2026-11-26T10:00:00") and not clock["is_open"]  # Thanksgiving
        config = tomllib.loads(told["config"])
        assert config["daemon"]["alpaca_url"] == told["url"] and config["crypto"]["symbols"] == ["BTC/USD"]
        process.terminate()
        out, err = process.communicate(timeout=5)
        assert (process.returncode, out, err) == (0, "", "")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("typed", "right"),
    [
        (("--symbols", "BTC"), "--symbols 'BTC': a pair like BTC/USD"),
        (("--start", "yesterday"), "--start 'yesterday': a time like 2026-01-05T14:00Z"),
        (("--start", "2031-01-05T14:00Z"), "from 2025-01-01 to 2028-12-31"),
        (("--plan", "gold"), "--plan 'gold': one of basic, plus"),
        (("--account", "KEY"), "--account 'KEY': KEY:USD"),
        (("--account", "KEYS:10:rich"), "KEY:USD"),
        (("--faults", "nope.toml"), "default, none or a TOML file"),
        (("--speed", "max"), "--speed 'max': a number, or step"),
    ],
)
def test_bad_input_is_one_line(typed, right):
    result = CliRunner().invoke(app, ["emulate", "alpaca", *typed], prog_name="obid")
    assert result.exit_code == 2, result.output
    (line,) = result.stderr.splitlines()
    assert right in line


@pytest.mark.parametrize(("venue", "kind"), [("alpaca", "idle_close"), ("hyperliquid", "conn_limit")])
def test_faults_of_another_venue_are_refused(tmp_path, venue, kind):
    path = tmp_path / "faults.toml"
    path.write_text(f'[[fault]]\nkind = "{kind}"\nat_s = [5]\n')
    result = CliRunner().invoke(app, ["emulate", venue, "--faults", str(path)], prog_name="obid")
    assert result.exit_code == 2 and f"fault 1: kind '{kind}': another venue's" in result.stderr


def test_what_is_shown_is_for_people_as_well():
    from daemon.emulate import Where
    from daemon.emulate_alpaca import asked_alpaca, shown

    told = asked_alpaca(
        where=Where("127.0.0.1", 3002),
        seed=1,
        speed=None,
        accounts=["MINE:5000:cash:pdt"],
        plan="plus",
        faults="default",
    )
    account = told.accounts[0]
    assert (account.key_id, account.margin, account.pdt, account.shorting) == ("MINE", 1, True, True)
    text = shown(told, 3002, as_json=False)
    assert "http://127.0.0.1:3002  ws://127.0.0.1:3002/stream" in text and "169 symbols" in text
    assert f"OBID_ALPACA_PAPER_SECRET={account.secret}" in text and 'alpaca_feed = "sip"' in text
    assert "--data-dir" in text.splitlines()[-1], "not into the books of `make run`"


def test_the_smallest_plan_on_which_all_is_heard():
    from daemon.emulate_alpaca import plan_for, universe

    coins, shares = ([name for name in universe() if ("/" in name) is there] for there in (True, False))
    assert plan_for([*coins[:10], *shares[:30]]) == "basic"
    assert plan_for(coins[:11]) == plan_for(shares[:31]) == "plus"
