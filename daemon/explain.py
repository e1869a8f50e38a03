"""Explain: the chain of one order or intent, from the book that was seen to the fill or the refusal, out of the log."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from daemon.errors import BadInput, Failed
from daemon.log_reader import LogFilter, read
from daemon.snapshot import Explanation, Fact, Step
from daemon.times import ns_of
from venues.market import MINOR_PER_USD, Instrument

ID_CHARS_MIN = 6
"""Shorter beginnings of ids fit too many orders."""

ID_SHOWN = 10
"""Of an id that is told in passing: enough to tell the orders of one intent apart, as in `obid ctl orders`."""

NONE = "none"
NS_PER_MS = 1_000_000

ONLY_EXITS = ("move", "held_s")
"""Numbers that only a decision about a position has."""

Line = dict[str, Any]
Instruments = Mapping[str, Mapping[str, Instrument]]
"""What lots and ticks mean, by engine and symbol."""

SEEN = ("tier", "book", "bar")
"""Steps that were seen, not done: they come first, whatever their stamps."""


def explain(
    data_dir: Path, wanted: str, instruments: Instruments, left: Callable[[], bool] = lambda: False
) -> Explanation:
    """Tell the chain of an order or intent by its id or the beginning of it. Raises BadInput when there is none.

    `left`: whether nobody waits for it any more; a thread that read on would hold up the end of the daemon.
    """
    if len(wanted) < ID_CHARS_MIN:
        raise BadInput("ORDER", wanted, f"an id of an order or intent, or at least {ID_CHARS_MIN} characters of it")
    intents = {intent for line in _lines(data_dir, left) if (intent := _intent_named(line, wanted))}
    if not intents:
        raise BadInput("ORDER", wanted, "no order or intent with this id is in the log; `obid ctl orders` lists them")
    if len(intents) > 1:
        raise BadInput("ORDER", wanted, f"fits {len(intents)} intents; give more of the id")
    intent_id = intents.pop()
    steps: list[Step] = []
    orders: set[str] = set()
    tiers: dict[tuple[str, str, str], Line] = {}  # run, engine, symbol -> what was measured there before
    for line in _lines(data_dir, left):
        if line.get("event") == "tier_changed":
            tiers[_whose(line)] = line
        elif line.get("event") == "intent" and line["id"] == intent_id and (tier := tiers.get(_whose(line))):
            steps.append(_tier(tier))
        if _belongs(line, intent_id, orders):
            orders |= {line["order"]["id"]} if line["event"] == "order_planned" else set()
            steps += [step for step in _steps(line, instruments) if step not in steps]  # restated after a restart
    steps.sort(key=lambda step: 0 if step.event in SEEN else step.at_ns)
    return Explanation(intent_id, tuple(steps))


def _lines(data_dir: Path, left: Callable[[], bool]) -> Iterator[Line]:
    """All lines. Raises Failed once nobody waits."""
    for line in read(data_dir, LogFilter()):
        if left():
            raise Failed("nobody waits for this any more")
        yield line


def _intent_named(line: Line, wanted: str) -> str:
    """The intent that an id on this line stands for; empty when the line is about something else."""
    wish, order = _table(line, "wish"), _table(line, "order")
    intent = str(line.get("intent_id") or wish.get("intent_id") or order.get("intent_id") or "")
    if line.get("event") == "intent":
        intent = str(line["id"])
    elif wish and "evidence" in wish:
        intent = str(wish["id"])
    named = (intent, line.get("order_id"), order.get("id"), wish.get("order_id"))
    return intent if any(str(name).startswith(wanted) for name in named if name) else ""


def _table(line: Line, field: str) -> Line:
    value = line.get(field)
    return value if isinstance(value, dict) else {}


def _belongs(line: Line, intent_id: str, orders: set[str]) -> bool:
    if _intent_named(line, intent_id):
        return True
    return line.get("event") in ("fill", "unanswered", "order_faulted") and line.get("order_id") in orders


def _steps(line: Line, instruments: Instruments) -> Iterable[Step]:
    """What a line adds to the story."""
    event, at_ns = line["event"], int(line.get("at_ns") or ns_of(line["at"]))
    if event == "intent":
        yield from _evidence(line, _deal(line, line, instruments))
    elif event in ("approved", "refused"):
        yield _judged(line, at_ns)
    elif event in ("reprice", "cancel"):
        yield Step(at_ns, event, f"{event} asked for: {line['reason']}", (Fact("order", str(line["order_id"])),))
    elif event == "order_planned":
        order = line["order"]
        text = f"{_deal(line, order, instruments)}, {order['time_in_force']}"
        replaces = [Fact("replaces", order["replaces"])] if order["replaces"] else []
        yield Step(at_ns, "order", text, (Fact("id", order["id"]), *replaces))
    elif event == "order_changed":
        filled = f"{_size(line, line['lots_filled'], instruments)} of {_size(line, line['lots'], instruments)} filled"
        text = f"{line['order_id'][:ID_SHOWN]} is {line['state']}, {filled}"
        yield Step(at_ns, "order", text, (Fact("reason", line["reason"]),) if line["reason"] else ())
    elif event == "fill":
        text = f"{_deal(line, line, instruments)} as {'maker' if line['maker'] else 'taker'}"
        fee = f"{line['fee_minor'] / MINOR_PER_USD:.6f}"
        yield Step(at_ns, event, text, (Fact("fee_usd", fee), Fact("id", line["id"])))
    else:
        yield Step(at_ns, event, str(line.get("error", "")))


def _instrument(line: Line, instruments: Instruments) -> Instrument | None:
    symbol = line.get("symbol") or _table(line, "order").get("symbol")
    return instruments.get(line["engine"], {}).get(str(symbol))


def _size(line: Line, lots: int, instruments: Instruments) -> str:
    instrument = _instrument(line, instruments)
    return f"{instrument.size(lots):f}" if instrument else f"{lots} lots"


def _deal(line: Line, deal: Line, instruments: Instruments) -> str:
    """Which way, how much and at what price; in lots and ticks where the instrument is not of this run."""
    instrument = _instrument(line, instruments)
    price = f"{instrument.price(deal['ticks']):f}" if instrument else f"{deal['ticks']} ticks"
    return f"{deal['side']} {_size(line, deal['lots'], instruments)} at {price}"


def _evidence(line: Line, deal: str) -> Iterable[Step]:
    """The book and the bar behind an intent, then the intent."""
    seen = line["evidence"]
    age_ms = f"{seen['obi_age_ns'] / NS_PER_MS:.0f}"
    book = (_fact("obi", seen), Fact("age_ms", age_ms), Fact("facade", "yes" if seen["facade"] else "no"))
    yield Step(int(seen["obi_at_ns"]), "book", "the freshest book when the decision fell", book)
    bar = [_fact(name, seen) for name in ("close", "z", "trend", "move", "held_s")]
    known = tuple(fact for fact in bar if fact.value != NONE)
    yield Step(int(seen["bar_start_ns"]), "bar", "the bar that was decided on", known)
    text = f"{line['purpose']} {deal}, {line['time_in_force']}: {line['reason']}"
    yield Step(int(line["at_ns"]), "intent", text, (Fact("id", line["id"]),))


def _fact(name: str, seen: Line) -> Fact:
    """A number of the evidence and its bound, if it has one."""
    bound = _number(seen.get(f"{name}_bound"))
    return Fact(name, _number(seen.get(name)), "" if bound == NONE else bound)


def _whose(line: Line) -> tuple[str, str, str]:
    """The run, engine and symbol of a line."""
    return str(line.get("run")), str(line.get("engine")), str(line.get("symbol"))


def _tier(line: Line) -> Step:
    """Why the bounds of z were not those of the configuration."""
    facts = (
        Fact("rmsd", f"{line['rmsd']:.4g} % of a week, over {line['bars']} bars"),
        Fact("z_entry", _number(line["z_entry"])),
        Fact("z_exit", _number(line["z_exit"])),
    )
    before = f"{line['z_entry_before']:g}/{line['z_exit_before']:g}"
    return Step(int(line["at_ns"]), "tier", f"{line['category']} measured at the start, {before} before", facts)


def _judged(line: Line, at_ns: int) -> Step:
    if line["event"] == "refused":
        fact = Fact(line["rule"], line["value"], line["bound"])
        return Step(at_ns, "refused", f"risk said no: {line['rule']}", (fact,))
    checks = tuple(Fact(check["rule"], check["value"], check["bound"]) for check in line["checks"])
    return Step(at_ns, "approved", "risk asked every rule", checks)


def _number(value: Any) -> str:
    return NONE if value is None else f"{value + 0.0:.8g}"  # minus zero is zero
