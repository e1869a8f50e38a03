"""What systemd is told, against a socket of our own."""

import os
import socket

import pytest

from daemon.notify import ALIVE, READY, Notifier

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets here")


@pytest.fixture
def heard(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(str(tmp_path / "notify"))
        door.settimeout(1.0)
        yield door


def test_it_says_what_it_is_told_to_and_a_status_only_when_it_changes(heard, tmp_path):
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    assert notifier.say(READY, ALIVE)
    notifier.status("watching\nclosely")
    notifier.status("watching\nclosely")
    notifier.status("sweeping")
    assert [heard.recv(99) for _ in range(3)] == [
        b"READY=1\nWATCHDOG=1",
        b"STATUS=watching closely",
        b"STATUS=sweeping",
    ]
    heard.setblocking(False)
    with pytest.raises(BlockingIOError):
        heard.recv(99)


def test_abstract_names_are_meant(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
        door.bind(f"\0{tmp_path}")
        assert Notifier({"NOTIFY_SOCKET": f"@{tmp_path}"}).say(READY)
        assert door.recv(99) == b"READY=1"


def test_where_nobody_listens_nothing_happens(tmp_path):
    assert not Notifier({}).say(READY)
    assert not Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).say(READY)


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "20000000"}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}, 20.0),
        ({"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_whether_somebody_waits_for_signs_of_life(environ, seconds):
    assert Notifier(environ).watchdog_s == seconds
