"""Frames and answers of Alpaca's market data to be damaged: each in JSON and in msgpack, with what reads them.

A reader does more than decode: books go through what puts them together, control messages through a conversation, so
that what a damaged frame leads to is judged, too.
"""

import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
from msgspec.msgpack import Ext

from venues.alpaca.bars_wire import read_page
from venues.alpaca.book import Books
from venues.alpaca.conversation import Conversation, Cover
from venues.alpaca.login import Login
from venues.alpaca.market_wire import TIMESTAMP, BookChange, Complaint, Damaged, Greeted, Subscribed, decode
from venues.delta_book import Change
from venues.venue import VenueMisspoke

WIRE = Path(__file__).resolve().parents[3] / "shared" / "data" / "wire"
NOW_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000
STAMP = "2026-03-12T10:38:50.79613221Z"
TEXT_MAX = 500
"""Of a verdict on damage, which is logged."""

LEVELS = ([{"p": 71.5 - i / 10, "s": 0.25 + i} for i in range(20)], [{"p": 71.9 + i / 10, "s": 3} for i in range(20)])
QUOTE = {"bp": 25.41, "bs": 35, "ap": 25.43, "as": 35, "t": STAMP}
MESSAGES: dict[str, list[dict[str, Any]]] = {
    "whole book": [{"T": "o", "S": "BTC/USD", "t": STAMP, "b": LEVELS[0], "a": LEVELS[1], "r": True}],
    "changes": [
        {"T": "o", "S": "BTC/USD", "t": STAMP, "b": [{"p": 71.45, "s": 0}, {"p": 71.5, "s": 2}], "a": []},
        {"T": "o", "S": "ETH/USD", "t": STAMP, "b": [], "a": [{"p": 2614.587, "s": 12.5308}]},
    ],
    "trades": [
        {"T": "t", "S": "BTC/USD", "p": 65614.929, "s": 0.000038, "t": STAMP, "i": 8160237406270933078, "tks": "S"},
        {"T": "t", "S": "COST", "i": 6142, "x": "V", "p": 177.79, "s": 90, "c": ["@", "I"], "z": "C", "t": STAMP},
    ],
    "quotes": [
        {"T": "q", "S": "BTC/USD"} | QUOTE,
        {"T": "q", "S": "COST", "bx": "V", "ax": "V", "c": ["R"], "z": "B"} | QUOTE,
    ],
    "bars": [
        {"T": kind, "S": "COST", "o": 1.5, "h": 4, "l": 0.5, "c": 2, "v": 8547, "t": STAMP, "n": 66, "vw": 1.98}
        for kind in "bud"
    ],
    "subscription": [{"T": "subscription", "trades": ["BTC/USD"], "quotes": [], "orderbooks": ["BTC/USD"], "bars": []}],
    "greeting": [{"T": "success", "msg": "connected"}],
    "authenticated": [{"T": "success", "msg": "authenticated"}],
    **{f"error {code}": [{"T": "error", "code": code, "msg": "words of the venue"}] for code in range(400, 410)},
    "others": [{"T": "s", "S": "COST", "sc": "T", "t": STAMP}, {"T": "n", "id": 7, "symbols": ["COST"]}],
}
ROW = {"t": "2026-03-12T10:38:00Z", "o": 1.5, "h": 4, "l": 0.5, "c": 2, "v": 8547, "n": 66, "vw": 1.98}
PAGES: tuple[Any, ...] = (
    {"bars": {"BTC/USD": [ROW, ROW | {"t": "2026-03-12T10:39:00Z"}], "ETH/USD": [ROW]}, "next_page_token": "QlRD"},
    {"bars": {}, "next_page_token": None},
    {"bars": None, "next_page_token": None},
)


class Nobody:
    """A secret that is none."""

    def get_secret_value(self) -> str:
        """Nothing."""
        return ""


class Wrong(Exception):
    """What was read leads to something that must not be."""


def seeds(judge: Callable[[Any], None]) -> tuple[tuple[str, bytes, Callable[[bytes | str], Any]], ...]:
    """(name, whole frame or answer, what reads it)."""
    found: list[tuple[str, bytes, Callable[[bytes | str], Any]]] = []
    for name, messages in [*MESSAGES.items(), *recorded()]:
        read = partial(frame, judge=judge)
        found.append((f"alpaca {name}", json.dumps(messages).encode(), read))
        found.append((f"alpaca {name}, msgpack", packed(messages), read))
    found += [(f"alpaca bars {number}", json.dumps(page).encode(), page_of) for number, page in enumerate(PAGES)]
    return tuple(found)


def recorded() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Documented frames and those of the SDK's tests, none where there are none."""
    for file in sorted((WIRE / "alpaca_docs" / "alpaca").glob("*real*time*.jsonl")):
        for number, line in enumerate(map(json.loads, file.read_text().splitlines())):
            said = json.loads(line["raw"])
            if isinstance(said, list) and all("T" in message for message in said):
                yield f"{file.name}:{number}", said
    file = WIRE / "alpaca_py" / "alpaca" / "data_test_websockets.jsonl"
    for number, line in enumerate(map(json.loads, file.read_text().splitlines() if file.is_file() else ())):
        yield f"{file.name}:{number}", [line["frame"] | {"t": STAMP}]


def packed(messages: list[dict[str, Any]]) -> bytes:
    """The same in msgpack, with a time as one that asked for it gets it."""
    time = Ext(TIMESTAMP, (796_132_210 << 34 | 1_773_311_930).to_bytes(8))
    return msgspec.msgpack.encode([message | {"t": time} if "t" in message else message for message in messages])


def frame(said: bytes | str, judge: Callable[[Any], None]) -> Any:
    """Read a frame and do with it what a stream does; one damaged message is a refusal, once its neighbours are judged.

    Raises VenueMisspoke, Wrong.
    """
    heard = decode(said, NOW_NS)
    books = Books()
    levels = tuple(Change(level["p"], level["s"]) for level in LEVELS[0]), (Change(80.0, 1.0),)
    books.hear(BookChange("BTC/USD", 0, 0, *levels, True))
    key = ("orderbooks", "BTC/USD")
    conversation = Conversation(Login(Nobody(), Nobody()), {key: Cover(key)}, NOW_NS)
    shown = []
    for one in heard:
        if isinstance(one, BookChange):
            book = books.hear(one)
            if book is not None:
                if not book.bids or not book.asks or book.bids[0].price >= book.asks[0].price:
                    raise Wrong(f"half a book: {book}")
                shown.append(book)
        elif isinstance(one, Greeted | Subscribed | Complaint):
            conversation.hear(one)
            shown.append(conversation.speak(NOW_NS))
        elif isinstance(one, Damaged) and max(len(one.text), len(one.kind), len(one.symbol)) > TEXT_MAX:
            raise Wrong(f"a verdict of {len(one.text)} characters")
    if damaged := next((one for one in heard if isinstance(one, Damaged)), None):
        judge((heard, shown))
        raise VenueMisspoke(damaged.text)
    return heard, shown


def page_of(said: bytes | str) -> Any:
    """Read a page of bars."""
    data = said.encode("utf-8", "replace") if isinstance(said, str) else said
    return read_page(data, MINUTE_NS)
