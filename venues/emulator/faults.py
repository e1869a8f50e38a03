"""Faults on a schedule: what a venue does to its clients on a bad day, drawn from a seed and read from TOML.

A file is a list of rules, and may name the seed:

    seed = 7                        # else that of the command line
    [[fault]]
    kind = "http_429"               # one of KINDS
    every_s = 300                   # once in each 300 s, at a moment drawn from (seed, kind, occurrence)
    requests = ["order", "cancel"]  # "exchange" or "info" for the whole door, else types of actions and questions

When: exactly one of `probability` (of each opportunity), `every_s` (once in each stretch of that length, at the first
opportunity after a drawn moment) and `at_s` (a list of seconds since the emulator began). `times` bounds how often.
Upon whom: `requests` for kinds of requests; `channels` and `symbols` for kinds of frames and sockets (a socket is meant
when it listens to such a channel or symbol); `symbols` for orders, too. Nothing named: all.
For how long: `for_s`. For requests and frames it is a window that the firing opens: all that match in it are befallen.

    kind                   what happens                                                       fields of its own
    mute                   one socket stays open and says nothing; 0: for ever                for_s = 45
    close                  one socket goes without a close frame (1006), or with a code       code = 1006
    idle_close             what one socket sends no longer counts: it is closed as idle       -
    http_429               the request is refused with 429; `done`: it was done all the same  done = false
    timeout_after_accept   the request is done; the answer comes late, 0: never               delay_s = 0
    lost_before            the request is not done and the connection ends without a word     delay_s = 0
    inner_error            status "ok" with an error inside; nothing is done                  text = "..."
    garbled                the request is done and answered with text that is no JSON         status = 200
    slow_answer            the request is done and answered late                              delay_s = 2
    late_fills             a frame with fills is held back                                    delay_s = 3
    duplicate_fills        a frame with fills is sent twice                                   -
    reordered_fills        a frame with fills goes after the next one, or after the delay     delay_s = 5
    partial_fills          for a while orders find only a share of what books show            share, for_s = 30
    delist                 a symbol is taken off the exchange, drawn where none is named      -
    restart                nothing answers for a while, then post-only orders are taken only  for_s, post_only_s = 20
    clock_skew             the exchange's clock is off for a while                            skew_ms = 1500, for_s = 60
    gateway_504            the request is done and answered 504 by something in front         delay_s = 0

What is in no default schedule, and is left to simulations (daemon/soak):

    missing_fills          a frame with fills is never sent                                   for_s = 0
    done_twice             something in front sends the request twice; the second is answered for_s = 0
    orders_lost            every order that rests is gone, as after an upgrade gone wrong     -
    crossed_books          books are told with their sides exchanged                          for_s = 5
    empty_books            books are told without any level                                   for_s = 5
    lost_books             books are not told                                                 for_s = 5

What follows befalls an exchange as well, and is Alpaca's alone; other cores let it pass:

    conn_limit             who comes to a data stream is told 406                             for_s = 60
    replace_race           whatever is replaced is filled a moment before                     for_s = 30
    binary_frames          the trading stream's frames are of the other kind                  for_s = 60
    mixed_times            times come with an offset or in UTC, with any number of decimals   for_s = 60
    unknown_status         live orders have a status that nobody knows                        for_s = 10

schedule.py does what is read here.
"""

import tomllib
from math import isfinite
from pathlib import Path
from typing import Any

from msgspec import Struct

REQUEST, FRAME, SOCKET, EXCHANGE = "request", "frame", "socket", "exchange"
"""Whom a kind befalls: a request, a frame, one socket, the whole exchange."""
NO_MARGIN = "Insufficient margin to place order."
ABNORMAL = 1006
"""The code that a client reports when no close frame came; never sent."""
CLOSE_CODES = (1000, 4999)
STATUSES = (200, 599)
SKEW_MS_MAX = 86_400_000  # a day
SECONDS_MAX = 31_536_000  # a year


class Kind(Struct, frozen=True):
    """One kind of fault: whom it befalls, and the fields of its own with their values when none is given."""

    upon: str
    own: dict[str, Any]


