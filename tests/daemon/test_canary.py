"""Secrets are in nothing that is left behind: the worst cases of tests/soak/canary.py, and what hides them."""

import subprocess
import sys

import pytest

from daemon.guarded import hex_forms
from supervisor.secrets import Secrets
from tests.daemon.runs import ROOT
from tests.soak.canary import cases, judged

WORST = ("an actor dies of it", "control: printed on purpose")
"""A secret in an error that ends the run: it is told, logged and booked as the reason; and one that nothing hides."""

GUARDED = """
import ctypes, os, resource
from daemon.guarded import guard
guard(["a-secret-of-some-length"])
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE), flush=True)
os.abort()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="cases are stopped by signals")
@pytest.mark.parametrize("name", WORST)
def test_nothing_that_is_left_holds_a_secret(name, capsys):
    (case,) = [case for case in cases() if case.name == name]
    assert judged(case, print), capsys.readouterr().out


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems have no prctl")
def test_a_process_with_secrets_leaves_no_core_and_is_not_read_by_others(tmp_path):
    env = {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", GUARDED]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.split("\n")[0] == "0 (0, 0)"
    assert done.returncode < 0, "it was to end by a signal that leaves a core"
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_hidden_however_it_is_printed():
    key = "0x" + "aB3f" * 16
    known = Secrets()
    for form in (key, *hex_forms(key)):
        known.add(form)
    for text in (key, key[2:], key[2:].upper(), key.lower(), f"x{key}y"):
        assert "b3f" not in known.mask(text.encode()).decode().lower()
    assert hex_forms("sk-not-hex") == hex_forms("abcdef") == ()
