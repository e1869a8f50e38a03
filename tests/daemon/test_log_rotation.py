"""A rotation that meets a full disk, or no free descriptor, costs lines at the most until it is over: never the log."""

import errno
import os

import pytest

from daemon import log_file
from daemon.log_file import Keep, LogFile
from daemon.log_reader import LogFilter, read


def line(number: int) -> bytes:
    return b'{"run":"r","seq":%d,"at":"2026-01-01T00:00:00.0Z","level":"info","event":"x"}\n' % number


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EMFILE])
def test_a_new_file_that_cannot_be_made_is_made_later(tmp_path, monkeypatch, code):
    path = tmp_path / "log" / "obid.jsonl"
    log, usual = LogFile(path, Keep(file_bytes_max=300)), os.open

    def refuses(name, flags, *more, **named):
        if flags & os.O_CREAT:
            raise OSError(code, os.strerror(code))
        return usual(name, flags, *more, **named)

    for number in range(1, 4):
        log.buffer += line(number)
        log.flush()
    monkeypatch.setattr(log_file.os, "open", refuses)  # the disk is full just when the file is
    for number in range(4, 7):
        log.buffer += line(number)
        log.flush()
    monkeypatch.undo()  # room again
    log.buffer += line(7)
    log.flush()
    assert not log.error, log.error
    log.close()
    assert [one["seq"] for one in read(tmp_path, LogFilter())] == list(range(1, 8))
    assert sorted(one.name for one in path.parent.iterdir()) == ["obid.jsonl", "obid.jsonl.1"]
