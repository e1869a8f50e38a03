"""What a person sees of a run: one calm live picture on a terminal, lines everywhere else.

Both are told the same: every decision as it falls (`decision`) and a snapshot now and then (`show`). `frame` turns a
snapshot into lines without knowing any terminal, so that it can be tested and captured. rich knows the terminal and its
colours; the lines are painted here, because rich's own layout takes milliseconds that the loop does not have.
"""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Protocol, TextIO

from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style

from daemon.out import Out
from daemon.snapshot import ActorRow, DecisionRow, EngineRow, OrderRow, PositionRow, Snapshot
from daemon.tables import dollars, learning
from daemon.times import ago, minute_of

FRAMES_PER_S = 4
"""Often enough to look alive, seldom enough to be read."""
STATUS_EVERY_S = 10
"""Between two status lines where there is no live view."""
WIDTH_MIN, HEIGHT_MIN = 60, 12
"""Below this a picture tells less than lines."""
ACTIVE = "active"
STYLES = {"active": "green", "reducing": "yellow", "halted": "bold red"}
QUIET, TITLE, BAD, GOOD = "dim", "bold", "bold red", "green"
ERASE_RIGHT, ERASE_BELOW, LINE_UP = "\x1b[K", "\x1b[J", "\x1b[{}F"
CURSOR_HIDE, CURSOR_SHOW = "\x1b[?25l", "\x1b[?25h"

Cell = tuple[str, str]
"""Text and its style."""
Line = Sequence[Cell]


class View(Protocol):
    """Where a run shows itself."""

    every_s: float

    def decision(self, row: DecisionRow) -> None:
        """A decision fell."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """The present, every `every_s` seconds."""
        ...

    def close(self) -> None:
        """The run is over; leave the terminal as it was."""
        ...


class LiveView:
    """The picture. A frame is skipped while the terminal is paused, so that Ctrl-S does not stop the trading."""

    every_s = 1 / FRAMES_PER_S

    def __init__(self, console: Console, out: Out):
        self.colours = console.color_system is not None and not console.no_color
        self.out = out
        self.out.write(CURSOR_HIDE)
        self._height = 0

    def decision(self, row: DecisionRow) -> None:
        """Decisions stand in the snapshot."""

    def show(self, snapshot: Snapshot) -> None:
        """Draw the present over the past."""
        self.out.pump()
        if not self.out.idle:
            return
        width, height = self.out.size
        lines = frame(snapshot, height - 1)  # the cursor rests on a line of its own
        up = LINE_UP.format(self._height) if self._height else ""
        picture = "".join(f"{painted(line, width, self.colours)}{ERASE_RIGHT}\n" for line in lines)
        self.out.write(f"{up}{picture}{ERASE_BELOW}")
        self.out.pump()
        self._height = len(lines)

    def close(self) -> None:
        """Leave the last picture standing."""
        self.out.write(CURSOR_SHOW)
        self.out.close()


class PlainView:
    """Lines: each decision, and how it stands every now and then."""

    every_s = float(STATUS_EVERY_S)

    def __init__(self, out: Out):
        self.out = out

    def decision(self, row: DecisionRow) -> None:
        """A line."""
        self.out.line(decision_text(row))

    def show(self, snapshot: Snapshot) -> None:
        """A line."""
        self.out.line(status_line(snapshot))
        self.out.pump()

    def close(self) -> None:
        """Say the rest."""
        self.out.close()


def open_view(stream: TextIO, plain: bool, virtual: bool) -> View:
    """The picture on a terminal that has room for it, unless lines were asked for.

    In virtual time nothing waits for us, so no line is ever skipped there.
    """
    console, out = Console(file=stream), Out(stream, patient=False)
    width, height = out.size
    able = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
    if plain or not able or width < WIDTH_MIN or height < HEIGHT_MIN:
        return PlainView(Out(stream, patient=virtual))
    return LiveView(console, out)


def decision_text(row: DecisionRow) -> str:
    """A decision in a line."""
    where = " ".join(filter(None, (row.engine, row.symbol)))
    return f"{minute_of(row.at_ns)}  {where:<16} {row.event:<10} {row.text}"


def freshness(row: EngineRow) -> str:
    """How many of an engine's symbols have fresh data."""
    return f"fresh {row.symbols_fresh}/{row.symbols}{learning(row.symbols_unlearnt)}"


