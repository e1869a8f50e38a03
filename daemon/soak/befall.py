"""What befalls a world beside its venues: the network, the machine, the daemon's actors, its life, its operator.

Moments are functions of (seed, kind, occurrence): one in each stretch of `every_s`, at a drawn place in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from actors.messages import Order
from daemon.operate import Drill
from daemon.soak import hand
from daemon.soak.kinds import OF_WORLD
from daemon.soak.life import DaemonLife, Dying
from daemon.soak.place import HYPERLIQUID, Place
from daemon.soak.plan import Drawn
from supervisor.clock import NS_PER_S
from supervisor.draws import uniform
from supervisor.network import Connection, Weather
from venues.emulator.faults import Fault
from venues.hyperliquid.budget import SHARES, SPAN_NS, Urgency

if TYPE_CHECKING:
    from daemon.soak.world import World

T = TypeVar("T")
LIMITED_S = (1 - SHARES[Urgency.RECONCILE]) * SPAN_NS / NS_PER_S
"""A 429 of Hyperliquid's says that a minute's weight is used up: so long after it there is room for a look again."""

AS_IT_WRITES = 0.25
"""Of all crashes of actors: so many are the ledger's in the middle of a transaction."""

ACTIONS = (b"POST /exchange", b"POST /v2/orders", b"PATCH /v2/orders", b"DELETE /v2/orders")
"""How requests begin that change something."""


