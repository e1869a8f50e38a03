"""The head of the picture: is it trading, is it healthy, what does it hold, what is wrong and since when.

Pure: what is known in, lines of styled cells out (as daemon.view has them). Nothing is told by colour alone.
"""

from collections.abc import Iterator, Sequence

from daemon.snapshot import CalendarRow, EngineLook, EngineRow, HeadroomRow, Snapshot, TroubleRow
from daemon.tables import dollars, learning
from daemon.times import NS_PER_S, minute_of
from daemon.top.known import Known, Scope, held
from daemon.view import BAD, GOOD, QUIET, TITLE, Cell, Line, section, signed, tint

WARN, LOUD, FINE = "yellow", "bold red reverse", "bold green reverse"
NEAR = 0.8
"""From this share of a bound on it is marked: time enough to look before it shuts."""

STALE_S = 5
"""An answer older than this is no longer the present: five were missed."""

DATE = slice(0, 10)
HEADROOM = (("day loss", "daily_loss"), ("drawdown", "drawdown"), ("net", "net_cap"), ("orders", "order_rate"))
"""Columns of an engine: head and rule. Sectors stand in the pane of risk."""


def head(known: Known, scope: Scope, now_ns: int) -> list[Line]:
    """The first two lines."""
    snapshot = known.snapshot
    if snapshot is None:
        return [_silence(known, now_ns), _said(known)]
    if known.silent is not None or now_ns - known.heard_ns > STALE_S * NS_PER_S:
        return [_silence(known, now_ns), *([_said(known)] if known.silent else []), _run(known, snapshot, scope)]
    troubles = snapshot.troubles or ()
    word, style = state_of(snapshot)
    rows = held(snapshot, Scope())
    worth = sum(abs(row.notional_minor) for row in rows)
    today = today_of(snapshot)
    first: Line = [
        (f" {word} ", style),
        ("  ", ""),
        ("all well", GOOD) if not troubles else (f"{len(troubles)} WRONG", BAD),
        ("  today ", ""),
        ("-", QUIET) if today is None else (signed(today), tint(today)),
        (f"  holds {len(rows)}: {dollars(worth)} USD" if rows else "  flat", ""),
        (f"  rest {len(snapshot.orders)}", ""),
        (f"  {clock_of(snapshot.status.at_ns)}Z", QUIET),
    ]
    return [first, _run(known, snapshot, scope)]


def _run(known: Known, snapshot: Snapshot, scope: Scope) -> Line:
    """Which run this is; what filter stands before it."""
    run = snapshot.status
    if known.mismatch:
        return [(f" {known.mismatch}", WARN)]
    cells: list[Cell] = [(f" filter {scope.text} (Esc clears)", WARN)] if scope.text else []
    cells += [
        (f" obid {run.mode}", TITLE),
        (f"  up {span(run.at_ns - run.started_ns)}", QUIET),
        (f"  lag {run.lag_ms:.1f} ms", QUIET),
        (f"  run {run.run_id}", QUIET),
        ("" if run.virtual or run.speed == "1" else f"  x{run.speed}", QUIET),
        (f"  {minute_of(run.at_ns)[DATE]}", QUIET),
        (f"  {run.deadman}" if run.deadman else "", QUIET),
    ]
    return cells


def _silence(known: Known, now_ns: int) -> Line:
    """That there is no present to show."""
    since_ns, silent = known.silent_since_ns, known.silent
    if silent is None and known.snapshot is None:
        return [(" ASKING ", LOUD), ("  no answer yet", "")]
    word = "NO ANSWER" if silent is None or silent.running else "NOT RUNNING"
    since_ns = since_ns or known.heard_ns
    when = f"  since {minute_of(since_ns)}Z ({span(now_ns - since_ns)})" if since_ns else ""
    shown = f"; shown is {clock_of(known.snapshot.status.at_ns)}Z" if known.snapshot else ""
    return [(f" {word} ", LOUD), (when, BAD), (shown, "")]


def _said(known: Known) -> Line:
    silent = known.silent
    if silent is None:
        return [(" a daemon that is up answers within a second", QUIET)]
    what = silent.why if silent.running else silent.last_words or silent.why
    return [(f" {what}", ""), ("; tried again each second" if not silent.running else "", QUIET)]


def state_of(snapshot: Snapshot) -> Cell:
    """Whether it trades, in a word or two; the strictest word of any engine, and whose, where they differ."""
    words = {row.engine: _word(row, snapshot) for row in snapshot.engines}
    order = ("HALTED", "REDUCING", "NO ENTRIES", "SHUT", "TRADING")
    worst = min(words.values(), key=order.index, default="NO ENGINES")
    whose = [engine for engine, word in words.items() if word == worst]
    text = worst if len(whose) == len(words) else f"{worst} {'+'.join(whose)}"
    if worst == "SHUT" and len(whose) < len(words):  # the others trade: a market that is shut is nothing wrong
        text = f"TRADING, {'+'.join(whose)} shut"
    return text, FINE if worst in ("TRADING", "SHUT") else LOUD