KINDS = {
    "mute": Kind(SOCKET, {"for_s": 45.0}),
    "close": Kind(SOCKET, {"code": ABNORMAL}),
    "idle_close": Kind(SOCKET, {}),
    "http_429": Kind(REQUEST, {"for_s": 0.0, "done": False}),
    "timeout_after_accept": Kind(REQUEST, {"for_s": 0.0, "delay_s": 0.0}),
    "lost_before": Kind(REQUEST, {"for_s": 0.0, "delay_s": 0.0}),
    "inner_error": Kind(REQUEST, {"for_s": 0.0, "text": NO_MARGIN}),
    "garbled": Kind(REQUEST, {"for_s": 0.0, "status": 200}),
    "slow_answer": Kind(REQUEST, {"for_s": 0.0, "delay_s": 2.0}),
    "late_fills": Kind(FRAME, {"for_s": 0.0, "delay_s": 3.0}),
    "duplicate_fills": Kind(FRAME, {"for_s": 0.0}),
    "reordered_fills": Kind(FRAME, {"for_s": 0.0, "delay_s": 5.0}),
    "partial_fills": Kind(EXCHANGE, {"share": 0.0001, "for_s": 30.0}),
    "delist": Kind(EXCHANGE, {}),
    "restart": Kind(EXCHANGE, {"for_s": 20.0, "post_only_s": 20.0}),
    "clock_skew": Kind(EXCHANGE, {"skew_ms": 1500, "for_s": 60.0}),
    "gateway_504": Kind(REQUEST, {"for_s": 0.0, "delay_s": 0.0}),
    "missing_fills": Kind(FRAME, {"for_s": 0.0}),
    "done_twice": Kind(REQUEST, {"for_s": 0.0}),
    "orders_lost": Kind(EXCHANGE, {}),
    "crossed_books": Kind(EXCHANGE, {"for_s": 5.0}),
    "empty_books": Kind(EXCHANGE, {"for_s": 5.0}),
    "lost_books": Kind(EXCHANGE, {"for_s": 5.0}),
    "conn_limit": Kind(EXCHANGE, {"for_s": 60.0}),
    "replace_race": Kind(EXCHANGE, {"for_s": 30.0}),
    "binary_frames": Kind(EXCHANGE, {"for_s": 60.0}),
    "mixed_times": Kind(EXCHANGE, {"for_s": 60.0}),
    "unknown_status": Kind(EXCHANGE, {"for_s": 10.0}),
}
ALPACAS = frozenset({"gateway_504", "conn_limit", "replace_race", "binary_frames", "mixed_times", "unknown_status"})
"""Kinds that Hyperliquid does not have."""
HYPERLIQUIDS = frozenset({"idle_close"})
"""Kinds that Alpaca does not have."""
HARSH = frozenset({"missing_fills", "done_twice", "orders_lost", "crossed_books", "empty_books", "lost_books"})
"""Kinds that are in no default schedule: an hour of it says what an ordinary bad day costs."""
SPOILT = ("crossed_books", "empty_books", "lost_books")
"""Kinds that are told of books, while orders meet those that are."""
ACTION_ONLY = {"inner_error"}
"""Kinds that only an action can suffer: a question has no verdict inside."""

DEFAULT = """
# One hour under this has every kind at least once, given that orders are sent and filled.
[[fault]]
kind = "mute"
every_s = 900
for_s = 45
[[fault]]
kind = "close"
every_s = 600
[[fault]]
kind = "idle_close"
every_s = 1800
[[fault]]
kind = "http_429"
every_s = 240
[[fault]]
kind = "http_429"
every_s = 900
requests = ["exchange"]
done = true
[[fault]]
kind = "timeout_after_accept"
every_s = 400
requests = ["exchange"]
[[fault]]
kind = "timeout_after_accept"
every_s = 700
requests = ["exchange"]
delay_s = 8
[[fault]]
kind = "lost_before"
every_s = 400
requests = ["exchange"]
[[fault]]
kind = "inner_error"
every_s = 300
requests = ["order", "batchModify", "modify", "cancel", "cancelByCloid"]
[[fault]]
kind = "garbled"
every_s = 900
[[fault]]
kind = "slow_answer"
every_s = 120
delay_s = 2
[[fault]]
kind = "late_fills"
every_s = 300
delay_s = 3
[[fault]]
kind = "duplicate_fills"
every_s = 120
[[fault]]
kind = "reordered_fills"
every_s = 300
delay_s = 5
[[fault]]
kind = "partial_fills"
every_s = 300
share = 0.0001
for_s = 30
[[fault]]
kind = "delist"
at_s = [2700]
[[fault]]
kind = "restart"
every_s = 1800
for_s = 20
post_only_s = 20
[[fault]]
kind = "clock_skew"
every_s = 1200
skew_ms = 1500
for_s = 60
"""
"""What `--faults default` means: the rates of the one-hour proof. No unit here is the venue's: it publishes none."""


class BadFaults(ValueError):
    """A schedule that cannot be used: names the field, the value and what would be right."""

    def __init__(self, field: str, value: object, right: str):
        self.field, self.value, self.right = field, value, right
        super().__init__(f"{field} {value!r}: {right}")


class Fault(Struct, frozen=True, kw_only=True):
    """One rule of a schedule, complete; fields that its kind does not have keep the values here and mean nothing."""

    kind: str
    probability: float = 0.0
    every_s: float = 0.0
    at_s: tuple[float, ...] = ()
    times: int = 0
    """At most so many firings; 0: no bound."""
    requests: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    for_s: float = 0.0
    delay_s: float = 0.0
    post_only_s: float = 0.0
    skew_ms: int = 0
    code: int = ABNORMAL
    status: int = 200
    share: float = 1.0
    text: str = ""
    done: bool = False

    @property
    def upon(self) -> str:
        """Whom it befalls."""
        return KINDS[self.kind].upon


