"""What systemd hears of a real run over a real socket: READY, the watchdog, silence while somebody hangs."""

import contextlib
import socket
import time
from itertools import pairwise
from pathlib import Path

import pytest

from daemon import voice
from daemon.notify import Notifier
from tests.daemon.runs import Daemon

WATCHDOG_S = 2.0


class Systemd:
    """The socket in NOTIFY_SOCKET; keeps what came and when."""

    def __init__(self, path: Path):
        self.heard: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def listen(self) -> list[tuple[float, str]]:
        while True:
            try:
                text = self._socket.recv(4096).decode()
            except BlockingIOError:
                return self.heard
            self.heard += [(time.monotonic(), line) for line in text.splitlines()]

    def times(self, line: str) -> list[float]:
        return [at for at, said in self.listen() if said == line]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    one = Systemd(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1e6)))
    yield one
    one.close()


def test_a_run_says_that_it_is_up_lives_and_stops(tmp_path, systemd):
    with Daemon(tmp_path / "data", "--symbols", "BTC") as daemon:
        daemon.wait_for(lambda: len(systemd.times("WATCHDOG=1")) >= 4)
        daemon.end()
    said = [line for _, line in systemd.listen()]
    assert said.count("READY=1") == 1 and said.index("READY=1") < said.index("WATCHDOG=1")
    fed = systemd.times("WATCHDOG=1")
    assert max(later - earlier for earlier, later in pairwise(fed)) < WATCHDOG_S
    assert any(line.startswith("STATUS=ok; perps active") for line in said)
    assert said[-2:] == ["STOPPING=1", "STATUS=stopping: cancelling what rests"]


class Beats:
    """A pulse, a clock and a program at once: healthy until `ill_s`, asked to stop at `stop_s`."""

    speed = 1.0

    def __init__(self, ill_s: float = 1e9, stop_s: float = 1e9):
        self.at_s, self.ill_s, self.stop_s = 0.0, ill_s, stop_s
        self.machine = self
        self.works: list = []

    def steady_ns(self) -> int:
        return round(self.at_s * 1e9)

    def healthy(self) -> bool:
        return self.at_s < self.ill_s

    @property
    def stopping(self) -> bool:
        return self.at_s >= self.stop_s

    def beside(self, work) -> None:
        self.works.append(work)

    async def sleep(self, seconds: float) -> None:
        self.at_s += seconds
        if self.at_s > 30:
            raise TimeoutError


async def spoken(beats: Beats, monkeypatch) -> list[tuple[float, str]]:
    """What is said in 30 s, and when."""
    said: list[tuple[float, str]] = []
    notifier = Notifier({"NOTIFY_SOCKET": "@nobody", "WATCHDOG_USEC": "10000000"})
    monkeypatch.setattr(notifier, "say", lambda *lines: not said.extend((beats.at_s, line) for line in lines))
    monkeypatch.setattr(voice, "status_line", lambda _picture: "fine")
    voice.Voice(notifier).attach(beats, beats, None, lambda: [] if beats.at_s >= 1 else ["perps.feed"])
    (work,) = beats.works
    with contextlib.suppress(TimeoutError):
        await work(beats)
    return said


async def test_the_watchdog_is_fed_at_half_its_interval(monkeypatch):
    said = await spoken(Beats(), monkeypatch)
    assert [at for at, line in said if line == "WATCHDOG=1"] == [5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    assert [at for at, line in said if line == "READY=1"] == [1.0], "once every actor is up"


async def test_nothing_is_said_from_the_look_on_that_finds_somebody_late(monkeypatch):
    said = await spoken(Beats(ill_s=12.3), monkeypatch)
    assert [at for at, line in said if line == "WATCHDOG=1"] == [5.0, 10.0]


async def test_a_stop_is_said_and_ends_it(monkeypatch):
    said = await spoken(Beats(stop_s=7), monkeypatch)
    assert said[-2:] == [(7.0, "STOPPING=1"), (7.0, "STATUS=stopping: cancelling what rests")]


def test_nobody_listens_and_nothing_is_said(tmp_path):
    assert not Notifier({}).listened_to
    assert not Notifier({}).say("READY=1")
    gone = Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")})
    assert gone.listened_to and not gone.say("READY=1"), "a supervisor that is gone stops nobody"


def test_a_watchdog_of_another_process_is_not_ours():
    assert Notifier({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}).watchdog_s == 0.0
    assert Notifier({"WATCHDOG_USEC": "2000000"}).watchdog_s == 2.0
