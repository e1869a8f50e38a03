"""Picture: the whole run at one moment, from the board, the house and the digest."""

import os
from collections.abc import Callable, Mapping

from actors.feed import Stream
from actors.messages import RunStarted
from config.profile import EngineName
from daemon.board import ADOPTED_FILLS, BOOKED_FILLS, Board
from daemon.digest import Digest
from daemon.looks import look_of
from daemon.options import RunOptions
from daemon.snapshot import ActorRow, Snapshot, Status
from daemon.summary import Summary
from daemon.troubles import troubles
from risk.invariants import Checks
from supervisor.clock import NS_PER_MS
from supervisor.pulse import Pulse
from supervisor.supervisor import ChildHealth, House


class Picture:
    """Draws snapshots and, at the end, the summary."""

    def __init__(
        self,
        started: RunStarted,
        options: RunOptions,
        board: Board,
        house: House,
        digest: Digest,
        streams: Mapping[EngineName, Mapping[str, Stream]],
        checks: Checks,
        pulse: Pulse | None = None,
    ):
        self.started = started
        self.options = options
        self.board = board
        self.house = house
        self.digest = digest
        self.streams = streams  # by engine and symbol
        self.checks = checks
        self.pulse = pulse  # none: nothing beats in virtual time
        self.shown: Callable[[], str] = lambda: ""  # what the heart says of its dead man

    def snapshot(self, *, whole: bool = False) -> Snapshot:
        """Now; the whole of it looks into actors as well, which is for who asks once a second, not for each frame."""
        health = self.house.health()
        ill = [one.name for one in health if not one.healthy]
        clock = self.house.clock
        status = Status(
            version=self.started.version,
            run_id=self.started.run_id,
            mode=self.started.mode,
            pid=os.getpid(),
            seed=self.started.seed,
            speed="max" if clock.virtual else f"{clock.speed:g}",
            virtual=clock.virtual,
            started_ns=self.started.at_ns,
            at_ns=clock.now_ns(),
            healthy=not ill,
            reason=f"late or down: {', '.join(ill)}" if ill else "",
            books=self._books(),
            decisions=self.digest.messages,
            digest=self.digest.hexdigest(),
            lag_ms=round(self.pulse.lag_ms, 1) if self.pulse else 0.0,
            lag_max_ms=round(self.pulse.lag_max_ms, 1) if self.pulse else 0.0,
            deadman=self.shown(),
        )
        engines = self.board.engine_rows()
        look = look_of(self.house, self.streams, status.at_ns) if whole else None
        return Snapshot(
            status=status,
            engines=engines,
            actors=tuple(self._actor(one) for one in health),
            positions=self.board.position_rows(),
            orders=self.board.order_rows(),
            decisions=tuple(self.board.decisions),
            checked=dict(sorted(self.checks.checked.items())),
            broken=dict(sorted(self.checks.first.items())),
            look=look,
            troubles=tuple(troubles(status, engines, health, self.board, look)) if look else None,
        )

    def _books(self) -> int:
        return sum(stream.books for of_engine in self.streams.values() for stream in of_engine.values())

    def _actor(self, one: ChildHealth) -> ActorRow:
        box = one.mailbox
        return ActorRow(
            name=one.name,
            engine=one.engine,
            state="running" if one.alive else "stopped",
            healthy=one.healthy,
            restarts=one.restarts,
            waiting=box.waiting,
            age_ms=box.age_ns / NS_PER_MS,
            heard=box.heard,
            conflated=box.conflated,
            high_water=box.high_water,
            size_max=box.size_max,
            error=self.board.errors.get(one.name, ""),
        )

    def summary(self, reason: str) -> Summary:
        """The end."""
        counts, health = self.board.counts, self.house.health()
        return Summary(
            mode=self.started.mode,
            engines=self.board.engine_rows(),
            seed=self.started.seed,
            started_ns=self.started.at_ns,
            ended_ns=self.house.clock.now_ns(),
            reason=reason,
            books=self._books(),
            books_by_symbol={s: stream.books for of_engine in self.streams.values() for s, stream in of_engine.items()},
            bars=counts["Bar"],
            intents=counts["Intent"],
            approved=counts["Approved"],
            refused=dict(self.board.refusals),
            orders=counts["OrderPlanned"],
            fills=counts[BOOKED_FILLS],
            fills_told=counts["Fill"],
            adopted=counts[ADOPTED_FILLS],
            positions=len(self.board.positions),
            restarts={one.name: one.restarts for one in health if one.restarts},
            conflated={one.name: one.mailbox.conflated for one in health if one.mailbox.conflated},
            dropped={},
            checked=dict(sorted(self.checks.checked.items())),
            broken=dict(sorted(self.checks.first.items())),
            digest=self.digest.hexdigest(),
        )
