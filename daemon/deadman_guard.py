"""A guard: sees to one venue for the dead man. It proves that it could cancel, and cancels when it must.

A sweep is over when the venue SHOWS nothing that is to go, never because a cancel was answered; and it goes on for as
long as the heartbeat is old, because what the daemon sent last may arrive after the book was empty: an order lives
fifteen seconds on its way at most where the venue honours its expiry (actors/executor.py), and where it does not,
nobody knows.
"""

import asyncio
from collections.abc import Callable, Sequence

from daemon.deadman_alerts import Seen
from daemon.deadman_log import Notes
from daemon.heartbeat import Watch
from supervisor.boot import since_boot_ns
from supervisor.clock import NS_PER_S, Clock
from venues.backoff import Backoff
from venues.sweep import Resting, Sweeper
from venues.venue import VenueMisspoke, VenueUnreachable

POLL_S = 0.25
"""Between looks at the heartbeat."""

ROUND_S_MAX = 10.0
"""A look and its cancels: each request has four seconds, and the next round begins anew."""

AGAIN_S, AGAIN_S_MAX = 0.3, 5.0
"""After a round that failed or found something: twice as long each time it gets no better."""

OFTEN_S, LATER_S = 60.0, 15.0
"""So long after a book was seen empty it is looked at as often as the venue's limits allow; later only so often."""

EVERYWHERE_S = 60.0
"""Between looks at the parts of a venue where the daemon does not trade."""

PROVE_S, PROVE_AGAIN_S, PROVE_S_MAX = 900.0, 5.0, 15.0
"""Between proofs that the key may cancel, between tries of one, and how long one may take."""

REACH_S = 20.0
"""Between proofs that the venue is there. A daemon whose dead man cannot reach it opens nothing."""

NOT_YET = "not proven yet"
"""Of a guard that has only just begun; the daemon opens nothing by then, and nobody is to be woken."""

TROUBLE = (VenueUnreachable, VenueMisspoke, TimeoutError)


