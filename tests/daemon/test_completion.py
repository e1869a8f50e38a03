"""Tab completion as bash does it: what it sends, what comes back, and nothing where nobody answers."""

import os
import pty
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from config.tuning import TUNABLES
from daemon import completion
from daemon.completion import ANSWER_S, mend_bash_words
from daemon.verbs import ARGS
from tests.daemon.runs import ROOT, Daemon

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="bash")


def pressed(*words, data_dir=None):
    """What TAB offers behind words, the last of which is being typed; words as bash takes them apart."""
    environment = {**os.environ, "_OBID_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words)}
    environment |= {"COMP_CWORD": str(len(words) - 1)} | ({"OBID_DATA_DIR": str(data_dir)} if data_dir else {})
    command = [sys.executable, "-m", "daemon"]
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=20, check=False)
    assert told.stderr == ""
    return told.stdout.split()


def test_verbs_and_tunable_names_need_no_daemon(tmp_path):
    assert {*pressed("obid", "ctl", "")} == {*ARGS}
    assert pressed("obid", "ctl", "res") == ["resume", "restart"]
    assert pressed("obid", "ctl", "get", "z_", data_dir=tmp_path) == ["z_entry", "z_exit"]
    assert pressed("obid", "ctl", "set", "trend_gate", "t", data_dir=tmp_path) == ["true"]
    assert {*pressed("obid", "ctl", "set", "", data_dir=tmp_path)} == {*TUNABLES}


def test_where_nobody_answers_it_is_silent_and_quick(tmp_path):
    context = SimpleNamespace(params={"data_dir": str(tmp_path)})
    started = time.monotonic()
    for complete in (completion.engines, completion.symbols, completion.actors, completion.orders):
        assert complete(context, "") == []
    assert time.monotonic() - started < 4 * ANSWER_S
    assert pressed("obid", "ctl", "explain", "B", data_dir=tmp_path) == []


@pytest.mark.parametrize(
    ("words", "at", "mended", "now", "cut"),
    [
        (
            ["obid", "ctl", "set", "z_entry", "xyz", ":", "MS"],
            6,
            ["obid", "ctl", "set", "z_entry", "xyz:MS"],
            4,
            "xyz:",
        ),
        (["obid", "ctl", "set", "z_entry", "xyz", ":"], 5, ["obid", "ctl", "set", "z_entry", "xyz:"], 4, "xyz:"),
        (["obid", "ctl", "set", "n", "xyz", ":", "A", ""], 7, ["obid", "ctl", "set", "n", "xyz:A", ""], 5, ""),
        (["obid", "ctl", "ps"], 2, ["obid", "ctl", "ps"], 2, ""),
    ],
)
def test_what_bash_took_apart_at_colons_is_put_together(words, at, mended, now, cut):
    environment = {"_OBID_COMPLETE": "complete_bash", "COMP_WORDS": "\n".join(words), "COMP_CWORD": str(at)}
    assert mend_bash_words(environment) == cut
    assert environment["COMP_WORDS"].split("\n") == mended
    assert environment["COMP_CWORD"] == str(now)


def test_names_of_what_runs_are_asked_of_the_daemon_and_a_terminal_is_asked_back(tmp_path):
    with Daemon(tmp_path / "data", "--symbols", "BTC,xyz:MSTR,xyz:META", "--speed", "20") as daemon:
        where = {"data_dir": daemon.data_dir}
        assert pressed("obid", "ctl", "halt", "--engine", "", **where) == ["perps"]
        assert pressed("obid", "ctl", "restart", "perps.si", **where) == ["perps.signal"]
        assert pressed("obid", "ctl", "explain", "B", **where) == ["BTC"]
        assert pressed("obid", "ctl", "set", "z_entry", "xyz", ":", "M", **where) == ["MSTR", "META"]
        assert pressed("obid", "ctl", "set", "entries", "xyz", ":", "MSTR", "o", **where) == ["on", "off"]
        if shutil.which("bash"):
            in_bash(daemon.data_dir)
        on_a_terminal(daemon)
        daemon.end()


def in_bash(data_dir):
    """typer's script in a real bash: source it, set the words, call the function, read COMPREPLY."""
    script = subprocess.run(
        [sys.executable, "-m", "daemon"],
        cwd=ROOT,
        env={**os.environ, "_OBID_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    obid = data_dir.parent / "obid"
    obid.write_text(f'#!/bin/sh\nexec {sys.executable} -m daemon "$@"\n')
    obid.chmod(0o700)
    ask = f"""{script}
COMP_WORDS=(obid ctl explain xyz : M); COMP_CWORD=5
_obid_completion {obid}
echo "${{COMPREPLY[*]}}"
"""
    environment = {**os.environ, "OBID_DATA_DIR": str(data_dir)}
    told = subprocess.run(
        ["bash", "--norc", "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert told.stdout.split() == ["MSTR", "META"], told.stderr


def on_a_terminal(daemon):
    """They ask there: no is 1 and changes nothing, Enter halts; a script is not asked, and flatten wants --yes."""
    assert typed(daemon, "halt", "n\n") == 1
    assert typed(daemon, "flatten", "\n") == 1
    assert daemon.ask("status")["engines"][0]["trading"] == "active"
    assert typed(daemon, "halt", "\n") == 0
    daemon.wait_for(lambda: daemon.ask("status")["engines"][0]["trading"] == "halted")
    command = [sys.executable, "-m", "daemon", "ctl", "flatten", "--data-dir", str(daemon.data_dir)]
    for more, code in (((), 2), (("--yes",), 0)):
        done = subprocess.run([*command, *more], cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        assert done.returncode == code


def typed(daemon, verb, answer):
    """The exit code of a verb whose standard input is a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "daemon", "ctl", verb, "--data-dir", str(daemon.data_dir)]
    process = subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    os.write(ours, answer.encode())
    _, told = process.communicate(timeout=20)
    os.close(ours)
    os.close(theirs)
    assert b"?" in told
    return process.returncode
