"""Exhibits out of other engines' threads: what looked alive, switches that did not, and memories that grew."""

from contextlib import suppress
from typing import Any, ClassVar

from msgspec.structs import replace

from actors.circuit_breaker import CircuitBreaker
from actors.feed import FeedMind, Stream
from actors.gate import Gate
from actors.messages import (
    BalanceChanged,
    Command,
    Imbalance,
    Mark,
    Order,
    OrderPlanned,
    PositionChanged,
    TradingState,
)
from actors.obi_pump import ObiPump
from daemon.museum.bench import (
    ENGINE,
    EQUITY_MINOR,
    NOW_NS,
    PRICE,
    Bookkeeper,
    S,
    Trader,
    instrument,
    intent,
    open_gate,
    profile,
    request,
)
from daemon.museum.exhibit import Exhibit
from daemon.museum.scene import Listener
from risk.gate import judge
from risk.intent import Purpose, Refused, Trading
from supervisor.actor import MindBody, Post
from supervisor.child import ChildSpec, SupervisorSpec
from supervisor.clock import Clock
from supervisor.mailbox import Hears, Mailbox
from supervisor.messages import ChildCrashed, ChildStarted, Tick
from supervisor.program import Program
from supervisor.supervisor import House
from supervisor.virtual import run_virtual
from venues.market import Book, Cancelled, Level

LOTS = 250


class Brittle:
    """A mind that dies of the first book it hears."""

    hears: ClassVar[tuple[Hears, ...]] = (Hears(Tick),)
    says: ClassVar[tuple[type, ...]] = ()

    def hear(self, message: Tick) -> tuple[Any, ...]:
        """Die."""
        raise AttributeError("'Config' has no attribute 'intervall'")


class Deaf:
    """A body that has stopped reading and does not end."""

    async def run(self, post: Post) -> None:
        """Wait for something else."""
        post.ready()
        await post.clock.loop.create_future()


def _played(start: Any, seconds: float) -> tuple[list[str], bool]:
    """An actor is sent one message: which crashes were told, and whether it is taken for healthy in the end."""
    pages: list[Any] = []
    healthy: list[bool] = []
    heard = (Hears(ChildCrashed), Hears(ChildStarted))
    root = SupervisorSpec(
        name="scene",
        children=(
            ChildSpec(name="witness", start=lambda: MindBody(Listener(pages)), hears=heard),
            ChildSpec(name="actor", start=start, hears=Brittle.hears),
        ),
    )

    async def live(clock: Clock) -> None:
        house = House(root, clock)
        program = Program(house)
        clock.call_at(NOW_NS + S, lambda: [put(Tick(NOW_NS + S)) for put in house.route(Tick)])
        for at_s in (seconds / 2, seconds - 1):  # how long something waits counts from the first look
            clock.call_at(NOW_NS + round(at_s * S), lambda: healthy.append(all(one.healthy for one in house.health())))
        clock.call_at(NOW_NS + round(seconds * S), lambda: program.stop("the scene is over"))
        await program.run(_nothing)

    run_virtual(live, NOW_NS)
    return [page.child for page in pages if isinstance(page, ChildCrashed)], healthy[-1]


async def _nothing() -> None:
    """There is nothing to wind down."""


def _swallowed() -> list[str]:
    """Callbacks are called, and what they raise is theirs."""
    told: list[str] = []
    with suppress(AttributeError):
        Brittle().hear(Tick(NOW_NS))
    return told


DIED_UNSEEN = Exhibit(
    name="nt-5039",
    story="What callbacks raised was discarded; a task died of a misspelt setting, and nothing was said.",
    sources=("nt-5039", "nt-2053"),
    stake="orders under way that nobody looks after any more",
    right=lambda: _played(lambda: MindBody(Brittle()), 10)[0],
    wrong=_swallowed,
    check=lambda told: told == ["actor"],
)


RUNNING = Exhibit(
    name="ft-11957",
    story="The heartbeat said RUNNING for hours, and nothing happened: the loop that trades had stopped.",
    sources=("ft-11957", "ft-6031", "hb-3685", "hb-170"),
    stake="a machine that is trusted and stands still",
    right=lambda: _played(Deaf, 60)[1],
    wrong=lambda: True,  # the process answers
    check=lambda healthy: healthy is False,
)


