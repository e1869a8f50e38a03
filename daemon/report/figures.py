"""The figures of a report: what was earned and how, what was halted, what is held."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from daemon.report.booked import Booked, Filled, Reading
from daemon.report.execution import executions, wants
from daemon.report.rows import EquityRow, HaltRow, HeldRow, PnlRow, ReasonRow, RefusalRow, Report, TripRow
from daemon.report.shares import share
from daemon.report.told import UNKNOWN, Told
from daemon.report.trips import Trip, round_trips
from daemon.report.window import Window
from risk.intent import Trading
from risk.ledger.books import DEPOSIT, OPENING, Books

BY_HAND = "by hand"
"""The reason of what no intent of ours wanted: somebody traded at the venue, or a drift was booked."""


def report(story: Booked, told: Told, window: Window) -> Report:
    """Work the figures out."""
    books, holds = story.mind.books, window.holds
    booked = [event for event in story.booked if holds(event.at_ns, event.run)]
    trips = [trip for trip in round_trips(story.booked) if trip.closed_ns and holds(trip.closed_ns, trip.run)]
    fills = [event for event in booked if isinstance(event, Filled)]
    return Report(
        title=window.title,
        from_ns=window.from_ns,
        until_ns=window.until_ns,
        log_from_ns=told.first_ns,
        equity=tuple(_equity(story, window)),
        engines=tuple(_pnl(booked, lambda event: (event.engine, ""))),
        symbols=tuple(_pnl(booked, lambda event: (event.engine, event.symbol))),
        reasons=tuple(_reasons(trips, told)),
        executions=tuple(executions(fills, told, books)),
        wants=tuple(wants(story, window)),
        refusals=tuple(
            RefusalRow(engine=engine, rule=rule, said=said)
            for (engine, rule), said in sorted(told.refusals.items(), key=lambda item: (-item[1], item[0]))
        ),
        halts=tuple(_halts(story, window)),
        macro=tuple(told.macro),
        incidents=tuple(told.incidents.values()),
        stale=dict(sorted(told.stale.items())),
        trips=tuple(_trip(trip, told, books) for trip in trips),
        held=tuple(_held(books)),
    )


def _pnl(events: Sequence[Any], place: Callable[[Any], tuple[str, str]]) -> Iterable[PnlRow]:
    for engine, symbol in sorted({place(event) for event in events}):
        mine = [event for event in events if place(event) == (engine, symbol)]
        fills = [event for event in mine if isinstance(event, Filled)]
        funding = sum(event.amount_minor for event in mine if not isinstance(event, Filled))
        realised, fees = sum(fill.realised_minor for fill in fills), sum(fill.fee_minor for fill in fills)
        trades = [fill for fill in fills if not fill.is_coin_fee]
        counted = [fill for fill in fills if fill.venue_minor is not None]
        venues = sum(fill.venue_minor or 0 for fill in counted)
        yield PnlRow(
            engine=engine,
            symbol=symbol,
            fills=len(trades),
            traded_minor=sum(abs(fill.paid_minor) for fill in trades),
            realised_minor=realised,
            fees_minor=fees,
            funding_minor=funding,
            pnl_minor=realised - fees + funding,
            venues_minor=venues if counted else None,
            apart_minor=sum(fill.realised_minor for fill in counted) - venues if counted else None,
        )


def reason_of(intents: Sequence[str], told: Told) -> str:
    """Why a trip was entered or left: the reasons of its intents, in their order."""
    named = [_why(intent, told) for intent in intents]
    return ", ".join(dict.fromkeys(named)) or UNKNOWN


def _why(intent: str, told: Told) -> str:
    if not intent:
        return BY_HAND
    wanted = told.intents.get(intent)
    return wanted.reason if wanted else UNKNOWN


def _reasons(trips: Sequence[Trip], told: Told) -> Iterable[ReasonRow]:
    groups: dict[tuple[str, str], list[Trip]] = {}
    for trip in trips:
        groups.setdefault((trip.engine, reason_of(trip.exit_intents, told)), []).append(trip)
    for (engine, reason), group in sorted(groups.items()):
        profits = [trip.pnl_minor for trip in group]
        yield ReasonRow(
            engine=engine,
            left_by=reason,
            trips=len(group),
            won_share=share(sum(profit > 0 for profit in profits), len(group)),
            pnl_minor=sum(profits),
            average_minor=round(Decimal(sum(profits)) / len(group)),
            best_minor=max(profits),
            worst_minor=min(profits),
            held_s=share(sum(trip.held_s for trip in group), len(group), digits="0.1"),
        )


def _halts(story: Booked, window: Window) -> Iterable[HaltRow]:
    """Latches that held in the window, or in a part of it."""
    last: dict[str, tuple[HaltRow, int]] = {}  # and the run in which it began
    for latched in story.latches:
        state, before = latched.state, last.pop(latched.state.engine, None)
        if before is not None and window.meets((before[0].from_ns, before[1]), (state.at_ns, latched.run)):
            yield replace(before[0], until_ns=state.at_ns)
        if state.state is not Trading.ACTIVE:
            row = HaltRow(
                engine=state.engine or "all",
                state=state.state.value,
                by=state.by,
                reason=state.reason,
                from_ns=state.at_ns,
                until_ns=0,
            )
            last[state.engine] = row, latched.run
    yield from (row for row, run in last.values() if window.meets((row.from_ns, run), None))


def _equity(story: Booked, window: Window) -> Iterable[EquityRow]:
    accounts: dict[tuple[str, ...], list[Reading]] = {}
    for reading in story.readings:
        if window.holds(reading.at_ns, reading.run):
            accounts.setdefault(reading.engines, []).append(reading)
    for engines, readings in accounts.items():
        values = [reading.equity_minor for reading in readings]
        high, drawdown, moved = values[0], Decimal(0), readings[0].moved_minor
        for reading in readings:  # what was paid in or taken out moves the high with it, as it does the breaker's
            high, moved = max(high + reading.moved_minor - moved, reading.equity_minor), reading.moved_minor
            drawdown = max(drawdown, Decimal(high - reading.equity_minor) / high if high > 0 else Decimal(0))
        moves = [
            cash.amount_minor
            for cash in story.moves
            if cash.engine in engines and f"{DEPOSIT}{cash.id}" != OPENING and window.holds(cash.at_ns, cash.run)
        ]
        yield EquityRow(
            account=" and ".join(engines),
            first_minor=values[0],
            last_minor=values[-1],
            low_minor=min(values),
            high_minor=max(values),
            drawdown_share=drawdown.quantize(Decimal("0.0001")),
            moved_minor=sum(moves),
            points=tuple((reading.at_ns, reading.equity_minor) for reading in readings),
        )


def _trip(trip: Trip, told: Told, books: Books) -> TripRow:
    instrument = books.instrument(trip.engine, trip.symbol)

    def price(minor: int, lots: int) -> Decimal:
        ticks = Decimal(minor) / lots / _decimal(instrument.minor_per_tick_lot) if lots else Decimal(0)
        return instrument.price(round(ticks))

    return TripRow(
        engine=trip.engine,
        symbol=trip.symbol,
        side=trip.side.value,
        opened_ns=trip.opened_ns,
        closed_ns=trip.closed_ns,
        held_s=trip.held_s.quantize(Decimal("0.1")),
        size=instrument.size(trip.exit_lots),
        entry_price=price(trip.entry_minor, trip.entry_lots),
        exit_price=price(trip.exit_minor, trip.exit_lots),
        realised_minor=trip.realised_minor,
        fees_minor=trip.fees_minor,
        funding_minor=trip.funding_minor,
        pnl_minor=trip.pnl_minor,
        fills=trip.fills,
        entered_by=reason_of(trip.entry_intents, told),
        left_by=reason_of(trip.exit_intents, told),
    )


def _decimal(ratio: Any) -> Decimal:
    return Decimal(ratio.numerator) / Decimal(ratio.denominator)


def _held(books: Books) -> Iterable[HeldRow]:
    for engine, positions in sorted(books.positions.items()):
        for symbol, position in sorted(positions.items()):
            if position.lots:
                instrument = books.instrument(engine, symbol)
                yield HeldRow(
                    engine=engine,
                    symbol=symbol,
                    size=instrument.size(position.lots),
                    entry_price=instrument.price(round(position.entry_ticks(instrument))),
                    cost_minor=position.cost_minor,
                    opened_ns=position.opened_ns,
                )
