"""The lock of a data directory, with real files and real processes."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon.errors import BadInput
from daemon.lock import LOCK_NAME, AlreadyRunning, DataDirLock

HOLDER = """
import sys
from pathlib import Path
from daemon.lock import DataDirLock
DataDirLock(Path(sys.argv[1])).acquire()
print("held", flush=True)
sys.stdin.read()
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_and_the_lock_are_the_owners_alone(tmp_path: Path):
    with DataDirLock(tmp_path / "a" / "b") as lock:
        assert lock.held
        assert mode(tmp_path / "a" / "b") == 0o700
        assert mode(tmp_path / "a" / "b" / LOCK_NAME) == 0o600
        assert (tmp_path / "a" / "b" / LOCK_NAME).read_text() == f"{os.getpid()}\n"
    assert not lock.held


def test_a_second_instance_is_told_who_and_where(tmp_path: Path):
    with DataDirLock(tmp_path), pytest.raises(AlreadyRunning) as caught:
        DataDirLock(tmp_path).acquire()
    assert f"pid {os.getpid()}" in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert caught.value.exit_code == 2
    DataDirLock(tmp_path).acquire()


def test_a_killed_owner_leaves_no_lock(tmp_path: Path):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(AlreadyRunning, match=f"pid {holder.pid}"):
            DataDirLock(tmp_path).acquire()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with DataDirLock(tmp_path) as lock:
            assert lock.held


def test_an_empty_directory_is_made_private(tmp_path: Path):
    (tmp_path / "open").mkdir(mode=0o755)
    (tmp_path / "open").chmod(0o755)
    with DataDirLock(tmp_path / "open"):
        assert mode(tmp_path / "open") == 0o700


def test_a_directory_that_others_use_is_refused_and_not_touched(tmp_path: Path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs").chmod(0o755)
    (tmp_path / "theirs" / "file").write_text("")
    with pytest.raises(BadInput, match="mode 0755"):
        DataDirLock(tmp_path / "theirs").acquire()
    assert mode(tmp_path / "theirs") == 0o755
    assert [file.name for file in (tmp_path / "theirs").iterdir()] == ["file"]


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--data-dir"):
        DataDirLock(tmp_path / "file" / "below").acquire()