def status_line(snapshot: Snapshot) -> str:
    """How it stands, in a line."""
    run = snapshot.status
    engines = "  ".join(
        f"{row.engine} {row.trading} pnl {signed(row.pnl_minor)} {freshness(row)}" for row in snapshot.engines
    )
    restarts = sum(row.restarts for row in snapshot.actors)
    parts = (
        *(minute_of(run.at_ns), "ok" if run.healthy else f"NOT OK ({run.reason})", engines),
        f"positions {len(snapshot.positions)} orders {len(snapshot.orders)}",
        f"books {run.books:,} decisions {run.decisions:,} restarts {restarts}",
    )
    return "  ".join(filter(None, parts))


def frame(snapshot: Snapshot, height: int) -> list[Line]:
    """The picture, line by line, at most as high as asked."""
    lines = [header(snapshot), *(engine_line(row) for row in snapshot.engines)]
    sections = (
        section("positions", POSITION_HEADS, map(position_cells, snapshot.positions), "flat"),
        section("orders", ORDER_HEADS, map(order_cells, snapshot.orders), "none"),
        section("actors", ACTOR_HEADS, map(actor_cells, by_concern(snapshot.actors)), "none", gap=1),
        section("last decisions", (), map(decision_cells, reversed(snapshot.decisions)), "none yet"),
    )
    rooms = allot(height - len(lines), [len(rows) for rows in sections])
    for rows, room in zip(sections, rooms, strict=True):
        lines += shortened(rows, room)
    return lines[:height]


def painted(line: Line, width: int, colours: bool) -> str:
    """A line in colour, cut to the terminal's width."""
    parts, room = [], width
    for text, style in line:
        if len(text) > room:
            text = text[: max(0, room - 1)] + "…" * (room > 0)
        room -= len(text)
        on, off = codes_of(style) if colours and text else ("", "")
        parts.append(f"{on}{text}{off}")
    return "".join(parts)


@cache
def codes_of(style: str) -> tuple[str, str]:
    """What turns a style on and off again."""
    on, _, off = Style.parse(style).render("|", color_system=ColorSystem.STANDARD).partition("|")
    return on, off


def allot(room: int, wanted: Sequence[int]) -> list[int]:
    """Room for each section: the small ones get what they want, the large ones share the rest alike."""
    given = [0] * len(wanted)
    while room > 0 and (hungry := [at for at, want in enumerate(wanted) if given[at] < want]):
        for at in hungry[:room]:
            given[at] += 1
        room -= len(hungry[:room])
    return given


def shortened(rows: list[Line], room: int) -> list[Line]:
    """A section cut to its room; its title says how many rows are missing."""
    if len(rows) <= room or not room:
        return rows[:room]
    (title, style), *heads = rows[0]
    more = f"{title.rstrip()} (+{len(rows) - room})"
    return [[(more.ljust(len(title)), style), *heads], *rows[1:room]]


def by_concern(actors: Sequence[ActorRow]) -> list[ActorRow]:
    """Those that need a look first; the rest in the order of the graph."""
    return sorted(actors, key=lambda row: (row.healthy, -row.restarts, -row.waiting))


def section(title: str, heads: Sequence[str], rows: Iterable[Line], empty: str, gap: int = 2) -> list[Line]:
    """A title with column heads, then the rows under them; the first column to the left, the rest to the right."""
    cells = list(rows)
    if not cells:
        return [[(title, TITLE), (f"  {empty}", QUIET)]]
    if not heads:
        return [[(title, TITLE)], *map(spaced, cells)]
    head: Line = [(title, TITLE), *((name, QUIET) for name in heads)]
    widths = [max(len(row[at][0]) for row in (head, *cells)) for at in range(len(head))]
    return [aligned(row, widths, gap) for row in (head, *cells)]


def aligned(row: Line, widths: Sequence[int], gap: int) -> Line:
    """Cells padded to their columns."""
    padded = [(text.rjust(width + gap), style) for (text, style), width in zip(row, widths, strict=True)]
    return [(row[0][0].ljust(widths[0]), row[0][1]), *padded[1:]]


