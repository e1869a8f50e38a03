"""`obid deadman`: a second process that cancels everything when the daemon's heartbeat ages.

It runs without the graph, with keys and connections of its own, and keeps nothing: whatever it must know stands in the
heartbeat and at the venues, so that it may be killed and started again at any moment. It never opens or closes a
position. What it does and when: daemon/heartbeat.py and daemon/deadman_guard.py.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec import Struct

from config.errors import ConfigError
from config.load import daemon_tables
from config.settings import Settings, load_settings
from daemon import guarded
from daemon.alerts.opened import desk_of
from daemon.deadman_alarm import Alarm
from daemon.deadman_guard import POLL_S, Guard
from daemon.deadman_log import Notes
from daemon.deadman_venues import Credential, credentials, sweeper_of
from daemon.errors import BadInput
from daemon.heartbeat import BEAT_S, Beacon, Guarded, Watch, beacon, heartbeat
from daemon.lock import LOCK_NAME, FileLock, Taken, make_private
from daemon.notify import ALIVE, READY, STOPPING, Notifier
from daemon.venue_places import lock_of
from supervisor.boot import since_boot_ns
from supervisor.clock import NS_PER_S, Clock
from supervisor.wall import on_signals, run_wall

LOCK = "deadman.lock"
"""In the data directory: one dead man watches it."""

ONCE_S_MAX = 60.0
"""`--once` gives up after so long; what runs as a service never does."""

EXIT_OK, EXIT_WRONG = 0, 1


class Asked(Struct, frozen=True, kw_only=True):
    """What `obid deadman` was told."""

    data_dir: Path
    mode: str
    engines: tuple[str, ...]
    config: Path | None = None
    once: bool = False
    check: bool = False
    json: bool = False


def run(asked: Asked) -> int:
    """Watch until stopped; or look once. Returns the exit code. Raises ConfigError, BadInput."""
    settings = settings_of(asked)
    guarded.guard(guarded.secrets_of(settings))
    found = credentials(settings, asked.mode, asked.engines)
    make_private(asked.data_dir)
    with ExitStack() as held:
        if not asked.check and not asked.once:  # those may run beside the one that watches
            held.enter_context(Alone(asked.data_dir))
            for one in found:
                if one.signer is not None:
                    held.enter_context(lock_of(one.field, one.signer, settings))
        return run_wall(Deadman(asked, settings, found).live)


def settings_of(asked: Asked) -> Settings:
    """The settings; what a run of the daemon would need beside is not asked for. Raises ConfigError."""
    tables = daemon_tables([asked.config] if asked.config else [])
    return load_settings({"mode": asked.mode, "data_dir": asked.data_dir}, tables=tables)


class Alone(FileLock):
    """The right to watch a data directory."""

    def __init__(self, data_dir: Path):
        super().__init__(data_dir / LOCK)
        self.data_dir = data_dir

    def acquire(self) -> None:
        """Take it. Raises BadInput; a disk that has no room for it is no reason not to watch."""
        try:
            super().acquire()
        except Taken as error:
            raise BadInput("--data-dir", self.data_dir, f"another dead man (pid {error.pid}) watches it") from error
        except OSError:
            return


class Deadman:
    """The process."""

    def __init__(self, asked: Asked, settings: Settings, found: Sequence[Credential]):
        self.asked = asked
        self.settings = settings
        self.found = found
        self.watch = Watch(heartbeat(asked.data_dir), settings.deadman_age_s)
        self.beacon = beacon(asked.data_dir)
        self.notifier = Notifier()
        self.guards: list[Guard] = []
        self._beacon_ns = 0
        self._beacon_trouble = ""
        self._doing = ""

    async def live(self, clock: Clock) -> int:
        """From the first look to the last."""
        notes = Notes(self.asked.data_dir, f"deadman-{os.getpid()}", clock, self._secrets())
        keeps = self.settings.deadman_keeps_protection
        self.guards = [
            Guard(sweeper_of(one, clock), self.watch, clock, notes, keeps_protection=keeps) for one in self.found
        ]
        try:
            self.watch.look()
            self._refuse_shared_key()
            if self.asked.check:
                return await self._check(notes)
            if self.asked.once:
                return await self._once(notes)
            return await self._stand(clock, notes)
        finally:
            for guard in self.guards:
                await guard.sweeper.close()
            notes.close()

    def _secrets(self) -> list[str]:
        return guarded.secrets_of(self.settings)

    def _refuse_shared_key(self) -> None:
        """The daemon says which address it signs with: the same one here would use the same nonces."""
        theirs = {link.venue: link.signer.lower() for link in self.watch.beat.links} if self.watch.beat else {}
        for one in self.found:
            if one.signer is not None and theirs.get(one.venue) == str(one.signer.address).lower():
                right = f"is the key that the daemon signs with ({one.signer.address}): their nonces would clash"
                raise ConfigError(one.field, f"{right}; approve another agent wallet for this one")

    # --- as a service -------------------------------------------------------------------------------------------------

    async def _stand(self, clock: Clock, notes: Notes) -> int:
        """Watch until a signal comes."""
        stop: asyncio.Future[str] = clock.loop.create_future()
        on_signals(clock.loop, lambda name: None if stop.done() else stop.set_result(name), lambda: None)
        venues = ",".join(guard.name for guard in self.guards)
        notes.loud("watching", venues=venues, data_dir=str(self.asked.data_dir), age_s=self.watch.age_s)
        for guard in self.guards:
            guard.tell = lambda: self._shine(notes, since_boot_ns())
        desk = desk_of(self.settings, clock, f"deadman {os.getpid()}", lambda why: notes.quiet("alert_lost", why=why))
        alarm = Alarm(desk, clock, notes)
        works = [part for guard in self.guards for part in (guard.stand(), guard.prove_on())]
        work = asyncio.gather(self._look_on(clock, notes, alarm), *works)
        self.notifier.say(READY)
        waits: set[asyncio.Future[Any]] = {work, stop}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()  # raises what broke: the service is started again
        work.cancel()
        await asyncio.wait([work])
        unfinished = [guard.name for guard in self.guards if guard.sweeping and not guard.clear]
        self.notifier.say(STOPPING)
        self.beacon.remove()
        notes.loud("stopped", why=stop.result(), unfinished=",".join(unfinished) or "nothing")
        await alarm.end(unfinished)
        return EXIT_WRONG if unfinished else EXIT_OK

    async def _look_on(self, clock: Clock, notes: Notes, alarm: Alarm) -> None:
        """Read the heartbeat, say that we are here, and what a person should know."""
        while True:
            self.watch.look()
            now_ns = since_boot_ns()
            if now_ns - self._beacon_ns >= BEAT_S * NS_PER_S:
                self._beacon_ns = now_ns
                self._shine(notes, now_ns)
            self.notifier.say(ALIVE)
            self._tell_doing(notes)
            nobody = self.watch.waiting() if self.watch.beat is None else ""
            alarm.look([guard.seen() for guard in self.guards], nobody)
            await clock.sleep(POLL_S)

    def _shine(self, notes: Notes, now_ns: int) -> None:
        try:
            self.beacon.write(self._told(now_ns))
            trouble = ""
        except OSError as error:
            trouble = error.strerror or str(error)
        if trouble and trouble != self._beacon_trouble:
            notes.loud("beacon_unwritten", why=trouble)
        self._beacon_trouble = trouble

    def _told(self, now_ns: int) -> Beacon:
        """What it says. Raises OSError where the directory is gone, which is no reason not to cancel."""
        sweeping = any(guard.sweeping for guard in self.guards)
        return Beacon(
            boot=self.watch.boot,
            place=self.beacon.place,
            at_ns=now_ns,
            pid=os.getpid(),
            doing="sweeping" if sweeping else "watching",
            unable="; ".join(guard.unable for guard in self.guards if guard.unable),
            guarded=tuple(
                Guarded(venue=guard.name, account=guard.sweeper.account, signer=guard.sweeper.signer)
                for guard in self.guards
            ),
        )

    def _tell_doing(self, notes: Notes) -> None:
        sweeping = [f"{guard.name}: {guard.sweeping}" for guard in self.guards if guard.sweeping]
        doing = f"sweeping {'; '.join(sweeping)}" if sweeping else self.watch.waiting() or "the heartbeat is young"
        self.notifier.status(doing)
        if not sweeping and doing != self._doing:
            self._doing = doing
            notes.quiet("heartbeat", what=doing)

    # --- once ---------------------------------------------------------------------------------------------------------

    async def _once(self, notes: Notes) -> int:
        """Sweep now if the daemon is gone and did not say that nothing rests: after its end, for ExecStopPost."""
        whys = {guard.name: guard.why() or self._orphaned() for guard in self.guards}
        going = [guard for guard in self.guards if whys[guard.name]]
        if not going:
            notes.line(f"obid deadman: nothing to do: {self.watch.waiting() or 'the heartbeat is young'}")
            return EXIT_OK
        try:
            async with asyncio.timeout(ONCE_S_MAX):
                await asyncio.gather(*(guard.sweep(whys[guard.name], once=True) for guard in going))
        except TimeoutError:
            left = ",".join(guard.name for guard in going if not guard.clear)
            notes.loud("gave_up", venues=left, after_s=ONCE_S_MAX)
            return EXIT_WRONG
        return EXIT_OK

    def _orphaned(self) -> str:
        """Why a heartbeat that is young all the same is nobody's: its process is gone, and the kernel says so."""
        if self.watch.beat is None or self.watch.stopped:
            return ""
        lock = FileLock(self.asked.data_dir / LOCK_NAME)
        try:
            lock.acquire()
        except (Taken, OSError):
            return ""
        lock.release()
        return "the daemon is gone"

    async def _check(self, notes: Notes) -> int:
        """What would happen: keys that may cancel, venues that answer, what rests now, what the heartbeat says."""
        rows: list[dict[str, Any]] = []
        for guard in self.guards:
            why = await guard.prove()
            row: dict[str, Any] = {"venue": guard.name, "can_cancel": not why, "why": why}
            row |= {"account": guard.sweeper.account, "signer": guard.sweeper.signer, "resting": None}
            if not why:
                resting = await self._resting(guard)
                row |= {"resting": resting} if isinstance(resting, int) else {"can_cancel": False, "why": resting}
            rows.append(row)
        now = self.watch.waiting() or next((why for guard in self.guards if (why := guard.why())), "young")
        told = {"heartbeat": now, "age_s": self.watch.age_s, "venues": rows}
        self._print(told, rows)
        return EXIT_OK if all(row["can_cancel"] for row in rows) else EXIT_WRONG

    async def _resting(self, guard: Guard) -> int | str:
        """How many orders are shown, or why that is not known."""
        try:
            return len(await guard.sweeper.look(everywhere=True))
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def _print(self, told: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
        if self.asked.json:
            from daemon.terminal import json_text

            print(json_text(told))
            return
        print(f"heartbeat: {told['heartbeat']} (old after {told['age_s']:g} s)")
        for row in rows:
            can = f"may cancel; {row['resting']} orders rest" if row["can_cancel"] else f"CANNOT CANCEL: {row['why']}"
            signs = f", signs with {row['signer']}" if row["signer"] else ""
            print(f"{row['venue']}: account {row['account'] or 'unknown'}{signs}: {can}")
