"""The whole examination, within fifteen seconds whatever is mute: a disk, a name server, a venue.

What can hang runs in two threads of its own, one for files and one for venues, and is left behind when its time is up:
a line says so then.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from time import monotonic

from config.errors import ConfigError
from config.profile import Profile
from daemon import modes
from daemon.configured import Configured, configure
from daemon.doctor import alpaca, books, hyperliquid, keepers, machine, places
from daemon.doctor.line import Line, State, fail
from daemon.doctor.visit import Put
from daemon.options import Mode, RunOptions
from supervisor.clock import Clock
from supervisor.wall import now_ns, run_wall

ALL_S = 13.0
"""For both threads together; Python and the imports take the rest of fifteen."""
VENUES: dict[str, type[hyperliquid.Visit] | type[alpaca.Visit]] = {
    "hyperliquid": hyperliquid.Visit,
    "alpaca": alpaca.Visit,
}
KEYED = "alpaca"
"""A venue that tells nothing to who has no key."""

Work = Callable[[Put], None]


class Late:
    """A piece of work in a thread that may never come back."""

    def __init__(self, name: str, work: Work, do: str):
        self.name = name
        self.do = do
        self.lines: list[Line] = []
        self.crash: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name=f"doctor {name}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work(self.lines.append)
        except BaseException as error:
            self.crash = error

    def until(self, deadline_s: float) -> list[Line]:
        """Its lines; what it came to by then, and that it did not come to an end. Raises what it crashed of."""
        self._thread.join(max(0.0, deadline_s - monotonic()))
        if self.crash is not None:
            raise self.crash
        if self._thread.is_alive():
            return [*self.lines, fail(self.name, f"not at an end after {ALL_S:g} s", self.do)]
        return self.lines


def examine(options: RunOptions) -> list[Line]:
    """Every line. Raises ConfigError for a configuration that no run would take."""
    deadline_s = monotonic() + ALL_S
    exposed: list[ConfigError] = []
    configured = configure(options, exposed)
    modes.refuse_missing(options, configured.profiles, configured.settings)
    leaves = options.mode in (Mode.LIVE, Mode.PAPER)
    credentials = keepers.credentials_line(configured, options.mode)
    files = Late("files", lambda put: of_files(put, options, configured), "is the data directory on a disk that hangs?")
    missing = credentials.state is State.FAIL
    venues = Late("venues", lambda put: of_venues(put, options, configured, missing=missing), "is the network up?")
    lines = [
        *machine.lines(),
        places.config_line(options.config),
        places.keys_line(exposed),
        credentials,
        keepers.calendar_line(configured, options.data_dir, now_ns()),
        keepers.alerts_line(configured, leaves=leaves),
    ]
    return [*lines, *files.until(deadline_s), *venues.until(deadline_s)]


def of_files(put: Put, options: RunOptions, configured: Configured) -> None:
    """What stands on the disk, and who keeps the daemon."""
    data_dir = options.data_dir
    place = places.data_dir_line(data_dir)
    put(place)
    put(places.disk_line(data_dir))
    pid = places.holder(data_dir)
    for line in (*places.lock_lines(data_dir, pid), *books.lines(data_dir, options.mode.value)):
        put(line)
    leaves = options.mode in (Mode.LIVE, Mode.PAPER)
    put(keepers.service_line(pid, leaves=leaves))
    if leaves:
        put(keepers.deadman_line(options, configured))


def of_venues(put: Put, options: RunOptions, configured: Configured, *, missing: bool) -> None:
    """Each venue of the run, one after the other in a loop of their own; made markets have none."""
    if options.mode not in modes.REAL:
        return
    modes.prepare(configured.profiles)
    by_venue: dict[str, list[Profile]] = {}
    for profile in configured.profiles.values():
        by_venue.setdefault(profile.venue, []).append(profile)

    async def go(clock: Clock) -> None:
        visits = []
        for venue, profiles in by_venue.items():
            if missing and venue == KEYED:
                continue  # the line of the credentials has said so
            trades = options.mode is not Mode.SHADOW and not missing
            visits.append(VENUES[venue](configured.settings, profiles, clock, trades=trades).go(put))
        await asyncio.gather(*visits)

    run_wall(go, now_ns())


def worst(lines: Sequence[Line]) -> int:
    """The exit code."""
    return 1 if any(line.state is State.FAIL for line in lines) else 0
