"""How much was asked of the venue: weight and messages per IP in any 60 seconds (docs, Rate limits)."""

from collections import deque

from msgspec import Struct, field

WINDOW_NS = 60_000_000_000
WEIGHT_MAX = 1200
LIGHT, ROLE, OTHER = 2, 60, 20
LIGHT_TYPES = frozenset(
    {"l2Book", "allMids", "clearinghouseState", "orderStatus", "spotClearinghouseState", "exchangeStatus"}
)
ITEMS_PER_WEIGHT, CANDLES_PER_WEIGHT = 20, 60
ITEM_TYPES = frozenset({"userFills", "userFillsByTime", "historicalOrders", "fundingHistory", "userFunding"})
BATCH_PER_WEIGHT = 40


def info_weight(kind: str) -> int:
    """What a question costs before it is answered."""
    return LIGHT if kind in LIGHT_TYPES else ROLE if kind == "userRole" else OTHER


def answer_weight(kind: str, items: int) -> int:
    """What a long answer costs on top."""
    if kind == "candleSnapshot":
        return items // CANDLES_PER_WEIGHT
    return items // ITEMS_PER_WEIGHT if kind in ITEM_TYPES else 0


def action_weight(batch: int) -> int:
    """What an action costs, by the length of its batch."""
    return 1 + batch // BATCH_PER_WEIGHT


class Window(Struct):
    """A sum over the last 60 s, and the highest it ever was."""

    entries: deque[tuple[int, int]] = field(default_factory=deque)
    now: int = 0
    highest: int = 0
    total: int = 0

    def add(self, at_ns: int, amount: int) -> None:
        """Count an amount."""
        self.roll(at_ns)
        self.entries.append((at_ns, amount))
        self.now += amount
        self.total += amount
        self.highest = max(self.highest, self.now)

    def roll(self, at_ns: int) -> int:
        """Forget what is older than 60 s; returns the sum."""
        while self.entries and self.entries[0][0] <= at_ns - WINDOW_NS:
            self.now -= self.entries.popleft()[1]
        return self.now


class Usage:
    """Statistics of all IPs. `weights[ip].highest` is the most weight in any 60 s, `messages[ip].highest` the same."""

    def __init__(self) -> None:
        self.weights: dict[str, Window] = {}
        self.messages: dict[str, Window] = {}
        self.asked: dict[str, int] = {}  # by type of question or action
        self.refused_429 = 0

    def weigh(self, ip: str, kind: str, weight: int, now_ns: int) -> None:
        """Count a request."""
        self.asked[kind] = self.asked.get(kind, 0) + 1
        self.extra(ip, weight, now_ns)

    def extra(self, ip: str, weight: int, now_ns: int) -> None:
        """Count what a request cost on top."""
        self.weights.setdefault(ip, Window()).add(now_ns, weight)

    def over(self, ip: str, weight: int, now_ns: int) -> bool:
        """Whether a request of this weight is too much."""
        return self.weights.setdefault(ip, Window()).roll(now_ns) + weight > WEIGHT_MAX

    def message(self, ip: str, now_ns: int) -> int:
        """Count a message of a socket; returns how many came in 60 s."""
        window = self.messages.setdefault(ip, Window())
        window.add(now_ns, 1)
        return window.now
