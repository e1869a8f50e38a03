"""`make fuzz N=1000000`: so many damaged frames and answers of the venues; exits 1 at the first that is taken wrongly.

Damage is of bytes (flipped, cut, doubled, put in, taken out) and of meaning (fields dropped, doubled, of another type,
numbers that are none or too large, rows by the thousand, nesting without end). A decoder may read what is left as
something or raise VenueMisspoke; any other error fails, and so does a number that is read and is not finite. The frames
are ours and, where they are on this machine, the recorded ones; frame K is the same wherever those are the same.
Alpaca's market data is in alpaca_frames.py, in JSON and in msgpack, its orders and its account in
alpaca_trading_frames.py; of what is damaged each has a third.
"""

import gzip
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from copy import deepcopy
from decimal import Decimal
from functools import cache, partial
from multiprocessing import get_context
from random import Random
from typing import Any

import msgspec
from msgspec.structs import asdict

from tests.soak import alpaca_frames, alpaca_trading_frames
from tests.venues.hyperliquid.asked import every_ask
from tests.venues.hyperliquid.said import ANSWERS, CLOID, FRAMES, USER, WIRE
from venues.hyperliquid.account_wire import Order, OrderUpdate, UserFill
from venues.hyperliquid.answers import read_answer
from venues.hyperliquid.fields import as_bytes
from venues.hyperliquid.wire import decode
from venues.venue import VenueMisspoke, VenueUnreachable

NOW_NS = 1_800_000_000_000_000_000
FRAMES_A_TASK = 10_000
FRAME_BYTES_MAX = 6_000
"""Longer recordings are no better to damage, and would take all the time."""

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 1e308, 2**31, 2**53 + 1, 2**63, 2**64, -(2**63), 10**30, 10**400),
    *("", " ", "0", "-0", "-1", "NaN", "nan", "inf", "-Infinity", "1e5", "1e999999", "1_0", "٣", "0x10", "9" * 5_000),
    *("B", "A", "C", "open", "null", "\ud800", "\x00", "é" * 300, [], {}, [[]], [None], {"": None}, [{}] * 40),
)
"""Values to stand in for others: what a decoder of numbers, strings or lists could take wrongly."""


class NotRefused(Exception):
    """What came out, and how to see it again."""


Reader = Callable[[bytes | str], Any]


def _frame(said: bytes | str) -> Any:
    return decode(said, NOW_NS)


def _verdicts(said: bytes | str, asked: int) -> Any:
    """Of orders, doubt is an answer too: words that prove nothing, or none at all."""
    try:
        return read_answer(as_bytes(said), asked)
    except VenueUnreachable:
        return ()


def _ok(kind: str, *statuses: Any) -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": statuses}}}


EXCHANGE = {
    "order": (
        2,
        _ok(
            "order",
            {"resting": {"oid": 57118842019, "cloid": CLOID}},
            {"filled": {"totalSz": "0.25", "avgPx": "3120.5", "oid": 57118842020}},
        ),
    ),
    "errors": (2, _ok("order", {"error": "Order must have minimum value of $10."}, "waitingForTrigger")),
    "cancel": (2, _ok("cancel", "success", {"error": "Order was never placed, already canceled, or filled."})),
    "default": (0, {"status": "ok", "response": {"type": "default"}}),
    "err": (1, {"status": "err", "response": f"User or API Wallet {USER} does not exist."}),
}
"""How many orders were asked about, and the answer."""


@cache
def seeds() -> tuple[tuple[tuple[str, bytes, Reader], ...], ...]:
    """(name, whole frame or answer, what reads it), for each venue, and at Alpaca for each side of it."""
    return hyperliquid(), alpaca_frames.seeds(judge), alpaca_trading_frames.seeds()


def hyperliquid() -> tuple[tuple[str, bytes, Reader], ...]:
    """Hyperliquid's."""
    found: list[tuple[str, bytes, Reader]] = [(name, said, _frame) for name, said in FRAMES.items()]
    asks = every_ask(USER)
    found += [(f"/info {kind}", json.dumps(said).encode(), asks[kind].read) for kind, said in ANSWERS.items()]
    for name, (asked, said) in EXCHANGE.items():
        found.append((f"/exchange {name}", json.dumps(said).encode(), partial(_verdicts, asked=asked)))
    return (*found, *((name, said, _frame) for name, said in recorded() if _is_frame(said)))


def recorded() -> Iterator[tuple[str, bytes]]:
    """Frames of the shared recordings, none where there are none."""
    for path in sorted(WIRE.glob("hftbacktest/hyperliquid/*.gz")):
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
            yield f"{path.name}:{number}", line.split(b" ", 1)[1]
    for path in sorted([*WIRE.glob("hl_verbatim/hyperliquid/*.jsonl"), *WIRE.glob("tardis_node/hyperliquid/*.jsonl")]):
        for number, line in enumerate(map(json.loads, path.read_text().splitlines())):
            yield f"{path.name}:{number}", (line.get("raw") or json.dumps(line["message"])).encode()


def _is_frame(said: bytes) -> bool:
    """Some captures hold answers of the REST side too."""
    return b'"channel"' in said and len(said) <= FRAME_BYTES_MAX


# --- damage -----------------------------------------------------------------------------------------------------------


def flip(said: bytes, draw: Random) -> bytes:
    """Some bits of some bytes."""
    damaged = bytearray(said)
    for _ in range(draw.choice((1, 1, 2, 8))):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def cut(said: bytes, draw: Random) -> bytes:
    """The end, the beginning or something between is missing."""
    first, last = sorted((draw.randrange(len(said) + 1), draw.randrange(len(said) + 1)))
    return draw.choice((said[:first], said[last:], said[:first] + said[last:]))