def _stale_stream() -> str:
    """The stream of a symbol has gone silent; its strategy asks for an entry all the same."""
    verdict = judge(intent(LOTS), replace(open_gate(), fresh=frozenset()), NOW_NS)[0]
    return verdict.rule if isinstance(verdict, Refused) else "passed"


NEVER_TOLD = Exhibit(
    name="vnpy-3411",
    story="Strategies were never told that the market data had gone, and traded on what they had.",
    sources=("vnpy-3411", "hb-3101"),
    stake="orders at prices of three quarters of an hour ago",
    right=_stale_stream,
    wrong=lambda: "passed",
    check=lambda rule: rule == "fresh",
)

NAN = float("nan")


def _after_a_nan() -> tuple[int, bool]:
    """A reconnect brings a book of NaN, then a good one: how many pass, and whether the imbalance is a number."""
    mind = FeedMind(ENGINE, {"BTC": Stream()}, 120_000)
    passed: list[Book] = []
    for number, price in enumerate((NAN, PRICE)):
        bid, ask = (Level(price + step, 1.0) for step in (-1, 1))
        passed += mind.sift([Book("BTC", NOW_NS + number, NOW_NS + number, (bid,), (ask,))])[0]
    (said,) = (one for book in passed for one in ObiPump().hear(book))
    return len(passed), said.bid == PRICE - 1


def _merged() -> tuple[int, bool]:
    """Updates are laid over the book that is there, and one number in it is none."""
    book = {"bid": NAN}
    book["bid"] = book["bid"] + 0.0
    return 1, book["bid"] == PRICE - 1


BOOK_OF_NAN = Exhibit(
    name="hftbacktest-210",
    story="After a TLS EOF the connector came back, and the bot's book stayed NaN.",
    sources=("hftbacktest-210",),
    stake="a strategy that compares with nothing, for ever",
    right=_after_a_nan,
    wrong=_merged,
    check=lambda seen: seen == (1, True),
)

# --- kill switches ----------------------------------------------------------------------------------------------------


def _breaker() -> CircuitBreaker:
    mind = CircuitBreaker({ENGINE: profile().risk}, {ENGINE: {"BTC": instrument()}})
    mind.hear(BalanceChanged(ENGINE, EQUITY_MINOR, 0, 0, 0, 0, NOW_NS))
    return mind


def _verdict(gate: Gate, purpose: Purpose = Purpose.ENTRY) -> str:
    lots = LOTS if purpose is Purpose.ENTRY else -LOTS
    (said,) = gate.hear(intent(lots, purpose))
    return said.rule if isinstance(said, Refused) else "passed"


def _tripped_then_crashed() -> str:
    """It halts, and dies of the next thing it does; its successor, and a gate that starts anew, ask the ledger."""
    books = Bookkeeper()
    books.tell(TradingState(ENGINE, Trading.HALTED, "drawdown", "circuit_breaker", NOW_NS))
    again, gate = books.restarted(), Gate(open_gate())
    for said in again.tell(ChildStarted("circuit_breaker", "", 1, NOW_NS)):
        if isinstance(said, TradingState):
            gate.hear(said)
    return _verdict(gate)


def _handler_first() -> str:
    """The switch calls its handlers and is off when they are done; one of them raises."""
    stopped, handlers = False, [Brittle().hear]
    with suppress(AttributeError):
        for handler in handlers:
            handler(Tick(NOW_NS))
        stopped = True
    return "state" if stopped else "passed"


SWITCH_BROKEN = Exhibit(
    name="hb-2534",
    story="The kill switch tripped, its handler died of an AttributeError, and orders went on.",
    sources=("hb-2534",),
    stake="the loss that it was to end",
    right=_tripped_then_crashed,
    wrong=_handler_first,
    check=lambda rule: rule == "state",
)


def _paused() -> tuple[str, str, str]:
    """What becomes of an entry and of an exit while trading is paused, and of an entry after it was resumed."""
    mind, gate = _breaker(), Gate(replace(open_gate(), compared=True))

    def obey(order: Order, at_ns: int) -> None:
        for said in mind.hear(Command(order, "", "", "", at_ns)):
            if isinstance(said, TradingState):
                gate.hear(said)

    obey(Order.PAUSE, NOW_NS)
    entry = _verdict(gate)
    gate.hear(PositionChanged(ENGINE, "BTC", LOTS, 1.0, 0, NOW_NS, NOW_NS))
    leave = _verdict(gate, Purpose.EXIT)
    gate.hear(PositionChanged(ENGINE, "BTC", 0, 0.0, 0, 0, NOW_NS))
    obey(Order.RESUME, NOW_NS + 1)
    return entry, leave, _verdict(gate)


