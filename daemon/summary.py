"""The end of a run: what it heard, decided, did and earned, and the digest that says whether it did so again."""

import msgspec
from msgspec import Struct

from config.profile import SHADOW
from daemon.snapshot import EngineRow
from daemon.tables import dollars, table
from daemon.times import ago, minute_of

SYMBOLS_SHOWN_MAX = 8
"""Up to so many symbols are counted one by one."""


class Summary(Struct, frozen=True, kw_only=True):
    """A finished run in numbers."""

    mode: str
    engines: tuple[EngineRow, ...]
    seed: int
    started_ns: int
    ended_ns: int  # on the run's own clock
    reason: str  # why it ended: time is up, end of data, SIGTERM, gave up ...
    books: int
    books_by_symbol: dict[str, int]
    bars: int
    intents: int
    approved: int
    refused: dict[str, int]  # by rule
    orders: int
    fills: int  # of the venue's that were booked
    fills_told: int  # by the venue, those among them that it told again
    adopted: int  # differences from the venue that were taken over
    positions: int  # still open
    restarts: dict[str, int]  # by actor, those that had any
    conflated: dict[str, int]  # by mailbox: books replaced by newer ones before they were read
    dropped: dict[str, int]  # by mailbox, and by what else may drop; nothing that decides ever does
    checked: dict[str, int]  # invariants, and how often each was looked at
    broken: dict[str, str]  # those that did not hold, and what was wrong first
    digest: str


def summary_text(summary: Summary) -> str:
    """The summary as a person reads it; its last line is the digest."""
    refused = sum(summary.refused.values())
    length = ago(summary.ended_ns - summary.started_ns)
    lines = [
        f"{summary.mode}, seed {summary.seed}: {minute_of(summary.started_ns)} to {minute_of(summary.ended_ns)} UTC "
        f"({length}), ended by {summary.reason}",
        "",
        f"books heard  {summary.books:,}{by(summary.books_by_symbol) if few(summary.books_by_symbol) else ''}",
        f"bars         {summary.bars:,}",
        f"intents      {summary.intents:,}",
        f"approved     {summary.approved:,}",
        f"refused      {refused:,}{by(summary.refused)}",
        f"orders       {summary.orders:,}",
        f"fills        {summary.fills:,} booked, {summary.fills_told:,} told",
        f"adopted      {summary.adopted:,}",
        f"positions    {summary.positions:,} open",
        f"restarts     {sum(summary.restarts.values()):,}{by(summary.restarts)}",
        f"conflated    {sum(summary.conflated.values()):,}{by(summary.conflated)}",
        f"dropped      {sum(summary.dropped.values()):,}{by(summary.dropped)}",
        f"invariants   {len(summary.checked)} checked {sum(summary.checked.values()):,} times",
        *(f"  BROKEN     {name}: {what}" for name, what in summary.broken.items()),
        "",
        pnl_text(summary.engines),
        "",
        f"digest {summary.digest}",
    ]
    return "\n".join(lines)


def summary_json(summary: Summary) -> str:
    """The summary as one line of JSON and, for who looks for it there, the digest as the last line."""
    return f"{msgspec.json.encode(summary).decode()}\ndigest {summary.digest}"


def few(counts: dict[str, int]) -> bool:
    """Whether they fit in a line."""
    return 0 < len(counts) <= SYMBOLS_SHOWN_MAX


def by(counts: dict[str, int]) -> str:
    """Counts by name, the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"  ({', '.join(f'{name} {count:,}' for name, count in ordered)})" if ordered else ""


def pnl_text(engines: tuple[EngineRow, ...]) -> str:
    """PnL by ledger, an engine a row, in dollars."""
    heads = "dollars realised_pnl funding_pnl fees unrealised pnl cash equity"
    columns = ("realised_minor", "funding_minor", "fees_minor", "unrealised_minor", "pnl_minor", "cash_minor")
    rows = [(row.engine, *(getattr(row, name) for name in (*columns, "equity_minor"))) for row in engines]
    summed = [row for row in rows if not str(row[0]).endswith(SHADOW)] or rows  # simulated dollars add up to nothing
    total = ("all", *(sum(column) for column in zip(*(row[1:] for row in summed), strict=True)))
    shown = [*rows, total] if len(rows) > 1 else rows
    return table(heads, [(row[0], *(dollars(int(cell)) for cell in row[1:])) for row in shown], "no engines")
