"""The rows of a report, which JSON takes as they are; names end in their units, which says how to print them."""

from decimal import Decimal

from msgspec import Struct

from daemon.report.told import Incident, Shut


class PnlRow(Struct, frozen=True, kw_only=True):
    """What was booked in the window, of an engine or of one symbol of it."""

    engine: str
    symbol: str = ""
    fills: int
    traded_minor: int
    realised_minor: int
    fees_minor: int
    funding_minor: int
    pnl_minor: int  # realised less fees, with funding
    venues_minor: int | None = None  # realised by the venue's own count, of the fills that it told one of
    apart_minor: int | None = None  # and ours of the same fills, less that


class ReasonRow(Struct, frozen=True, kw_only=True):
    """Trips that ended in the window, by why they were left."""

    engine: str
    left_by: str
    trips: int
    won_share: Decimal
    pnl_minor: int
    average_minor: int
    best_minor: int
    worst_minor: int
    held_s: Decimal  # on average


class ExecutionRow(Struct, frozen=True, kw_only=True):
    """Fills by what they were for and who waited for whom. Slippage counts against us; below zero it is a gain."""

    engine: str
    purpose: str
    liquidity: str
    fills: int
    traded_minor: int
    fees_minor: int
    fee_bps: Decimal | None
    slippage_minor: int  # against the price that the decision was made at
    slippage_bps: Decimal | None
    measured_share: Decimal | None  # of what was traded: decisions that the log still tells


class WantRow(Struct, frozen=True, kw_only=True):
    """What was wanted and approved in the window, and what came of it."""

    engine: str
    purpose: str
    begun_as: str  # time in force of the first order
    intents: int
    orders: int  # with those that took the place of others
    whole: int
    partly: int
    unfilled: int
    filled_share: Decimal  # of lots, an intent counting one
    rejected: int  # by the venue


class RefusalRow(Struct, frozen=True, kw_only=True):
    """Refusals that the gate said; one that stands is said once, not once a bar."""

    engine: str
    rule: str
    said: int


class HaltRow(Struct, frozen=True, kw_only=True):
    """A time in which entries were shut by a latch."""

    engine: str
    state: str
    by: str
    reason: str
    from_ns: int
    until_ns: int  # 0: it still holds


class TripRow(Struct, frozen=True, kw_only=True):
    """One trip."""

    engine: str
    symbol: str
    side: str
    opened_ns: int
    closed_ns: int
    held_s: Decimal
    size: Decimal
    entry_price: Decimal
    exit_price: Decimal
    realised_minor: int
    fees_minor: int
    funding_minor: int
    pnl_minor: int
    fills: int
    entered_by: str
    left_by: str


class HeldRow(Struct, frozen=True, kw_only=True):
    """What is held by the newest record."""

    engine: str
    symbol: str
    size: Decimal
    entry_price: Decimal
    cost_minor: int
    opened_ns: int


class EquityRow(Struct, frozen=True, kw_only=True):
    """One account's equity at the market."""

    account: str
    first_minor: int
    last_minor: int
    low_minor: int
    high_minor: int
    drawdown_share: Decimal  # the most below a high before it
    moved_minor: int  # deposits less withdrawals: no profit
    points: tuple[tuple[int, int], ...]  # (time, minor)


class Report(Struct, frozen=True, kw_only=True):
    """All of it."""

    title: str
    from_ns: int
    until_ns: int
    log_from_ns: int  # 0: there is none
    equity: tuple[EquityRow, ...]
    engines: tuple[PnlRow, ...]
    symbols: tuple[PnlRow, ...]
    reasons: tuple[ReasonRow, ...]
    executions: tuple[ExecutionRow, ...]
    wants: tuple[WantRow, ...]
    refusals: tuple[RefusalRow, ...]
    halts: tuple[HaltRow, ...]
    macro: tuple[Shut, ...]
    incidents: tuple[Incident, ...]
    stale: dict[str, int]
    trips: tuple[TripRow, ...]
    held: tuple[HeldRow, ...]
