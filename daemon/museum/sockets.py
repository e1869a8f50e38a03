"""Exhibits: sockets that were closed, broke, fell silent or were killed, and clients that went on all the same."""

from typing import Any

from daemon.museum.exhibit import Exhibit
from daemon.museum.loopback import Loopback, play
from venues.hyperliquid.line import LineLimits, LineSpec
from venues.hyperliquid.socket import SocketLimits
from venues.hyperliquid.subscriptions import Gap, Quarantine, State, Subscription, books, fast_books
from venues.market import Book

NAMES = ("BTC", "ETH")
ALL_FRAMES = 1 << 20
LIMITS = LineLimits(socket=SocketLimits(close_s=0.2))
QUIET = LineLimits(socket=SocketLimits(close_s=0.2, quiet_s=5.0))


def _books(told: list[Any]) -> set[str]:
    return {one.symbol for one in told if type(one) is Book}


async def _survives(venue: Loopback, **fault: Any) -> str:
    """Our streams through a fault: whether books come again, and whether the gap was told."""
    fast = bool(fault.pop("fast", False))
    asked = fast_books(NAMES) if fast else books(NAMES)
    _, told = venue.streams(LineSpec(name="books", subscriptions=asked, limits=QUIET if fast else LIMITS), NAMES)
    await venue.until(lambda: _books(told) == set(NAMES) and any(isinstance(one, Gap) for one in told))
    told.clear()  # with the gap before the first connection
    venue.fault(**fault)
    gap = await venue.until(lambda: any(isinstance(one, Gap) for one in told))
    since = len(told)
    again = await venue.until(lambda: _books(told[since:]) == set(NAMES))
    return f"{'books' if again else 'nothing'}, the gap {'told' if gap else 'not told'}"


async def _goes_on(venue: Loopback, **fault: Any) -> str:
    """A client that opens one socket and believes in it; after a close it says its subscriptions again there."""
    fault.pop("fast", None)
    asked = [one.message("subscribe") for one in fast_books(NAMES)]
    socket = await venue.socket(*asked)
    await venue.until(lambda: len(socket.frames) >= 2 * len(NAMES))
    venue.fault(**fault)
    await venue.clock.sleep(2)
    socket.take(ALL_FRAMES)
    for message in asked:
        socket.send(message)
    await venue.clock.sleep(10)
    return f"{'books' if socket.take(ALL_FRAMES) else 'nothing'}, the gap not told"


def _exhibit(name: str, story: str, stake: str, **fault: Any) -> Exhibit:
    return Exhibit(
        name=name,
        story=story,
        sources=(name,),
        stake=stake,
        right=lambda: play(NAMES, lambda venue: _survives(venue, **fault)),
        wrong=lambda: play(NAMES, lambda venue: _goes_on(venue, **fault)),
        check=lambda seen: seen == "books, the gap told",
    )


CLOSED_WITH_1000 = _exhibit(
    "hb-8250",
    "The venue closed the sockets with code 1000; the connector said that it subscribed again, and heard no more.",
    "a market maker that quotes a market it no longer sees",
    kind="close",
    code=1000,
)
BROKEN_WITHOUT_A_WORD = _exhibit(
    "hl-sdk-191",
    "The connection broke; the manager's thread ran on and said that it was ready, without socket and subscriptions.",
    "silence that looks like a quiet market",
    kind="close",
)
MUTE = _exhibit(
    "hl-sdk-145",
    "After a day or two a subscription sent nothing more, and the client went on as if all were well.",
    "decisions on the last book before the silence",
    kind="mute",
    for_s=0,
    fast=True,
)


async def _finds_the_bad_name(venue: Loopback) -> str:
    """A coin that was delisted between meta and subscription is asked for with two that are there."""
    asked = books(("BTC", "GONE", "ETH"))
    streams, told = venue.streams(LineSpec(name="books", subscriptions=asked, limits=LIMITS), (*NAMES, "GONE"))
    await venue.until(lambda: any(isinstance(one, Quarantine) for one in told))
    since = len(told)
    await venue.until(lambda: _books(told[since:]) == set(NAMES))
    state = streams.coverage()[Subscription("l2Book", "GONE")].state
    return f"{sorted(_books(told[since:]))}, GONE {'left out' if state is State.QUARANTINED else state}"


async def _asks_for_all_again(venue: Loopback) -> str:
    """One socket for all; when it dies it is opened again and asked for the same."""
    frames = 0
    for _ in range(5):
        socket = await venue.socket(*(one.message("subscribe") for one in books(("GONE", *NAMES))))
        await venue.clock.sleep(1)
        frames += sum(b'"l2Book"' in frame and b'"levels"' in frame for frame, _ in socket.take(ALL_FRAMES))
    return f"{frames} books, GONE asked for again"


DEADLY_NAME = Exhibit(
    name="hb-7593",
    story="Asking for one pair closed the socket with 1006, again and again, and took along what else was on it.",
    sources=("hb-7593",),
    stake="no market at all, for the sake of one coin",
    right=lambda: play(NAMES, _finds_the_bad_name),
    wrong=lambda: play(NAMES, _asks_for_all_again),
    check=lambda seen: seen == "['BTC', 'ETH'], GONE left out",
)

EXHIBITS = (CLOSED_WITH_1000, BROKEN_WITHOUT_A_WORD, MUTE, DEADLY_NAME)
