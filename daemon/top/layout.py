"""The layout: one picture of what is known and asked, as many lines as the terminal has, none wider than it."""

from collections.abc import Sequence

from daemon.top.asking import question_lines
from daemon.top.desk import HELP, OVERVIEW, Desk
from daemon.top.known import Known, Scope
from daemon.top.lines import calendar_line, engine_lines, head, trouble_lines
from daemon.top.panes import PANES, actors, feeds, log, orders, positions
from daemon.view import BAD, QUIET, TITLE, WIDTH_MIN, Cell, Line, allot, shortened

HEIGHT_MIN = 10
WIDE = 120
"""From so many columns on feeds and actors stand beside the rest."""

SIDE = 46
"""Columns of that side: what a feed's row takes."""

LOW = 30
"""A terminal lower than this has room for few of the things that are wrong; the rest is under a key."""

KEYS = (
    *(("  /", "filter "), ("e", "ngine  ")),
    *(("P", "ause "), ("H", "alt "), ("F", "latten "), ("R", "esume  "), ("q", "uit")),
)
"""At the foot, the key and the rest of its word."""

HELP_LINES = (
    "1 overview  2 positions  3 orders  4 feeds  5 actors  6 risk  7 log  8 wrong",
    "Tab: the next of them; arrows, j k, PgUp PgDn: scroll; Esc: overview",
    "/ filter by symbol   e next engine   Esc in the overview clears both",
    "q leaves; the daemon goes on",
    "",
    "P pause    no new entries; exits go on",
    "H halt     the same, and entries that rest are cancelled",
    "F flatten  closes what is held, as far as the filter goes; asks for the word",
    "R resume   lifts pause and halt; asks for the word where a guard has halted",
    "Each shows first what it would do. Enter alone does nothing.",
    "",
    "day loss, drawdown, net, orders: share of the bound that is used; ! near it",
    "z: deviation at the last closed bar; ! has reached the bound of entries",
    "rho: order-book imbalance, -1 to 1; age: since the last good book; * held",
    "moved: how often repriced; passed: books replaced by newer ones unread",
    "today: equity less the day's opening (UTC), or what it was at a resume",
    "For scripts and pipes: obid ctl status, ps, positions, orders",
)


def picture(desk: Desk, width: int, height: int, now_ns: int) -> Sequence[Line]:
    """Everything."""
    known = desk.known
    if width < WIDTH_MIN // 2 or height < HEIGHT_MIN // 2:
        return [[("too small for top", BAD)]]
    lines = head(known, desk.scope, now_ns)
    foot = _foot(desk)
    room = height - len(lines) - len(foot)
    if desk.view == HELP:
        body: list[Line] = [[(" help", TITLE)], *([(f"  {line}", "")] for line in HELP_LINES)]
        body = _scrolled(body, desk, room)
    elif known.snapshot is None:
        body = []
    elif desk.asked is not None:
        body = question_lines(desk.asked, desk.typed, known.snapshot)[:room]
    elif desk.view == OVERVIEW:
        body = _overview(known, desk.scope, width, room, height)
    else:
        body = _scrolled(PANES[desk.view](known, desk.scope, width), desk, room)
    if known.silent is not None and desk.view != HELP:
        body = [[(text, QUIET) for text, _ in line] for line in body]
    body = [*body, *([("", "")] for _ in range(room - len(body)))]
    return [cut(line, width) for line in (*lines, *body[: max(0, room)], *foot)][:height]


def _foot(desk: Desk) -> list[Line]:
    """What can be done, and what came of it."""
    if desk.typing is not None:
        return [[(" symbol: ", TITLE), (desk.typing, ""), ("_", QUIET), ("  Enter filters, Esc leaves", QUIET)]]
    keys: list[Cell] = [(" ?", TITLE), ("help  ", ""), ("1-8 ", TITLE), (desk.view, "")]
    keys += [cell for key, word in KEYS for cell in ((key, TITLE), (word, ""))]
    note: list[Line] = [[(f" {desk.note}", BAD if desk.note_bad else TITLE)]] if desk.note else []
    return [*note, keys]