def parse(text: str, where: str = "faults") -> tuple[tuple[Fault, ...], int | None]:
    """The rules of a TOML text, and the seed if it names one. Raises BadFaults for the first thing that is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFaults(where, "", f"is no TOML: {error}") from error
    for name in table.keys() - {"fault", "seed"}:
        raise BadFaults(name, table[name], "no such entry; write [[fault]] rules, and seed = N if you like")
    seed = table.get("seed")
    if seed is not None:
        _whole("seed", seed, 0, 2**63 - 1)
    rules = table.get("fault", [])
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise BadFaults("fault", rules, "write each rule under its own [[fault]]")
    return tuple(fault_of(rule, f"fault {number}") for number, rule in enumerate(rules, 1)), seed


def read(name: str, default: str = DEFAULT, foreign: frozenset[str] = ALPACAS) -> tuple[tuple[Fault, ...], int | None]:
    """What `--faults` means: "none", "default" (the venue's) or a TOML file without foreign kinds. Raises BadFaults."""
    rules, seed = _read(name, default)
    for number, rule in enumerate(rules, 1):
        if rule.kind in foreign:
            raise BadFaults(f"fault {number}: kind", rule.kind, "another venue's; this one has no such thing")
    return rules, seed


def _read(name: str, default: str) -> tuple[tuple[Fault, ...], int | None]:
    if name == "none":
        return (), None
    if name == "default":
        return parse(default)
    try:
        text = Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadFaults("faults", name, f"default, none or a TOML file; it cannot be read: {error}") from error
    return parse(text, name)


def fault_of(told: dict[str, Any], where: str = "fault") -> Fault:
    """One rule from a table. Raises BadFaults."""
    kind = told.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadFaults(f"{where}: kind", kind, f"one of {', '.join(KINDS)}")
    where = f"{where} ({kind})"
    allowed = {"kind", "probability", "every_s", "at_s", "times", *_scope(kind), *KINDS[kind].own}
    for name, value in told.items():
        if name not in allowed:
            right = f"{kind} has no such field; it has {', '.join(sorted(allowed - {'kind'}))}"
            raise BadFaults(f"{where}: {name}", value, right)
    values: dict[str, Any] = {**KINDS[kind].own, **told}
    for name, value in values.items():
        values[name] = CHECKS[name](f"{where}: {name}", value)
    fault = Fault(**values)
    when = [name for name in ("probability", "every_s", "at_s") if name in told]
    if len(when) != 1:
        raise BadFaults(f"{where}: when", when, "exactly one of probability, every_s and at_s")
    if when == ["probability"] and fault.upon in (SOCKET, EXCHANGE):
        raise BadFaults(f"{where}: probability", fault.probability, "it befalls no single request: use every_s or at_s")
    return fault


def at_once(told: dict[str, Any]) -> Fault:
    """A rule that fires once, at the next opportunity: what the control door is told. Raises BadFaults."""
    for name in {"probability", "every_s", "at_s", "times"} & told.keys():
        raise BadFaults(name, told[name], "it fires now, once")
    return fault_of({**told, "at_s": [0], "times": 1})


def _scope(kind: str) -> tuple[str, ...]:
    """The fields that say upon whom a kind may fall."""
    upon = {REQUEST: ("requests", "symbols"), FRAME: ("channels", "symbols"), SOCKET: ("channels", "symbols")}
    return upon.get(KINDS[kind].upon, ("symbols",) if kind == "delist" else ())


def _number(field: str, value: Any, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or not low <= value <= high:
        raise BadFaults(field, value, f"a number from {low:g} to {high:g}")
    return float(value)


def _whole(field: str, value: Any, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise BadFaults(field, value, f"a whole number from {low} to {high}")
    return value


def _seconds(field: str, value: Any) -> float:
    return _number(field, value, 0, SECONDS_MAX)


def _every(field: str, value: Any) -> float:
    return _number(field, value, 0.001, SECONDS_MAX)


def _moments(field: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not value:
        raise BadFaults(field, value, "a list of seconds since the emulator began, as [60, 120]")
    return tuple(sorted(_seconds(field, one) for one in value))


def _names(field: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise BadFaults(field, value, 'a list of names, as ["order"]')
    return tuple(value)


def _text(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise BadFaults(field, value, "a text")
    return value


def _flag(field: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise BadFaults(field, value, "true or false")
    return value


def _code(field: str, value: Any) -> int:
    return value if value == ABNORMAL else _whole(field, value, *CLOSE_CODES)


CHECKS = {
    "kind": _text,
    "probability": lambda field, value: _number(field, value, 0, 1),
    "every_s": _every,
    "at_s": _moments,
    "times": lambda field, value: _whole(field, value, 1, 2**31),
    "requests": _names,
    "channels": _names,
    "symbols": _names,
    "for_s": _seconds,
    "delay_s": _seconds,
    "post_only_s": _seconds,
    "skew_ms": lambda field, value: _whole(field, value, -SKEW_MS_MAX, SKEW_MS_MAX),
    "code": _code,
    "status": lambda field, value: _whole(field, value, *STATUSES),
    "share": lambda field, value: _number(field, value, 0, 1),
    "text": _text,
    "done": _flag,
}
