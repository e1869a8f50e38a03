"""One life of the daemon: forked from a process that has loaded all it needs, run as `obid run` does, and killed.

Loading takes a second, a life less than two: a fork saves what is no part of the trial. The child is a process of its
own with its own loop, sockets, lock and journal; it knows nothing of the parent but what was loaded (kill_warm.py), the
configuration and two shared bytes.
"""

import contextlib
import mmap
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from daemon import hyperliquid, run
from daemon.control_client import ControlClient
from daemon.errors import DaemonAbsent, Failed
from daemon.options import Mode, RunOptions
from tests.soak.hour import post
from tests.soak.kill_controls import CONTROLS
from tests.soak.kill_points import ARMED, FIRED, Plan, Trap, install

POLL_S = 0.01


class Home(NamedTuple):
    """What all lives of a batch have in common."""

    venue: str
    url: str
    config: Path
    data: Path
    speed: float
    control: str = ""  # a design that is known to be wrong; none: obid's

    @property
    def engine(self) -> str:
        """Which engine trades there."""
        return {"hyperliquid": "perps", "alpaca": "crypto"}[self.venue]

    @property
    def mode(self) -> Mode:
        """Orders leave the machine in either."""
        return {"hyperliquid": Mode.LIVE, "alpaca": Mode.PAPER}[self.venue]

    def options(self) -> RunOptions:
        """What `obid run` is told."""
        return RunOptions(
            mode=self.mode,
            engines=(self.engine,),
            data_dir=self.data,
            config=self.config,
            plain=True,
            speed=self.speed,
        )


class Life:
    """A daemon that may die any moment."""

    def __init__(self, home: Home, plan: Plan | None, kinds: dict[str, str] | None = None):
        self.home, self.plan = home, plan
        self.kinds = kinds  # of orders of earlier lives
        self.shared = mmap.mmap(-1, mmap.PAGESIZE)
        self.code: int | None = None  # of its end; below zero: the signal
        self.pid = os.fork()
        if not self.pid:
            self._live()
        self.born_s = time.monotonic()

    def _live(self) -> None:
        """The child: never returns."""
        code = 70
        try:
            with (self.home.data.parent / "out.txt").open("ab", buffering=0) as out:
                os.dup2(out.fileno(), 1)
                os.dup2(out.fileno(), 2)
            hyperliquid.SPENT_BEFORE = 0  # the emulated venue's limits are lifted: lives follow too soon on each other
            if self.home.control:
                CONTROLS[self.home.control].install()
            if self.plan is not None:
                install(Trap(self.plan, self.shared, self.home.speed, self.kinds))
            run.now_ns = lambda: post(self.home.url, "time")["now_ns"]
            code = run.run(self.home.options())
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    def arm(self) -> None:
        """From now on it may die where it is to."""
        self.shared[ARMED] = 1

    @property
    def fired(self) -> bool:
        """Whether it died, or is about to, where it was to."""
        return bool(self.shared[FIRED])

    @property
    def over(self) -> bool:
        """Whether it is dead."""
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def wait(self, seconds: float, what: Callable[[], object] = lambda: False, poll_s: float = POLL_S) -> bool:
        """Wait for its death, or for something else, so long at most; whether one of the two has come."""
        until_s = time.monotonic() + seconds
        while not self.over:
            if what():
                return True
            if time.monotonic() > until_s:
                return False
            time.sleep(poll_s)
        return True

    def end(self, how: signal.Signals = signal.SIGKILL, within_s: float = 20.0) -> None:
        """Send a signal and wait for the end."""
        if not self.over:
            os.kill(self.pid, how)
            if not self.wait(within_s):
                os.kill(self.pid, signal.SIGKILL)
                self.wait(within_s)

    def ask(self, verb: str, **args: Any) -> Any:
        """What it answers over its socket; None while nobody does."""
        with contextlib.suppress(DaemonAbsent, Failed, OSError), ControlClient(self.home.data) as client:
            return client.ask(verb, args)
        return None