def spaced(row: Line) -> Line:
    """Cells that are not empty, with two blanks between them."""
    return [(f"{text}  ", style) for text, style in row if text]


def header(snapshot: Snapshot) -> Line:
    """The run in a line."""
    run = snapshot.status
    return spaced(
        (
            (f"obid {run.mode}", TITLE),
            (f"{minute_of(run.at_ns)} UTC", ""),
            ("ok", GOOD) if run.healthy else (f"NOT OK {run.reason}", BAD),
            (f"{'virtual' if run.virtual else 'wall'} x{run.speed}", QUIET),
            (f"up {ago(run.at_ns - run.started_ns)}", QUIET),
            (f"seed {run.seed}", QUIET),
            (run.digest[:19], QUIET),  # sha256: and twelve digits: enough to see that two runs part
        )
    )


def engine_line(row: EngineRow) -> Line:
    """An engine in a line."""
    stale = row.symbols_fresh < row.symbols
    return spaced(
        (
            (f"{row.engine:<8}", TITLE),
            (f"{row.trading:<8}", STYLES.get(row.trading, BAD)),
            (row.reason if row.trading != ACTIVE else "", ""),
            ("" if row.reconciled else "not reconciled", "yellow"),
            (freshness(row), "yellow" if stale else QUIET),
            (f"equity {dollars(row.equity_minor)}", ""),
            (f"pnl {signed(row.pnl_minor)}", tint(row.pnl_minor)),
            (f"fees {dollars(row.fees_minor)}", QUIET),
            (f"fund {signed(row.funding_minor)}", QUIET),
        )
    )


POSITION_HEADS = ("size", "entry", "mark", "unrealised", "realised", "held since")
ORDER_HEADS = ("side", "purpose", "state", "filled", "size", "price", "order")
ACTOR_HEADS = ("wait", "age ms", "heard", "conflated", "high", "restarts", "")


def position_cells(row: PositionRow) -> Line:
    """A position's columns."""
    return (
        (f" {row.engine} {row.symbol}", ""),
        (f"{row.size:f}", ""),
        (f"{row.entry:f}", ""),
        ("-" if row.mark is None else f"{row.mark:f}", ""),
        (signed(row.unrealised_minor), tint(row.unrealised_minor)),
        (signed(row.realised_minor), tint(row.realised_minor)),
        (minute_of(row.opened_ns)[5:], QUIET),
    )


def order_cells(row: OrderRow) -> Line:
    """An order's columns."""
    return (
        (f" {row.engine} {row.symbol}", ""),
        (row.side, ""),
        (row.purpose, ""),
        (row.state, "yellow" if row.state == "unknown" else ""),
        (f"{row.size_filled:f}", ""),
        (f"{row.size:f}", ""),
        (f"{row.price:f}", ""),
        (row.order_id[:10], QUIET),
    )


def actor_cells(row: ActorRow) -> Line:
    """An actor's columns."""
    return (
        (f" {row.name}", "" if row.healthy else BAD),
        (f"{row.waiting}", "yellow" if row.waiting else QUIET),
        (f"{row.age_ms:.0f}", QUIET),
        (f"{row.heard}", ""),
        (f"{row.conflated}", QUIET),
        (f"{row.high_water}", QUIET),
        (f"{row.restarts}", "yellow" if row.restarts else QUIET),
        ("" if row.healthy and row.state == "running" else row.state, BAD),
    )


def decision_cells(row: DecisionRow) -> Line:
    """A decision's parts."""
    return (
        (f" {minute_of(row.at_ns)[11:]}", QUIET),
        (" ".join(filter(None, (row.engine, row.symbol))), ""),
        (row.event, "yellow" if row.event == "refused" else "cyan"),
        (row.text, ""),
    )


def signed(minor: int) -> str:
    """Dollars with their sign."""
    return f"{'+' if minor > 0 else ''}{dollars(minor)}"


def tint(minor: int) -> str:
    """Green for a gain, red for a loss."""
    return "green" if minor > 0 else "red" if minor < 0 else QUIET
