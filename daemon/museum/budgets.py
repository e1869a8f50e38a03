"""Exhibits: requests that were spent on what could wait."""

import json
from collections.abc import Callable

from msgspec import Struct

from daemon.museum.desk import BTC, Desk, limit, placed
from daemon.museum.exhibit import Exhibit
from venues.emulator.hyperliquid.errors import Refused
from venues.hyperliquid.budget import Limits, Need, RequestBudget, Urgency, action_need

COINS, SECONDS = 28, 90
BOOK_WEIGHT = 2
"""Of one l2Book question."""


class Minute(Struct, frozen=True):
    """What came of a minute and a half of polling."""

    exits: int
    refused: int


def _poll(may: Callable[[Need, int], bool]) -> Minute:
    """Ask for each coin's book each second, and take a position back each second."""
    desk, refused, exits = Desk(("BTC",)), 0, 0
    poll = Need(Urgency.POLL, BOOK_WEIGHT)
    for second in range(SECONDS):
        desk.wait(1)
        for _ in range(COINS):
            try:
                if may(poll, desk.now_ns):
                    desk.info({"type": "l2Book", "coin": "BTC"})
            except Refused:
                refused += 1
        try:
            if may(action_need(Urgency.EXIT, cancel=True), desk.now_ns):
                desk.post({"type": "cancel", "cancels": [{"a": BTC, "o": second}]})
                exits += 1
        except Refused:
            refused += 1
    return Minute(exits, refused)


def _by_budget() -> Minute:
    budget = RequestBudget()

    def may(need: Need, now_ns: int) -> bool:
        spent = budget.spend(need, now_ns)
        if spent is not None:
            budget.settle(spent, need.weight, now_ns)
        return spent is not None

    return _poll(may)


POLLED_TO_DEATH = Exhibit(
    name="pb-567",
    story="Bots that shared an address polled markets until the venue answered 429 to everything, exits as well.",
    sources=("pb-567",),
    stake="no way out of a position for as long as the polling lasts",
    right=_by_budget,
    wrong=lambda: _poll(lambda need, now_ns: True),
    check=lambda minute: minute == Minute(SECONDS, 0),
)

REQUESTS, KEPT = 60, 20


def _trail(may: Callable[[Need, int], bool]) -> str:
    """A position, a hundred changes of a resting order, and then the exit."""
    desk = Desk(("BTC",), requests=REQUESTS)
    may(action_need(Urgency.ORDER), desk.now_ns)
    desk.trade(BTC, "buy", "66100", "0.0002")
    for change in range(100):
        if may(action_need(Urgency.ORDER), desk.now_ns):
            desk.post(placed(limit(BTC, "buy", f"{60_000 + change}", "0.001", "Alo")))
    if not may(action_need(Urgency.EXIT), desk.now_ns):
        return "not sent"
    answer = json.loads(desk.post(placed(limit(BTC, "sell", "65900", "0.0002", "Ioc", reduce_only=True))))
    return "refused" if answer["status"] == "err" else "filled"


def _kept_back() -> str:
    budget = RequestBudget(Limits(requests_free=REQUESTS, requests_for_exits=KEPT))
    return _trail(lambda need, now_ns: budget.spend(need, now_ns) is not None)


ADDRESS_USED_UP = Exhibit(
    name="ft-10960",
    story="Stops were moved so often that the address had used up its requests when one was needed.",
    sources=("ft-10960",),
    stake="one request in ten seconds, with a position open",
    right=_kept_back,
    wrong=lambda: _trail(lambda need, now_ns: True),
    check=lambda said: said == "filled",
)

EXHIBITS = (POLLED_TO_DEATH, ADDRESS_USED_UP)