class Guard:
    """One venue's."""

    def __init__(self, sweeper: Sweeper, watch: Watch, clock: Clock, notes: Notes, *, keeps_protection: bool):
        self.sweeper = sweeper
        self.watch = watch
        self.clock = clock
        self.notes = notes
        self.keeps_protection = keeps_protection
        self.unable = NOT_YET  # why it could not cancel now; empty: it could
        self.sweeping = ""  # why it sweeps; empty: it does not
        self.clear = False  # this sweep has seen the book empty
        self.tell: Callable[[], None] = lambda: None  # the daemon is to know at once whether we sweep
        self._everywhere_ns = self._clear_ns = self._begun_ns = 0
        self._told = ""
        self._backoff = Backoff("deadman", sweeper.name, first_s=AGAIN_S, max_s=AGAIN_S_MAX)

    @property
    def name(self) -> str:
        """The venue."""
        return self.sweeper.name

    def why(self) -> str:
        """Why what rests there is to go; empty: it is not."""
        return self.watch.old(self.name, since_boot_ns())

    def seen(self) -> Seen:
        """How it is, for who tells a person."""
        return Seen(
            venue=self.name,
            sweeping=self.sweeping,
            clear=self.clear,
            trouble=self._told,
            unable="" if self.unable == NOT_YET else self.unable,
        )

    # --- sweeping -----------------------------------------------------------------------------------------------------

    async def stand(self) -> None:
        """Watch, and sweep when it is time to; for ever."""
        while True:
            if (why := self.why()) and self._still(why):
                await self.sweep(why)
            await self.clock.sleep(POLL_S)

    def _still(self, why: str) -> bool:
        """Say that a sweep begins, then look again whether it must.

        The daemon beats first and then looks whether we sweep. So one of the two sees the other: where it took us for
        watching, its beat was there when we looked again, and what it opens now is not swept.
        """
        self.sweeping = why
        self.tell()
        self.watch.look()
        if not self.why():
            self.sweeping = ""
        return bool(self.sweeping)

    async def sweep(self, why: str, *, once: bool = False) -> None:
        """Cancel until nothing is shown, and on until the heartbeat is young again (`once`: until nothing is shown)."""
        self._begin(why)
        try:
            while once or self.why():
                pause_s = await self._round()
                if once and self.clear:
                    return
                await self._rest(pause_s, once=once)
            self.notes.quiet("stands_down", venue=self.name)
        finally:
            self.sweeping = ""

    def _begin(self, why: str) -> None:
        beat = self.watch.beat
        traded = {link.venue: link.places for link in beat.links} if beat is not None else {}
        self.sweeper.near = traded.get(self.name, ())
        self.sweeping, self.clear, self._told = why, False, ""
        self._everywhere_ns, self._begun_ns = 0, since_boot_ns()
        self._backoff.succeeded()
        self.notes.loud("sweep_begun", venue=self.name, why=why)

    async def _rest(self, seconds: float, *, once: bool) -> None:
        """Wait, but not longer than the heartbeat is old."""
        until_ns = since_boot_ns() + round(seconds * NS_PER_S)
        while (left_ns := until_ns - since_boot_ns()) > 0 and (once or self.why()):
            await self.clock.sleep(min(POLL_S, left_ns / NS_PER_S))

    async def _round(self) -> float:
        """Look, and cancel what is there; how long to wait before the next."""
        try:
            async with asyncio.timeout(ROUND_S_MAX):
                return await self._look_and_cancel()
        except TROUBLE as error:
            self._trouble(f"{type(error).__name__}: {error}")
        except Exception as error:
            # whatever broke in here, orders rest: tell it, and try again
            self.notes.loud("sweep_failed", error=error, venue=self.name)
        return self._backoff.failed()

    async def _look_and_cancel(self) -> float:
        now_ns = since_boot_ns()
        everywhere = not self.clear or now_ns - self._everywhere_ns > EVERYWHERE_S * NS_PER_S
        found = await self.sweeper.look(everywhere=everywhere)
        if everywhere:
            self._everywhere_ns = now_ns
        going = [order for order in found if not (self.keeps_protection and order.protects)]
        if not going:
            return self._seen_clear(len(found))
        if self.clear:
            self.notes.loud("late_orders", venue=self.name, orders=len(going))
        refusals = await self.sweeper.cancel(going, every=len(going) == len(found))
        self._tell_cancelled(going, refusals)
        return self._backoff.failed()

    def _seen_clear(self, kept: int) -> float:
        now_ns = since_boot_ns()
        self._backoff.succeeded()
        if not self.clear:
            self.clear, self._clear_ns, self._told = True, now_ns, ""
            seconds = round((now_ns - self._begun_ns) / NS_PER_S, 2)
            self.notes.loud("clear", venue=self.name, after_s=seconds, kept=kept)
        often = now_ns - self._clear_ns < OFTEN_S * NS_PER_S
        return max(self.sweeper.pause_s(), 0.0 if often else LATER_S)

    def _tell_cancelled(self, going: Sequence[Resting], refusals: Sequence[str]) -> None:
        symbols = ",".join(sorted({order.symbol for order in going}))
        self.notes.loud("cancels_sent", venue=self.name, orders=len(going), symbols=symbols)
        if refusals:
            self._trouble("; ".join(refusals))

    def _trouble(self, text: str) -> None:
        """Tell what is in the way, once while it stays the same."""
        if text != self._told:
            self._told = text
            self.notes.loud("sweep_held_up", venue=self.name, why=text)

    # --- proving ------------------------------------------------------------------------------------------------------

    async def prove_on(self) -> None:
        """Keep knowing whether this could cancel; for ever."""
        while True:
            await self.prove()
            if self.unable:
                await self.clock.sleep(PROVE_AGAIN_S)
                continue
            until_ns = since_boot_ns() + round(PROVE_S * NS_PER_S)
            while since_boot_ns() < until_ns and not self.unable:
                await self.clock.sleep(REACH_S)
                if not self.sweeping:
                    await self._reach()

    async def prove(self) -> str:
        """See that the key may cancel; why not, or nothing."""
        try:
            async with asyncio.timeout(PROVE_S_MAX):
                why = await self.sweeper.prove()
        except TROUBLE as error:
            why = f"{type(error).__name__}: {error}"
        except Exception as error:
            self.notes.loud("proof_failed", error=error, venue=self.name)
            why = f"{type(error).__name__}"
        self._able(f"{self.name}: {why}" if why else "")
        return why

    async def _reach(self) -> None:
        try:
            async with asyncio.timeout(ROUND_S_MAX):
                await self.sweeper.reach()
        except TROUBLE as error:
            self._able(f"{self.name}: {type(error).__name__}: {error}")

    def _able(self, unable: str) -> None:
        if unable and unable != self.unable:
            self.notes.loud("unable", venue=self.name, why=unable)
        elif not unable and self.unable:
            self.notes.quiet("able", venue=self.name, account=self.sweeper.account, signer=self.sweeper.signer)
        self.unable = unable
