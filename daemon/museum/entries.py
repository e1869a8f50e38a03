"""Exhibits: entries that should not have been, or that were barred for no reason."""

from decimal import Decimal
from math import nan
from typing import Any

from msgspec.structs import replace

from actors.gate import Gate
from actors.obi_pump import ObiPump
from daemon.museum.bench import (
    ENGINE,
    MINUTE_NS,
    NOW_NS,
    PRICE,
    S,
    Trader,
    instrument,
    intent,
    moved,
    open_gate,
    profile,
)
from daemon.museum.exhibit import Exhibit
from risk.circuit_breaker import observe
from risk.gate import judge
from risk.gate_state import new_state
from risk.intent import Approved, Intent, Refused
from risk.order import OrderState
from risk.rate import RateBucket, take
from risk.session import NO_DAYS
from venues.market import Book, Level

LOTS = 120
"""Of BTC at 100,000: 120 dollars."""


def _passes(lots: int, **risk: Any) -> bool:
    return isinstance(judge(intent(lots), open_gate(**risk), NOW_NS)[0], Approved)


def _nan_mid() -> str:
    """A position in a thin coin that has no price, and an entry."""
    state = open_gate(("BTC", "ETH"))
    state = replace(state, positions={"ETH": 1_000_000}, marks=state.marks | {"ETH": nan})
    verdict = judge(intent(LOTS), state, NOW_NS)[0]
    return verdict.rule if isinstance(verdict, Refused) else "passed"


def _nan_compared() -> str:
    net_usd = 100.0 * nan + 120
    return "net_cap" if net_usd > 200 else "passed"


NAN_MID = Exhibit(
    name="l22-nan-mid",
    story="A mid that was no number made every comparison false, and the net cap let eight times its size pass.",
    sources=("L22",),
    stake="a cap that opens when the market is at its thinnest",
    right=_nan_mid,
    wrong=_nan_compared,
    check=lambda rule: rule == "net_cap",
)


def _sized(usd: Decimal) -> Decimal:
    own = profile()
    own = own.model_copy(
        update={"signal": own.signal.model_copy(update={"notional_usd": usd, "notional_usd_by_class": {}})}
    )
    (entry,) = Trader(own).dip()
    return instrument().size(entry.lots) * instrument().price(entry.ticks)


SIZE_OVERRIDE = Exhibit(
    name="l22-size-override",
    story="The smaller size for a first try was set where nothing read it, and the first order was eight times as big.",
    sources=("L22",),
    stake="200 dollars where 25 were meant",
    right=lambda: _sized(Decimal(25)),
    wrong=lambda: _sized(Decimal(200)),
    check=lambda worth: Decimal(20) < worth <= Decimal(25),
)


def _phantom() -> int:
    """An entry that risk refuses: what the signal believes to hold."""
    trader = Trader()
    (entry,) = trader.dip()
    trader.signal.hear(Refused(ENGINE, entry, "net_cap", "1", "0", trader.now_ns))
    return trader.signal.symbols["BTC"].lots


def _optimist() -> int:
    """The position is set when the order is wanted, and nobody takes it back."""
    (entry,) = Trader().dip()
    return int(entry.lots)


BLOCKED_PHANTOM = Exhibit(
    name="d4-blocked-phantom",
    story="The strategy believed in its entry before risk had seen it, and a refusal did not undo that.",
    sources=("D4",),
    stake="exits of what was never bought",
    right=_phantom,
    wrong=_optimist,
    check=lambda lots: lots == 0,
)


def _counted_twice() -> bool:
    """The candidate is in the net already when it is added to it."""
    net_usd = candidate_usd = 120
    return net_usd + candidate_usd <= 200


COUNTED_TWICE = Exhibit(
    name="d4-counted-twice",
    story="The net already held the order that was asked about, so a first entry of 120 broke a cap of 200.",
    sources=("D4",),
    stake="half of every cap",
    right=lambda: _passes(LOTS, net_cap_usd=Decimal(200)),
    wrong=_counted_twice,
    check=lambda passes: passes is True,
)


def _buys_only(lots: int) -> bool:
    """Caps that look at buys."""
    return not (lots > 0 and lots > LOTS)


SHORTS_UNCAPPED = Exhibit(
    name="d13-shorts-uncapped",
    story="Caps were asked about buys alone; entries that sell short had none.",
    sources=("D13",),
    stake="a short of any size",
    right=lambda: _passes(-100 * LOTS),
    wrong=lambda: _buys_only(-100 * LOTS),
    check=lambda passes: passes is False,
)


def _blind() -> str:
    """Equity cannot be read, again and again."""
    state = open_gate()
    blind = state.breaker
    for number in range(20):
        blind, _ = observe(blind, state.breaker_limits, None, NOW_NS + number * S)
    verdict = judge(intent(LOTS), replace(state, breaker=blind), NOW_NS)[0]
    return verdict.rule if isinstance(verdict, Refused) else "passed"


def _ignores_errors() -> str:
    """An error in the reading is logged, and the loss stays what it was."""
    loss_usd = 0.0
    return "daily_loss" if loss_usd > 50 else "passed"


BLIND_BREAKER = Exhibit(
    name="d13-blind-breaker",
    story="When equity could not be read the loss limit was silent, for as long as the network was down.",
    sources=("D13",),
    stake="no loss limit on the worst of days",
    right=_blind,
    wrong=_ignores_errors,
    check=lambda rule: rule == "daily_loss",
)

ENTRIES_MAX = 3


