"""Top as a person has it: a real daemon, a real terminal (tmux), keys and what stands on the screen."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from tests.daemon.runs import ROOT, Daemon, eager

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not on this machine")
SEEN_S = 20.0
COLOUR = re.compile(r"\x1b\[(?:\d+;)*[349][0-7]m")


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, command: str, width: int = 80, height: int = 24, **env: str):
        self.name = f"obid-{uuid.uuid4().hex[:8]}"
        settings = {"PYTHONPATH": str(ROOT), **env}
        before = " ".join(f"{name}={shlex.quote(value)}" for name, value in settings.items())
        line = f"cd {ROOT}; {before} {command}; echo left $?; sleep 60"
        outside = {name: value for name, value in os.environ.items() if name != "TMUX"}
        size = ("-x", str(width), "-y", str(height))
        subprocess.run(["tmux", "-L", self.name, "-f", "/dev/null", "new-session", "-d", *size, line],
                       check=True, env=outside)  # fmt: skip

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.tmux("kill-server")

    def tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True).stdout

    def keys(self, *keys: str) -> None:
        """Press them, one after the other as a person would."""
        for key in keys:
            self.tmux("send-keys", key)
            time.sleep(0.05)

    def screen(self, *options: str) -> str:
        return self.tmux("capture-pane", "-p", *options)

    def sees(self, *texts: str) -> str:
        """Wait until all of these stand on the screen."""
        deadline = time.monotonic() + SEEN_S
        while time.monotonic() < deadline:
            screen = self.screen()
            if all(text in screen for text in texts):
                return screen
            time.sleep(0.05)
        raise AssertionError(f"not within {SEEN_S} s: {texts}\n{self.screen()}")


def top(data_dir: Path) -> str:
    return f"{shlex.quote(sys.executable)} -m daemon top --data-dir {shlex.quote(str(data_dir))}"


PANES = {"2": "positions", "3": "orders", "4": "z entry", "5": "in time", "6": "daily_loss", "7": "log", "8": "wrong 1"}


def run(data_dir):
    options = ("--mode", "synthetic", "--engine", "perps", "--symbols", "BTC,ETH", "--seed", "7", "--bar", "1s")
    return Daemon(data_dir, *options, "--config", eager(data_dir.parent))


def test_a_daemon_is_waited_for_operated_lost_and_found_again(tmp_path):
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o700)
    with Terminal(top(data_dir), NO_COLOR="1") as terminal:
        terminal.sees("NOT RUNNING", "no daemon answers here")
        with run(data_dir) as daemon:
            first = terminal.sees("TRADING", "feeds 2", "next ")
            assert max(map(len, first.splitlines())) <= 80
            assert not COLOUR.search(terminal.screen("-e"))  # the words are enough
            operate(daemon, terminal)
            daemon.end()
        terminal.sees("NOT RUNNING", "since 20", "it ended: SIGTERM", "halted")
        exported = {"TERM": "screen-256color", "COLUMNS": "80", "LINES": "24"}  # the terminal's own size is what counts
        with run(data_dir), Terminal(top(data_dir), 160, 45, **exported) as wide:
            look_around(wide)
            terminal.sees(" HALTED ", "1 WRONG")  # it has come back by itself, and the halt with the daemon
            terminal.keys("q")
            terminal.sees("left 0")


def operate(daemon, terminal):
    """Pause, resume, halt; the daemon's log has what was confirmed and nothing else."""
    terminal.keys("P")
    terminal.sees("PAUSE ALL ENGINES", "No new entries", "y/N")
    terminal.keys("n")
    terminal.sees("nothing was done")
    assert daemon.log("command") == []
    terminal.keys("P", "y")
    terminal.sees("REDUCING", "1 WRONG", "by operator: obid top: pause")
    terminal.keys("R")
    terminal.sees("RESUME ALL ENGINES", "perps reducing since")
    terminal.keys("y")
    terminal.sees("TRADING", "all well")
    terminal.keys("H")
    terminal.sees("HALT ALL ENGINES", "y/N")
    terminal.keys("y")
    terminal.sees("HALTED", "by operator: obid top: halt")
    orders = daemon.wait_for(lambda: len(told := daemon.log("command")) == 3 and told)
    assert [line["order"] for line in orders] == ["pause", "resume", "halt"]


def look_around(terminal):
    """Every pane, a flatten, and terminals that grow and shrink."""
    terminal.sees("HALTED", "perps.signal", "feeds 2", "entry")
    assert COLOUR.search(terminal.screen("-e"))
    terminal.keys("F")
    terminal.sees("FLATTEN ALL ENGINES", "Type flatten")
    terminal.keys(*"flatten")
    terminal.sees("flatten_")
    terminal.keys("Enter")
    terminal.sees("flatten is on its way")
    for key, text in PANES.items():
        terminal.keys(key)
        terminal.sees(text)
    terminal.tmux("resize-window", "-x", "80", "-y", "24")
    terminal.keys("?")
    terminal.sees("P pause", "obid ctl status")
    terminal.keys("Escape")
    terminal.sees("engine", "next ")
    terminal.tmux("resize-window", "-x", "30", "-y", "8")
    terminal.sees("HALTED")
    terminal.keys("C-c")
    terminal.sees("left 0")


def test_a_terminal_that_can_nothing_is_refused(tmp_path):
    with Terminal(top(tmp_path), TERM="dumb") as terminal:
        assert "obid ctl status" in terminal.sees("left 2").replace("\n", "")