def _scrolled(rows: list[Line], desk: Desk, room: int) -> list[Line]:
    """A pane's rows from where the person has scrolled to, under its title; never past its end."""
    title, rest = rows[:1], rows[1:]
    desk.offset = max(0, min(desk.offset, len(rest) - (room - 1)))
    shown = rest[desk.offset : desk.offset + room - 1]
    if title and (desk.offset or len(shown) < len(rest)):
        where = f"  {desk.offset + 1}-{desk.offset + len(shown)} of {len(rest)}"
        title = [[*title[0], (where, QUIET)]]
    return [*title, *shown]


def _overview(known: Known, scope: Scope, width: int, room: int, height: int) -> list[Line]:
    snapshot = known.snapshot
    assert snapshot is not None, "drawn once there is something to draw"
    lines = _wrong(known, 3 if height < LOW else 8)
    lines += engine_lines(snapshot, scope)
    lines.append(calendar_line(snapshot))
    room -= len(lines)
    if width >= WIDE:
        left, right = width - SIDE - 2, SIDE
        return [*lines, *beside(_stack((positions, orders, log), known, scope, left, room), left,
                                _stack((feeds, actors), known, scope, right, room))]  # fmt: skip
    return [*lines, *_stack((positions, orders, _concerns, log), known, scope, width, room)]


def _wrong(known: Known, most: int) -> list[Line]:
    snapshot = known.snapshot
    rows = list(trouble_lines(snapshot.troubles or (), snapshot.status.at_ns)) if snapshot else []
    if len(rows) <= most:
        return rows
    return [*rows[: most - 1], [(f" ! and {len(rows) - most + 1} more: key 8", BAD)]]


def _concerns(known: Known, scope: Scope, width: int) -> list[Line]:
    """Actors and feeds on a small terminal: how they are in a line, and the actors that are not as they should."""
    snapshot = known.snapshot
    assert snapshot is not None, "drawn once there is something to draw"
    actor_rows, feed_rows = actors(known, scope, width), feeds(known, scope, width)
    ill = sum(not row.healthy or bool(row.restarts) for row in snapshot.actors)
    summary: Line = [actor_rows[0][0], ("  ", ""), feed_rows[0][0]]
    if not ill:
        return [[(text.rstrip() if at != 1 else text, style) for at, (text, style) in enumerate(summary)]]
    return [actor_rows[0], *actor_rows[1 : 1 + ill]]


def _stack(panes: Sequence[object], known: Known, scope: Scope, width: int, room: int) -> list[Line]:
    """Panes one under the other, sharing the room."""
    made = [pane(known, scope, width) for pane in panes if callable(pane)]
    rooms = allot(room, [len(rows) for rows in made])
    return [line for rows, part in zip(made, rooms, strict=True) for line in shortened(rows, part)]


def beside(left: Sequence[Line], width: int, right: Sequence[Line]) -> list[Line]:
    """Two stacks of lines, the left one as wide as asked."""
    rows = max(len(left), len(right))
    lefts = [*left, *([("", "")] for _ in range(rows - len(left)))]
    rights = [*right, *([("", "")] for _ in range(rows - len(right)))]
    return [[*padded(one, width), ("  ", ""), *other] for one, other in zip(lefts, rights, strict=True)]


def padded(line: Line, width: int) -> list[Cell]:
    """A line that is exactly so wide."""
    short = cut(line, width)
    return [*short, (" " * (width - sum(len(text) for text, _ in short)), "")]


def cut(line: Line, width: int) -> list[Cell]:
    """A line no wider than this; what is cut ends in an ellipsis."""
    if sum(len(text) for text, _ in line) <= width:
        return list(line)
    cells: list[Cell] = []
    room = width - 1
    for text, style in line:
        cells.append((text[:room], style))
        room -= len(text)
        if room <= 0:
            break
    return [*cells, ("…", QUIET)]
