"""A schedule of faults at work: asked at each opportunity, it says what is due, the same for the same seed.

It knows no socket, no venue and no clock: times come in, faults come out.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, structs

from supervisor.clock import NS_PER_S
from supervisor.draws import uniform
from venues.emulator.faults import ACTION_ONLY, EXCHANGE, FRAME, KINDS, REQUEST, SOCKET, Fault


class _Rule:
    """One rule at work: how often it fired, when it is due next, until when its window is open."""

    __slots__ = ("asked", "due_ns", "fault", "fired", "purpose", "seed", "slot", "start_ns", "until_ns")

    def __init__(self, fault: Fault, number: int, seed: int, start_ns: int):
        self.fault, self.seed, self.start_ns = fault, seed, start_ns
        self.purpose = f"{fault.kind}/{number}"
        self.asked = self.fired = self.slot = 0
        self.until_ns = start_ns - 1
        self.due_ns: int | None = self._moment()

    def _moment(self) -> int | None:
        """When the present slot is due; None: never again, or whenever chance says so."""
        fault = self.fault
        if fault.times and self.fired >= fault.times:
            return None
        if fault.at_s:
            if self.slot >= len(fault.at_s):
                return None
            return self.start_ns + round(fault.at_s[self.slot] * NS_PER_S)
        if not fault.every_s:
            return None
        drawn = uniform(self.seed, self.purpose, self.slot)
        return self.start_ns + round((self.slot + drawn) * fault.every_s * NS_PER_S)

    def _advance(self, now_ns: int) -> None:
        """Go on to the first slot after now; moments that found nobody to befall are one."""
        self.slot += 1
        if self.fault.every_s:
            self.slot = max(self.slot, int((now_ns - self.start_ns) / (self.fault.every_s * NS_PER_S)))
        self.due_ns = self._moment()
        while self.due_ns is not None and self.due_ns <= now_ns:
            self.slot += 1
            self.due_ns = self._moment()

    def opens(self, now_ns: int) -> bool:
        """Whether it fires at this opportunity."""
        if self.fault.probability:
            if self.fault.times and self.fired >= self.fault.times:
                return False
            self.asked += 1
            if uniform(self.seed, self.purpose, self.asked) >= self.fault.probability:
                return False
            self.fired += 1
            return True
        if self.due_ns is None or now_ns < self.due_ns:
            return False
        self.fired += 1
        self._advance(now_ns)
        return True


class Scope(Struct, frozen=True):
    """What a socket listens to: channels and symbols."""

    channels: frozenset[str]
    symbols: frozenset[str]


class Faults:
    """A schedule at work: asked at each opportunity, it says what is due; and counts every firing by kind.

    `seed` makes the draws, `start_ns` is when the emulator began. `fired` counts firings, `befell` what they befell: a
    window of 429 is one firing and as many befallen requests as came in it.
    """

    def __init__(self, rules: Iterable[Fault], seed: int, start_ns: int):
        self.seed, self.start_ns = seed, start_ns
        self.fired: Counter[str] = Counter()
        self.befell: Counter[str] = Counter()
        self.lasting: Callable[[Fault, float], None] = lambda *_: None  # told what fires, and for how many seconds
        self._rules: dict[str, list[_Rule]] = {upon: [] for upon in (REQUEST, FRAME, SOCKET, EXCHANGE)}
        self._count = 0
        for rule in rules:
            self.add(rule, start_ns)

    def add(self, fault: Fault, now_ns: int) -> None:
        """One rule more, whose seconds count from now."""
        self._count += 1
        self._rules[fault.upon].append(_Rule(fault, self._count, self.seed, now_ns))

    def rest(self) -> None:
        """No more faults; windows that are open close."""
        for rules in self._rules.values():
            rules.clear()

    def of_request(self, door: str, type_: str, symbols: Sequence[str], now_ns: int) -> Fault | None:
        """What befalls a request; door is "info" or "exchange", type_ that of its question or action."""
        for rule in self._rules[REQUEST]:
            fault = rule.fault
            if fault.requests and door not in fault.requests and type_ not in fault.requests:
                continue
            if (fault.kind in ACTION_ONLY and door != "exchange") or not _touches(fault.symbols, symbols):
                continue
            if self._befalls(rule, now_ns):
                return fault
        return None

    def of_fills(self, channel: str, symbols: Sequence[str], now_ns: int) -> Fault | None:
        """What befalls a frame that tells of fills."""
        for rule in self._rules[FRAME]:
            fault = rule.fault
            if (fault.channels and channel not in fault.channels) or not _touches(fault.symbols, symbols):
                continue
            if self._befalls(rule, now_ns):
                return fault
        return None

    def of_sockets(self, scopes: Callable[[], Sequence[Scope]], now_ns: int) -> list[tuple[Fault, int]]:
        """What befalls sockets now, each with the place of the one it befalls; it waits while there is none."""
        found: list[tuple[Fault, int]] = []
        for rule in self._rules[SOCKET]:
            if rule.due_ns is None or now_ns < rule.due_ns:
                continue
            fault = rule.fault
            meant = [
                place
                for place, scope in enumerate(scopes())
                if (not fault.channels or scope.channels & {*fault.channels})
                and (not fault.symbols or scope.symbols & {*fault.symbols})
            ]
            if meant and rule.opens(now_ns):
                self._count_one(fault)
                found.append((fault, meant[int(uniform(self.seed, f"{rule.purpose}/whom", rule.fired) * len(meant))]))
        return found

    def of_exchange(self, symbols: Sequence[str], now_ns: int) -> list[Fault]:
        """What befalls the exchange now; a delisting names its symbol, drawn where the rule has none."""
        found = []
        for rule in self._rules[EXCHANGE]:
            fault = rule.fault
            if fault.kind == "delist":
                listed = [symbol for symbol in symbols if not fault.symbols or symbol in fault.symbols]
                if not listed or not rule.opens(now_ns):
                    continue
                drawn = uniform(self.seed, f"{rule.purpose}/whom", rule.fired)
                fault = structs.replace(fault, symbols=(listed[int(drawn * len(listed))],))
            elif not rule.opens(now_ns):
                continue
            self._count_one(fault)
            found.append(fault)
        return found

    def kinds(self) -> tuple[str, ...]:
        """The kinds that this schedule has, each once."""
        there = {rule.fault.kind for rules in self._rules.values() for rule in rules}
        return tuple(kind for kind in KINDS if kind in there)

    def _befalls(self, rule: _Rule, now_ns: int) -> bool:
        """Whether a rule of requests or frames befalls this one, by its window or by firing."""
        if now_ns < rule.until_ns:
            self.befell[rule.fault.kind] += 1
            return True
        if not rule.opens(now_ns):
            return False
        rule.until_ns = now_ns + round(rule.fault.for_s * NS_PER_S)
        self._count_one(rule.fault)
        return True

    def _count_one(self, fault: Fault) -> None:
        self.fired[fault.kind] += 1
        self.befell[fault.kind] += 1
        self.lasting(fault, fault.for_s + fault.delay_s + fault.post_only_s)


def _touches(wanted: Sequence[str], there: Sequence[str]) -> bool:
    return not wanted or any(symbol in wanted for symbol in there)