def _word(row: EngineRow, snapshot: Snapshot) -> str:
    look = look_at(snapshot, row.engine)
    calendar = snapshot.look.calendar if snapshot.look else None
    if row.trading != "active":
        return row.trading.upper()
    if look is not None and not look.session_open:
        return "SHUT"
    if not row.reconciled or not row.symbols_fresh or (calendar is not None and calendar.shut):
        return "NO ENTRIES"
    return "NO ENTRIES" if look is not None and look.unwatched else "TRADING"


def look_at(snapshot: Snapshot, engine: str) -> EngineLook | None:
    """What an engine's guards know."""
    looks = snapshot.look.engines if snapshot.look else ()
    return next((one for one in looks if one.engine == engine), None)


def today_of(snapshot: Snapshot) -> int | None:
    """What the account day has brought; engines on one account have one day, so it is counted once."""
    accounts: dict[str, int] = {}
    for row in snapshot.engines:
        look = look_at(snapshot, row.engine)
        if look is not None and look.today_minor is not None:
            accounts[look.account or row.engine] = look.today_minor
    return sum(accounts.values()) if accounts else None


def trouble_lines(troubles: Sequence[TroubleRow], at_ns: int) -> Iterator[Line]:
    """What is wrong, since when, worst first."""
    for row in troubles:
        since = f"{stamp(row.since_ns, at_ns)} ({span(at_ns - row.since_ns)})" if row.since_ns else "since the start"
        if row.what == "lag":
            since = "just now"
        whose = f" {row.engine}" if row.engine else ""
        yield [(" ! ", BAD), (f"{row.what}{whose} ", BAD), (f"{since} ", WARN), (row.text, "")]


def engine_lines(snapshot: Snapshot, scope: Scope) -> list[Line]:
    """A row for each engine: state, money, how much of each bound is used, feeds."""
    rows = [row for row in snapshot.engines if scope.fits(row.engine, scope.symbol)]
    names = ("state", "equity", "today", *(name for name, _ in HEADROOM), "feeds")
    cells = (_engine(row, snapshot) for row in rows)
    return section(" engine", names, cells, "none", gap=1)


def _engine(row: EngineRow, snapshot: Snapshot) -> Line:
    look = look_at(snapshot, row.engine)
    word = _word(row, snapshot).lower()
    today = look.today_minor if look else None
    stale = row.symbols_fresh + row.symbols_unlearnt < row.symbols and word != "shut"
    room = {one.rule: one for one in snapshot.look.headroom if one.engine == row.engine} if snapshot.look else {}
    return (
        (f" {row.engine}", ""),
        (word, GOOD if word in ("trading", "shut") else BAD),
        (dollars(row.equity_minor), ""),
        ("-", QUIET) if today is None else (signed(today), tint(today)),
        *(used_cell(room.get(rule)) for _, rule in HEADROOM),
        (f"{row.symbols_fresh}/{row.symbols}{learning(row.symbols_unlearnt)}{'!' if stale else ''}", WARN * stale),
    )


def used_cell(row: HeadroomRow | None) -> Cell:
    """How much of a bound is used; marked where little is left."""
    if row is None:
        return "-", QUIET
    near = row.used >= NEAR
    return f"{row.used:.0%}{'!' if near else ''}", BAD if near else ""


def calendar_line(snapshot: Snapshot) -> Line:
    """The countdown: what shuts entries now or next, and the sessions."""
    at_ns, look = snapshot.status.at_ns, snapshot.look
    cells: list[Cell] = []
    if look is None or look.calendar is None:
        cells.append((" calendar unknown", QUIET))
    else:
        cells += _calendar(look.calendar, at_ns)
    for one in look.engines if look else ():
        if one.session_ns:
            turn = "closes" if one.session_open else "opens"
            cells.append((f"  {one.engine} {turn} in {span(one.session_ns - at_ns)}", ""))
    return cells


def _calendar(row: CalendarRow, at_ns: int) -> Iterator[Cell]:
    if row.shut:
        until = f" for {span(row.until_ns - at_ns)}" if row.until_ns else ""
        yield f" ENTRIES SHUT{until}: {row.event}", BAD
    if row.next_ns:
        yield f" next {row.next_event} in {span(row.next_ns - at_ns)}", ""
        yield f" ({minute_of(row.next_ns)[5:16]}Z)", QUIET
    elif not row.shut:
        yield " no release known", QUIET


def clock_of(at_ns: int) -> str:
    """The time of the day."""
    return minute_of(at_ns)[11:]


def stamp(at_ns: int, now_ns: int) -> str:
    """The time of the day, with the date where that is another."""
    then, now = minute_of(at_ns), minute_of(now_ns)
    return then[11:] if then[DATE] == now[DATE] else then[5:16]


def span(length_ns: int) -> str:
    """A length of time, short: 7s, 12m, 3h 4m, 2d 5h."""
    seconds = max(0, length_ns) // NS_PER_S
    if seconds < 60:
        return f"{seconds}s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 10:
        return f"{minutes}m {seconds}s"
    if minutes < 60:
        return f"{minutes}m"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m" if hours < 24 else f"{hours // 24}d {hours % 24}h"