class Befall:
    """The kinds of a plan that are not the venues', at work."""

    def __init__(self, world: World):
        self.world, self.seed = world, world.plan.seed
        self.fired: Counter[str] = Counter()
        self.over = False
        self.quiet_ns = 0  # when the last of them is over
        self._deeds: dict[str, Callable[[float, float], bool]] = {name: getattr(self, f"_{name}") for name in OF_WORLD}

    def begin(self) -> None:
        """Draw the first moment of each kind."""
        for place in self.world.places:
            self.world.network.watch = self._written
            place.emulator.faults.lasting = partial(self._of_venue, place)
        for drawn in self.world.plan.faults:
            if drawn.kind in self._deeds:
                self._wait(drawn, 0)

    def end(self) -> None:
        """No more; what stands is mended. What lasts is over at `quiet_ns`."""
        world = self.world
        self.over = True
        world.machine.full, world.machine.disk_s, world.machine.clocks.set_ns = False, 0.0, 0
        world.network.heal()
        for place in world.places:
            place.emulator.rest()

    def draw(self, purpose: str, number: int) -> float:
        """A number in [0, 1)."""
        return uniform(self.seed, f"befall/{purpose}", number)

    def _wait(self, drawn: Drawn, slot: int) -> None:
        world = self.world
        at_s = (slot + self.draw(f"{drawn.kind}/when", slot)) * drawn.every_s
        at_ns = world.plan.start_ns + round(at_s * NS_PER_S)
        if at_ns < world.plan.faulty_ns:
            world.clock.call_at(at_ns, partial(self._fire, drawn, slot))

    def _fire(self, drawn: Drawn, slot: int) -> None:
        if self.over:
            return
        chance = self.draw(f"{drawn.kind}/how", slot)
        if self._deeds[drawn.kind](drawn.strength, chance):
            self.fired[drawn.kind] += 1
        self._wait(drawn, slot + 1)

    def _of_venue(self, place: Place, fault: Fault, seconds: float) -> None:
        limited = fault.kind == "http_429" and place.venue == HYPERLIQUID
        self.lasts(seconds + (LIMITED_S if limited else 0.0))

    def lasts(self, seconds: float) -> None:
        """Something is going on for so long."""
        self.quiet_ns = max(self.quiet_ns, self.world.clock.now_ns() + round(seconds * NS_PER_S))

    def _later(self, seconds: float, do: Callable[[], object]) -> None:
        clock = self.world.clock
        clock.call_at(clock.now_ns() + round(seconds * NS_PER_S), do)

    def _life(self) -> DaemonLife | None:
        life = self.world.life
        return life if life is not None and life.trading else None

    # --- the network

    def _place(self, chance: float) -> Place:
        return _one_of(self.world.places, chance)

    def _connection(self, chance: float) -> Connection | None:
        every = [one for place in self.world.places for one in self.world.network.of_port(place.port)]
        return _one_of(every, chance) if every else None

    def _reset(self, strength: float, chance: float) -> bool:
        if (connection := self._connection(chance)) is None:
            return False
        self.world.network.reset(connection)
        return True

    def _half_open(self, strength: float, chance: float) -> bool:
        if (connection := self._connection(chance)) is None:
            return False
        self.world.network.half_open(connection)
        return True

    def _deaf(self, strength: float, chance: float) -> bool:
        if (connection := self._connection(chance)) is None:
            return False
        self.world.network.half_open(connection, back_only=True)
        return True

    def _stall(self, strength: float, chance: float) -> bool:
        if (connection := self._connection(chance)) is None:
            return False
        self.world.network.stall(connection, 1 + 30 * strength * chance)
        return True

    def _partition(self, strength: float, chance: float) -> bool:
        self.world.network.partition(self._place(chance).port, 1 + 60 * strength * chance)
        return True

    def _refuse(self, strength: float, chance: float) -> bool:
        self.world.network.refuse(self._place(chance).port, 1 + 20 * strength * chance)
        return True

    def _loss(self, strength: float, chance: float) -> bool:
        return self._weather(replace(self.world.network.climate, loss=0.3 * strength), 5 + 30 * chance)

    def _slow(self, strength: float, chance: float) -> bool:
        return self._weather(replace(self.world.network.climate, slow_s=5 * strength * chance), 5 + 30 * chance)

    def _weather(self, weather: Weather, for_s: float) -> bool:
        network = self.world.network
        if network.weather is not network.climate:
            return False
        network.weather = weather
        self._later(for_s, partial(setattr, network, "weather", network.climate))
        return True

    # --- the machine

    def _disk_full(self, strength: float, chance: float) -> bool:
        self.world.machine.full = True
        self._later(1 + 30 * strength * chance, partial(setattr, self.world.machine, "full", False))
        return True

    def _slow_disk(self, strength: float, chance: float) -> bool:
        self.world.machine.disk_s = 0.005 + 2 * strength * chance**3
        self._later(5 + 30 * strength, partial(setattr, self.world.machine, "disk_s", 0.0))
        return True

    def _clock_step(self, strength: float, chance: float) -> bool:
        """Somebody sets the machine's clock; half a minute later it is set right again."""
        clocks = self.world.machine.clocks
        if clocks.set_ns:
            return False
        clocks.set_ns = round((chance - 0.5) * 2 * 3_600 * strength**3 * NS_PER_S)
        self._later(30.0, partial(setattr, clocks, "set_ns", 0))
        return True

    # --- the daemon

    def _kill(self, strength: float, chance: float) -> bool:
        life = self.world.life
        if life is None or life.dead:
            return False
        life.kill()
        return True

    def _kill_in_journal(self, strength: float, chance: float) -> bool:
        if (life := self._life()) is None:
            return False
        life.dying = Dying.BEFORE if chance < 0.5 else Dying.AFTER
        return True

    def _kill_in_flight(self, strength: float, chance: float) -> bool:
        if self._life() is None:
            return False
        self._aim = chance
        return True

    _aim: float | None = None

    _late_s = 0.0

    def _straggler(self, strength: float, chance: float) -> bool:
        """The next request that acts arrives so late that others, sent after it, are answered before."""
        self._late_s = 2 + 28 * strength * chance
        return True

    def _written(self, connection: Connection, data: bytes) -> None:
        """A client has written; where a kill waits for a request that acts, it comes within the time of its way."""
        if self.over or not data.startswith(ACTIONS):
            return
        if self._late_s:
            self.world.network.stall(connection, self._late_s)
            self.lasts(self._late_s)
            self._late_s = 0.0
        if self._aim is not None and (life := self._life()) is not None:
            weather = self.world.network.climate
            way_s = 2 * (weather.delay_s + weather.jitter_s)
            self._later(self._aim * way_s, partial(_kill_still, life))
            self._aim = None

    def _actor_crash(self, strength: float, chance: float) -> bool:
        life = self._life()
        if life is None or life.operator is None or life.operator.house is None:
            return False
        if chance < AS_IT_WRITES:
            life.stumbling = Drill("a drill as it writes")
            return True
        return life.crash(_one_of(list(life.operator.house.runners), chance), Drill("a drill"))

    # --- its operator

    def _halt(self, strength: float, chance: float) -> bool:
        life = self._life()
        if life is None or not life.order(Order.HALT):
            return False
        self._later(2 + 30 * strength * chance, self._resume)
        return True

    def _hand(self, strength: float, chance: float) -> bool:
        place = self._place(chance)
        symbol = _one_of(place.symbols, chance * 0.7)
        return hand.trade(place, symbol, buys=chance < 0.5, number=self.fired["hand"] + 1)

    def _resume(self) -> None:
        self.world.resume()

    def _stop(self, strength: float, chance: float) -> bool:
        if (life := self._life()) is None:
            return False
        life.stop("a drill")
        return True


def _kill_still(life: DaemonLife) -> None:
    if not life.dead:
        life.kill()


def _one_of(these: Sequence[T], chance: float) -> T:
    return these[int(chance * 7919) % len(these)]