def splice(said: bytes, draw: Random) -> bytes:
    """Bytes come twice, from elsewhere, or from another frame."""
    at, (start, end) = draw.randrange(len(said) + 1), sorted(draw.choices(range(len(said) + 1), k=2))
    other = draw.choice(draw.choice(seeds()))[1]
    put = draw.choice((said[start:end], draw.randbytes(draw.randrange(1, 9)), other[: draw.randrange(len(other))]))
    return said[:at] + put + said[at:]


def digits(said: bytes, draw: Random) -> bytes:
    """Something stands in the place of a run of digits."""
    places = [at for at, byte in enumerate(said) if 48 <= byte <= 57] or [0]
    at = draw.choice(places)
    put = draw.choice((b"-", b".", b"e9", b"E+400", b"NaN", b"Infinity", b"9" * draw.choice((30, 5_000)), b"", b"\xff"))
    return said[:at] + put + said[at + draw.choice((0, 1)) :]


def nest(said: bytes, draw: Random) -> bytes:
    """A value that has no end within any reason."""
    at = said.find(b":", draw.randrange(len(said))) + 1
    depth = draw.choice((200, 20_000))
    return said[:at] + draw.choice((b"[" * depth, b'{"a":' * depth, b"[" * depth + b"]" * depth)) + said[at:]


def meaning(said: bytes, draw: Random) -> bytes:
    """Valid JSON, or msgpack, that says something else, in one to three places."""
    packed = not said.lstrip().startswith((b"[", b"{"))
    try:
        tree = msgspec.msgpack.decode(said) if packed else json.loads(said)
    except ValueError:
        return flip(said, draw)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        holders = [holder for holder in _holders(tree) if holder]
        if not holders:
            return json.dumps(draw.choice(ODD)).encode()
        _change(draw.choice(holders), draw)
    if packed:
        return _packed(tree, said, draw)
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass")


def _packed(tree: Any, said: bytes, draw: Random) -> bytes:
    """Msgpack again; it has no integers of more than 64 bits, and no half of a character."""
    try:
        return msgspec.msgpack.encode(tree)
    except (OverflowError, ValueError, TypeError, RecursionError):
        return flip(said, draw)


def _holders(tree: Any) -> Iterator[Any]:
    """Every object and list of a tree."""
    if isinstance(tree, dict | list):
        yield tree
        for child in tree.values() if isinstance(tree, dict) else tree:
            yield from _holders(child)


def _change(holder: Any, draw: Random) -> None:
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key, other = draw.choice(keys), draw.choice(keys)
    match draw.randrange(6):
        case 0:
            del holder[key]
        case 1 | 2:
            holder[key] = deepcopy(draw.choice(ODD))
        case 3:
            holder[key] = holder[other]
        case 4 if isinstance(holder, list):
            holder += [holder[key]] * draw.choice((1, 30))
        case 4:
            holder[f"{key}X"] = holder.pop(key)
        case _:
            value = holder[key]
            holder[key] = str(value) if isinstance(value, int | float) else [value]


DAMAGES = (flip, cut, splice, digits, meaning, meaning, meaning, nest)


# --- judgement --------------------------------------------------------------------------------------------------------


def judge(heard: Any) -> None:
    """What was read can be used: every property answers, every number is one."""
    if isinstance(heard, float | Decimal):
        if not (heard.is_finite() if isinstance(heard, Decimal) else math.isfinite(heard)):
            raise ValueError(f"{heard} was read as a number")
    elif isinstance(heard, tuple | list):
        for part in heard:
            judge(part)
    elif isinstance(heard, dict):
        for part in heard.values():
            judge(part)
    elif hasattr(heard, "__struct_fields__"):
        judge(asdict(heard))
        if isinstance(heard, UserFill):
            judge((heard.id, heard.at_ns, heard.side))
        elif isinstance(heard, OrderUpdate):
            judge((heard.fate, heard.at_ns, heard.order))
        elif isinstance(heard, Order):
            judge(heard.side)


def one(number: int) -> str:
    """Damage and read frame `number`. Returns what came of it: read, or refused; raises NotRefused."""
    draw = Random(number)
    name, said, reader = draw.choice(draw.choice(seeds()))
    damage = draw.choice(DAMAGES)
    damaged: bytes | str = damage(said, draw)
    if draw.random() < 0.2:
        damaged = bytes(damaged).decode("utf-8", "surrogateescape")
    try:
        judge(reader(damaged))
    except VenueMisspoke as error:
        if len(str(error)) > 1_000:
            raise NotRefused(
                f"frame {number} of {name}: an error of {len(str(error))} characters: {str(error)[:80]}"
            ) from None
        return "refused"
    except Exception as error:
        shown = damaged[:300] if len(damaged) > 300 else damaged
        raise NotRefused(
            f"frame {number}, {damage.__name__} of {name}: {type(error).__name__}: {error}\n{shown!r}"
        ) from error
    return "read"


def task(first: int) -> Counter[str]:
    """Many of them."""
    return Counter(one(number) for number in range(first, first + FRAMES_A_TASK))


def main(wanted: int, first: int = 0) -> int:
    """Damage so many; 0 if all were read or refused."""
    start_s, done, came = time.monotonic(), 0, Counter[str]()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        try:
            for counts in pool.map(task, range(first, first + wanted, FRAMES_A_TASK)):
                done, came = done + FRAMES_A_TASK, came + counts
                if done % (10 * FRAMES_A_TASK) == 0:
                    print(f"{done:,} damaged frames, {time.monotonic() - start_s:.0f} s", flush=True)
        except NotRefused as error:
            print(f"FAIL after {done:,}: {error}")
            return 1
    print(f"PASS: {done:,} damaged frames, {came['refused']:,} refused by name, {came['read']:,} read as they stand")
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