def _after_refusals() -> bool:
    """Three entries that the venue refuses, where three a day are allowed; may a fourth be tried?"""
    gate = Gate(open_gate(entries_max=ENTRIES_MAX, orders_burst=30))
    for number in range(ENTRIES_MAX):
        wish = replace(intent(LOTS), id=f"i{number}")
        gate.hear(wish)
        gate.hear(moved(OrderState.REJECTED, lots=LOTS, intent_id=wish.id, order_id=f"o{number}"))
    (verdict,) = gate.hear(intent(LOTS))
    return isinstance(verdict, Approved)


def _counts_attempts() -> bool:
    attempts = 0
    for _ in range(ENTRIES_MAX):
        attempts += 1
    return attempts < ENTRIES_MAX


REFUSALS_COUNTED = Exhibit(
    name="l23-refusals-counted",
    story="Entries that the venue refused used up the day's entries, and a run of days did nothing.",
    sources=("L23",),
    stake="a soak that proves nothing",
    right=_after_refusals,
    wrong=_counts_attempts,
    check=lambda passes: passes is True,
)


def _an_hour_of_refusals() -> int:
    """An hour in which the same entry is refused whenever it is asked for."""
    trader, asked = Trader(), 0
    for minute in range(60):
        trader.book(PRICE * (0.99 - minute * 0.001), 0.5)
        for wish in trader.bar(PRICE * (0.99 - minute * 0.001)):
            if isinstance(wish, Intent):
                asked += 1
                trader.signal.hear(Refused(ENGINE, wish, "net_cap", "1", "0", trader.now_ns))
    return asked


BLOCKED_EVERY_BAR = Exhibit(
    name="l27-blocked-every-bar",
    story="The same entry was asked for and refused 120 times an hour, and the log had nothing else in it.",
    sources=("L27",),
    stake="questions that use up the venue's patience, and a log that hides what matters",
    right=_an_hour_of_refusals,
    wrong=lambda: sum(1 for _ in range(120)),
    check=lambda asked: 0 < asked <= 12,
)


def _facade() -> Book:
    """Five levels lean to the buyers, fifteen behind them to the sellers."""
    bids = tuple(Level(PRICE - 1 - rank, 5.0 if rank < 5 else 1.0) for rank in range(20))
    asks = tuple(Level(PRICE + 1 + rank, 1.0 if rank < 5 else 5.0) for rank in range(20))
    return Book("BTC", NOW_NS, NOW_NS, bids, asks)


def _lean(depth: int) -> float:
    (imbalance,) = ObiPump().hear(_facade())
    return float(getattr(imbalance, f"obi_{depth}"))


FIVE_LEVELS = Exhibit(
    name="l13-five-levels",
    story="The imbalance of five levels follows a facade that is taken away before anybody can trade on it.",
    sources=("L13",),
    stake="entries against the weight of the book",
    right=lambda: _lean(profile().signal.obi_depth),
    wrong=lambda: _lean(5),
    check=lambda obi: obi < 0,
)


def _on_an_old_book() -> int:
    return len(Trader().dip(age_ns=30 * S))


OLD_BOOK = Exhibit(
    name="d12-old-book",
    story="Nobody looked how old the book was that an entry leaned on.",
    sources=("D12",),
    stake="entries on a market of a minute ago",
    right=_on_an_old_book,
    wrong=lambda: len(Trader().dip()),
    check=lambda entries: entries == 0,
)


def _before_a_look(*, reconciled: bool) -> str:
    """An entry in the first second after a restart."""
    verdict = judge(intent(LOTS), replace(open_gate(), reconciled=reconciled), NOW_NS)[0]
    return verdict.rule if isinstance(verdict, Refused) else "passed"


EMPTY_MEMORY = Exhibit(
    name="l2-empty-memory",
    story="After a restart memory was empty, and what was held already was bought again.",
    sources=("L2",),
    stake="every position doubled by a restart",
    right=lambda: _before_a_look(reconciled=new_state(profile(), (instrument(),), NO_DAYS).reconciled),
    wrong=lambda: _before_a_look(reconciled=True),
    check=lambda rule: rule == "reconciled",
)

PER_MINUTE, BURST = 6_000, 6_000


def _first_second() -> int:
    """Orders granted in the first second, a tenth of a millisecond apart."""
    bucket, granted = RateBucket(per_minute=PER_MINUTE, burst=BURST), 0
    for step in range(20_000):
        bucket, allowed, _ = take(bucket, NOW_NS + step * S // 20_000)
        granted += allowed
    return granted


def _tokens() -> int:
    """Tokens and the time of the last refill, which begins at zero: the first look refills all that was taken."""
    tokens, filled_ns, granted = float(BURST), 0, 0
    for step in range(20_000):
        now_ns = NOW_NS + step * S // 20_000
        if tokens < 1:
            tokens = min(float(BURST), tokens + (now_ns - filled_ns) * PER_MINUTE / MINUTE_NS)
            filled_ns = now_ns
        if tokens >= 1:
            tokens, granted = tokens - 1, granted + 1
    return granted


SECOND_BURST = Exhibit(
    name="d9-second-burst",
    story="A token bucket believed that it was last filled in 1970, and granted a second full burst at once.",
    sources=("D9",),
    stake="twelve thousand requests where six thousand are allowed",
    right=_first_second,
    wrong=_tokens,
    check=lambda granted: granted <= BURST + PER_MINUTE // 60,
)

EXHIBITS = (
    NAN_MID,
    SIZE_OVERRIDE,
    BLOCKED_PHANTOM,
    COUNTED_TWICE,
    SHORTS_UNCAPPED,
    BLIND_BREAKER,
    REFUSALS_COUNTED,
    BLOCKED_EVERY_BAR,
    FIVE_LEVELS,
    OLD_BOOK,
    EMPTY_MEMORY,
    SECOND_BURST,
)