PAUSED = Exhibit(
    name="hb-2497",
    story="A kill switch ended the bot; what people asked for was a pause that can be lifted.",
    sources=("hb-2497", "hb-2761"),
    stake="positions that nobody leaves because the bot is off",
    right=_paused,
    wrong=lambda: ("state", "gone", "gone"),
    check=lambda seen: seen == ("state", "passed", "passed"),
)


def _halts_said() -> int:
    """An account stays below its bound for ten minutes: how often the halt is said."""
    mind = _breaker()
    mind.hear(PositionChanged(ENGINE, "BTC", 100_000, 1_000_000.0, 0, NOW_NS, NOW_NS, 100_000_000_000))
    said: list[Any] = []
    for second in range(600):
        price = PRICE if second < 10 else PRICE * 0.97
        mind.hear(Mark("BTC", NOW_NS, price - 0.5, price + 0.5))
        said += mind.hear(Tick(NOW_NS + second * S))
    return sum(isinstance(one, TradingState) for one in said)


HALTED_FOR_EVER = Exhibit(
    name="hb-dashboard-206",
    story="The kill switch fired again at every look, and its messages never ended.",
    sources=("hb-dashboard-206",),
    stake="a log and a phone that say one thing only",
    right=_halts_said,
    wrong=lambda: sum(1 for second in range(600) if second >= 10),
    check=lambda halts: halts == 1,
)

# --- what grows -------------------------------------------------------------------------------------------------------

ORDERS = 3_000


def _orders_kept() -> int:
    """Three thousand orders are placed and cancelled: how many are still in memory."""
    books = Bookkeeper()
    for number in range(ORDERS):
        name = f"o{number}"
        books.mind.hear(OrderPlanned(ENGINE, request(10, name, intent_id=name), True, NOW_NS + number))
        books.mind.hear(Cancelled(ENGINE, name, "BTC", 0, "lifetime", NOW_NS + number))
    return len(books.mind.orders)


GROWS = Exhibit(
    name="hb-7462",
    story="Memory grew with every order and every quote, and after days the machine killed the bot.",
    sources=(
        *("hb-7462", "hb-7363", "hb-6479", "hb-8270", "nt-4533", "nt-3485", "nt-1196"),
        *("ft-11317", "ft-10233", "ft-13421", "lean-8551", "octobot-3647"),
    ),
    stake="a bot that is gone in the night, with its orders out",
    right=_orders_kept,
    wrong=lambda: len(dict.fromkeys(range(ORDERS))),
    check=lambda kept: kept <= 2_000,
)


def _burst_waits() -> str:
    """Ten thousand books of three symbols come at once."""
    box = Mailbox("signal", Trader().signal.hears, lambda: NOW_NS)
    for number in range(10_000):
        name = ("BTC", "ETH", "SOL")[number % 3]
        book = Imbalance(name, NOW_NS + number, NOW_NS, PRICE, PRICE + 1, 0, 0, 0, False)
        box.lanes[Imbalance].put(book)
    return f"{len(box)} wait"


def _one_queue() -> str:
    queue: list[int] = []
    for number in range(10_000):
        if len(queue) >= 4_096:
            return "QueueFull"
        queue.append(number)
    return f"{len(queue)} wait"


QUEUE_FULL = Exhibit(
    name="nt-2224",
    story="A burst of quotes filled the queue, and QueueFull ended the client.",
    sources=("nt-2224",),
    stake="no market data from the busiest minute on",
    right=_burst_waits,
    wrong=_one_queue,
    check=lambda seen: seen == "3 wait",
)

EXHIBITS = (
    *(DIED_UNSEEN, RUNNING, NEVER_TOLD, BOOK_OF_NAN),
    *(SWITCH_BROKEN, PAUSED, HALTED_FOR_EVER),
    *(GROWS, QUEUE_FULL),
)
