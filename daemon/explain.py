"""Explain: the chain of one order or intent, from the book that was seen to the fill or the refusal, out of the log."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from daemon.errors import BadInput
from daemon.log_reader import LogFilter, read
from daemon.snapshot import Explanation, Fact, Step
from daemon.times import ns_of

ID_CHARS_MIN = 6
"""Shorter beginnings of ids fit too many orders."""

ONLY_EXITS = ("move", "held_s")
"""Numbers that only a decision about a position has."""

Line = dict[str, Any]


def explain(data_dir: Path, wanted: str) -> Explanation:
    """Tell the chain of an order or intent by its id or the beginning of it. Raises BadInput when there is none."""
    if len(wanted) < ID_CHARS_MIN:
        raise BadInput("ORDER", wanted, f"an id of an order or intent, or at least {ID_CHARS_MIN} characters of it")
    intents = {intent for line in _lines(data_dir) if (intent := _intent_named(line, wanted))}
    if not intents:
        raise BadInput("ORDER", wanted, "no order or intent with this id is in the log; `obid ctl orders` lists them")
    if len(intents) > 1:
        raise BadInput("ORDER", wanted, f"fits {len(intents)} intents; give more of the id")
    intent_id = intents.pop()
    steps: list[Step] = []
    orders: set[str] = set()
    for line in _lines(data_dir):
        if _belongs(line, intent_id, orders):
            orders |= {line["order"]["id"]} if line["event"] == "order_planned" else set()
            steps += _steps(line)
    return Explanation(intent_id, tuple(steps))


def _lines(data_dir: Path) -> Iterator[Line]:
    return read(data_dir, LogFilter())


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


def _steps(line: Line) -> Iterable[Step]:
    """What a line adds to the story."""
    event, at_ns = line["event"], int(line.get("at_ns") or ns_of(line["at"]))
    if event == "intent":
        yield from _evidence(line)
    elif event in ("approved", "refused"):
        yield _judged(line, at_ns)
    elif event in ("reprice", "cancel"):
        yield Step(at_ns, event, f"{event} asked for: {line['reason']}", (Fact("order", str(line["order_id"])),))
    elif event == "order_planned":
        order = line["order"]
        text = f"order {order['side']} {order['lots']} lots at {order['ticks']} ticks, {order['time_in_force']}"
        yield Step(at_ns, event, text, (Fact("id", order["id"]), Fact("replaces", order["replaces"] or "nothing")))
    elif event == "order_changed":
        text = f"order is {line['state']}, {line['lots_filled']} of {line['lots']} lots filled"
        yield Step(at_ns, event, text, (Fact("reason", line["reason"]),) if line["reason"] else ())
    elif event == "fill":
        text = f"filled {line['lots']} lots at {line['ticks']} ticks as {'maker' if line['maker'] else 'taker'}"
        yield Step(at_ns, event, text, (Fact("fee_usd", f"{line['fee_minor'] / 1e6:.6f}"), Fact("fill", line["id"])))
    else:
        yield Step(at_ns, event, str(line.get("error", "")))


def _evidence(line: Line) -> Iterable[Step]:
    """The book and the bar behind an intent, then the intent."""
    seen = line["evidence"]
    age = Fact("age_ms", f"{seen['obi_age_ns'] / 1e6:.0f}")
    book = (Fact("obi", _number(seen["obi"]), _number(seen["obi_bound"])), age, Fact("facade", str(seen["facade"])))
    yield Step(int(seen["obi_at_ns"]), "book", "the freshest book when the decision fell", book)
    bar = (
        Fact("close", _number(seen["close"])),
        Fact("z", _number(seen["z"]), _number(seen["z_bound"])),
        Fact("trend", _number(seen["trend"])),
        *(
            Fact(name, _number(seen[name]), _number(seen[f"{name}_bound"]))
            for name in ONLY_EXITS
            if seen.get(name) is not None
        ),
    )
    yield Step(int(seen["bar_start_ns"]), "bar", "the bar that was decided on", bar)
    text = f"{line['purpose']} {line['side']} {line['lots']} lots at {line['ticks']} ticks: {line['reason']}"
    yield Step(int(line["at_ns"]), "intent", text, (Fact("id", line["id"]),))


def _judged(line: Line, at_ns: int) -> Step:
    if line["event"] == "refused":
        fact = Fact(line["rule"], line["value"], line["bound"])
        return Step(at_ns, "refused", f"risk said no: {line['rule']}", (fact,))
    checks = tuple(Fact(check["rule"], check["value"], check["bound"]) for check in line["checks"])
    return Step(at_ns, "approved", "risk asked every rule", checks)


def _number(value: Any) -> str:
    return "none" if value is None else f"{value:.6g}"
