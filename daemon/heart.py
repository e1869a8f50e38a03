"""The heart: tells a dead man once a second that all is well here, and the graph whether a dead man watches.

It beats only while every actor is healthy, and runs on the loop itself: a hung actor, a spinning loop and a stopped
process all end it. Beside the beat stands when each venue was last heard, because who is cut off is well and cannot
cancel anything. Entries pass for as long as the beat that is written lets a dead man wait (`Watched`): when it may
have swept, no time is left, whatever a process that was stopped does first when it goes on. Then everybody is told
(`Awoke`): orders may be gone, and the reconciler must have looked before the gate opens.

Where a venue has a switch of its own, it is set while orders rest, and a refusal is shown and not asked about again for
an hour.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

from actors.messages import Awoke, Watched
from daemon.heartbeat import BEAT_S, BEATS, Beat, Link, Unreadable, beacon, heartbeat, unwatched
from daemon.logs import Log
from supervisor.boot import boot_id, since_boot_ns
from supervisor.clock import NS_PER_S, Clock
from supervisor.supervisor import House
from venues.venue import Linked, Switched, VenueMisspoke, VenueUnreachable

LISTEN_S, QUIET_S, KNOCK_S_MAX = 0.5, 3.0, 4.0
"""A venue that answered nothing for so long is asked something small, and has so long to answer."""

SWITCH_LOOK_S, SWITCH_AGAIN_S, SWITCH_AHEAD_S = 1.0, 4.0, 12.0
"""The venue's own switch is set so far ahead and again so often: orders are gone 8 to 12 s after the last time. The
venue wants 5 s at least, and one that misses two settings in a row has still not gone off."""

SWITCH_IDLE_S = 4.0
"""Without orders for so long it is taken back, before it goes off for nothing: ten times a day is all there is."""

SWITCH_REFUSED_S = 3600.0
"""What the venue refuses by rule (volume, a daily count) it refuses an hour later as well, as a rule."""

FAILED_S = 1.0
"""A part that broke begins again so much later."""

REQUIRED = "required"


class Tie:
    """One venue as the heart sees it: when it was heard, and what its own switch is at."""

    def __init__(self, venue: Linked, name: str, engines: Sequence[str]):
        self.venue = venue
        self.name = name
        self.engines = tuple(engines)  # whose orders rest there
        self.heard_ns = since_boot_ns()
        self.switch = ""  # armed, off, or why not; empty: it has none
        self._answers = venue.answers()

    def link(self) -> Link:
        """For the beat."""
        owner = self.venue.owner()
        return Link(
            venue=self.name,
            account=owner.account,
            signer=owner.signer,
            places=owner.places,
            heard_ns=self.heard_ns,
        )

    def listen(self) -> float:
        """Note whether it has answered since the last look; how long it has not."""
        now_ns = since_boot_ns()
        if (answers := self.venue.answers()) != self._answers:
            self._answers, self.heard_ns = answers, now_ns
        return (now_ns - self.heard_ns) / NS_PER_S


class NoHeart:
    """That of a run whose orders never leave the machine, or who does not want to be watched."""

    def stop(self, *, clean: bool) -> None:
        """Nothing was said, and nothing is to be."""


class Heart:
    """One run's."""

    def __init__(
        self,
        data_dir: Path,
        ties: Sequence[Tie],
        log: Log,
        run_id: str,
        *,
        age_s: float,
        policy: str,
        switches: bool = True,
    ):
        self.ties = tuple(ties)
        self.log = log
        self.run_id = run_id
        self.age_s = age_s
        self.beat_s = min(BEAT_S, age_s / BEATS)
        self.policy = policy
        self.switches = switches  # use those of the venues
        self.warn: Callable[[str], None] = lambda text: None  # a person should hear of it
        self.resting: Callable[[str], bool] = lambda engine: False  # whether an engine has orders
        self.house: House | None = None
        self.silent = "it has not begun"  # why there is no beat; empty: it beats
        self.watched = ""  # why nobody watches; empty: a dead man does
        self.beats = 0
        self._watched_said: str | None = None
        self._file, self._beacon = heartbeat(data_dir), beacon(data_dir)
        self._boot = boot_id()
        self._beat_ns = 0  # when the last one was written

    def attach(self, house: House, resting: Callable[[str], bool]) -> list[Callable[[Clock], Awaitable[None]]]:
        """Be told of what is to be well, and whether orders rest; what is to run beside the tree."""
        self.house, self.resting = house, resting
        works: list[Callable[[Clock], Awaitable[None]]] = [self._beat]
        works += [partial(self._listen, tie) for tie in self.ties]
        if self.switches:
            works += [partial(self._switch, tie, tie.venue) for tie in self.ties if isinstance(tie.venue, Switched)]
        return [partial(self._kept, work) for work in works]

    async def _kept(self, work: Callable[[Clock], Awaitable[None]], clock: Clock) -> None:
        """Run a part for ever; one that breaks is told and begun again, because nobody above would notice."""
        while True:
            try:
                await work(clock)
            except Exception as error:
                self.log.error("heart_failed", exc_info=error)
            await clock.sleep(FAILED_S * clock.speed)

    # --- beating ------------------------------------------------------------------------------------------------------

    async def _beat(self, clock: Clock) -> None:
        while True:
            ill = self._ill()
            if ill or not await self._write(clock):
                self._say(Watched(0, self.silent, clock.now_ns()))
            else:
                self._look(clock)
            await clock.sleep(self.beat_s * clock.speed)

    def _ill(self) -> bool:
        assert self.house is not None
        late = self.house.ill()
        if late:
            self._fall_silent(f"late or down: {', '.join(late)}")
        return bool(late)

    def _fall_silent(self, why: str) -> None:
        if self.beats and not self.silent:
            self.log.warning("heart_silent", why=why)
        self.silent = why

    async def _write(self, clock: Clock) -> bool:
        """Write a beat; the first one to the disk, before anything can be sent: a power cut must not hide that we were.

        Says whether it is there.
        """
        try:
            now_ns = since_boot_ns()
            beat = self._now(now_ns)
            if self.beats:
                self._file.write(beat)
            else:
                await clock.in_thread(partial(self._file.write, beat, durable=True))
        except OSError as error:
            self._fall_silent(f"the heartbeat cannot be written: {error.strerror or error}")
            return False
        away_ns = now_ns - self._beat_ns
        if self.beats and away_ns > (self.age_s - self.beat_s) * NS_PER_S:
            self._say(Awoke(round(away_ns / NS_PER_S, 1), clock.now_ns(), self.silent or "nothing ran"))
        self._beat_ns, self.silent = now_ns, ""
        self.beats += 1
        return True

    def _now(self, now_ns: int, *, stopped: bool = False) -> Beat:
        return Beat(
            boot=self._boot,
            place=self._file.place,
            at_ns=now_ns,
            pid=os.getpid(),
            run=self.run_id,
            age_s=self.age_s,
            stopped=stopped,
            links=() if stopped else tuple(tie.link() for tie in self.ties),
        )

    def _look(self, clock: Clock) -> None:
        """Look for the dead man, and let entries pass for as long as this beat holds."""
        try:
            there = self._beacon.read()
            self.watched = unwatched(there, self._now(self._beat_ns), self._boot, since_boot_ns())
        except Unreadable as error:
            self.watched = str(error)
        if self.watched != self._watched_said:
            self._tell_watched()
        holds_ns = round((self.age_s - self.beat_s) * NS_PER_S * clock.speed)
        until_ns = 0 if self.watched else clock.now_ns() + holds_ns
        self._say(Watched(until_ns, self.watched, clock.now_ns()))

    def _tell_watched(self) -> None:
        self._watched_said = self.watched
        if not self.watched:
            self.log.info("deadman_watches")
            return
        self.log.warning("deadman_absent", why=self.watched, policy=self.policy)
        if self.policy == REQUIRED:
            self.warn(f"NOBODY WOULD CANCEL WHAT RESTS IF THIS PROCESS DIED, so nothing is opened: {self.watched}")

    def _say(self, message: Watched | Awoke) -> None:
        if isinstance(message, Watched) and self.policy != REQUIRED:
            return
        assert self.house is not None
        for put in self.house.route(type(message)):
            put(message)

    # --- venues -------------------------------------------------------------------------------------------------------

    async def _listen(self, tie: Tie, clock: Clock) -> None:
        """Keep hearing a venue, by a question where nothing else is asked."""
        heard = True
        while True:
            await clock.sleep(LISTEN_S * clock.speed)
            if tie.listen() < QUIET_S:
                continue
            try:
                async with asyncio.timeout(KNOCK_S_MAX):
                    await tie.venue.knock()
                why = ""
            except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
                why = f"{type(error).__name__}: {error}"
            if why and heard:
                self.log.warning("venue_unheard", venue=tie.name, why=why)
            elif not why and not heard:
                self.log.info("venue_heard", venue=tie.name)
            heard = not why

    async def _switch(self, tie: Tie, venue: Switched, clock: Clock) -> None:
        """Keep the venue's own switch set while orders rest and the heart beats."""
        tie.switch, armed_ns, again_ns, rested_ns = "off", 0, 0, 0
        while True:
            await clock.sleep(SWITCH_LOOK_S * clock.speed)
            now_ns = since_boot_ns()
            if self.silent or now_ns - self._beat_ns > 2 * self.beat_s * NS_PER_S or now_ns < again_ns:
                continue
            rests = any(self.resting(engine) for engine in tie.engines)
            rested_ns = now_ns if rests else rested_ns
            due = now_ns - armed_ns >= SWITCH_AGAIN_S * NS_PER_S
            idle = armed_ns > 0 and now_ns - rested_ns >= SWITCH_IDLE_S * NS_PER_S
            if not (due if rests else idle):
                continue
            try:
                async with asyncio.timeout(KNOCK_S_MAX):
                    refused = await (venue.arm(SWITCH_AHEAD_S) if rests else venue.disarm())
            except (VenueUnreachable, VenueMisspoke, TimeoutError) as error:
                self._switched(tie, f"not known: {type(error).__name__}: {error}")
                continue
            armed_ns = now_ns if rests and not refused else 0
            again_ns = now_ns + round(SWITCH_REFUSED_S * NS_PER_S) if refused else 0
            self._switched(tie, f"refused: {refused}" if refused else "armed" if rests else "off")

    def _switched(self, tie: Tie, state: str) -> None:
        if state == tie.switch:
            return
        tie.switch = state
        tell = self.log.info if state in ("armed", "off") else self.log.warning
        tell("venue_switch", venue=tie.name, state=state)

    # --- the end ------------------------------------------------------------------------------------------------------

    def stop(self, *, clean: bool) -> None:
        """The last beat: all is over and nothing rests. Where that is not sure the last one is left to age."""
        if clean and self.beats:
            try:
                self._file.write(self._now(since_boot_ns(), stopped=True), durable=True)
            except OSError as error:
                self.log.error("heartbeat_unwritten", why=error.strerror)
        self._file.close()

    def shown(self) -> str:
        """For an operator's status: who watches, and what the venues' own switches are at."""
        parts = [f"no dead man: {self.watched or self.silent}" if self.watched or self.silent else "watched"]
        parts += [f"switch of {tie.name}: {tie.switch}" for tie in self.ties if tie.switch]
        return "; ".join(parts)
