"""Round trips: whatever the sizes of their fills, together they are the account."""

from hypothesis import given
from hypothesis import strategies as st

from daemon.report.booked import Cash, Filled
from daemon.report.trips import Trip, round_trips
from risk.money import notional_minor
from risk.position import Position, apply_fill
from tests.risk.given import BTC, SOL, fill
from venues.market import Instrument, Side

Step = tuple[int, int, int]  # signed lots, ticks, fee


def filled(instrument: Instrument, steps: list[Step], dust_lots: float = 0.0) -> list[Filled]:
    """Fills as the ledger would have booked them, a second apart."""
    position, made = Position(), []
    for number, (lots, ticks, fee) in enumerate(steps, 1):
        at_ns = number * 1_000_000_000
        after, realised = apply_fill(position, fill(instrument, lots, ticks, at_ns=at_ns), instrument, dust_lots)
        one = Filled(
            engine=instrument.engine,
            symbol=instrument.symbol,
            id=f"f{number}",
            order_id=f"o{number}",
            intent_id=f"i{number}",
            entry=False,
            lots=lots,
            paid_minor=notional_minor(instrument, ticks, lots),
            fee_minor=fee,
            realised_minor=realised,
            venue_minor=None,
            maker=None,
            before=position,
            after=after,
            at_ns=at_ns,
            run=1,
        )
        made.append(one)
        position = after
    return made


def short(trip: Trip) -> tuple[Side, int, int, int, int]:
    return trip.side, trip.entry_lots, trip.exit_lots, trip.realised_minor, trip.fees_minor


def test_unequal_quantities_are_one_trip():
    """Two buys, three sells, no two of one size: paired row by row, this was a phantom profit (live failure 20)."""
    steps = [(38, 1_000_000, 3), (20, 1_010_000, 2), (-5, 1_020_000, 1), (-50, 1_020_000, 5), (-3, 990_000, 1)]
    (trip,) = round_trips(filled(SOL, steps))
    cost = notional_minor(SOL, 1_000_000, 38) + notional_minor(SOL, 1_010_000, 20)
    got = notional_minor(SOL, 1_020_000, 55) + notional_minor(SOL, 990_000, 3)
    assert short(trip) == (Side.BUY, 58, 58, got - cost, 12)
    assert trip.pnl_minor == got - cost - 12
    assert (trip.opened_ns, trip.closed_ns) == (1_000_000_000, 5_000_000_000)
    assert (trip.entry_intents, trip.exit_intents) == (["i1", "i2"], ["i3", "i4", "i5"])


def test_a_fill_that_turns_a_position_ends_one_trip_and_begins_the_next():
    """SOL 0.38 and 0.20 bought, 5.27 sold through zero: the fee is shared by size."""
    first, second = round_trips(filled(SOL, [(38, 100, 0), (20, 100, 0), (-527, 110, 527)]))
    assert short(first) == (Side.BUY, 58, 58, notional_minor(SOL, 110, 58) - notional_minor(SOL, 100, 58), 58)
    assert (second.side, second.entry_lots, second.exit_lots, second.fees_minor) == (Side.SELL, 469, 0, 469)
    assert second.closed_ns == 0, "it is still open"


def test_dust_that_counts_as_nothing_ends_a_trip():
    (trip, *more) = round_trips(filled(SOL, [(100, 100, 0), (-99, 101, 0)], dust_lots=1.5))
    assert trip.closed_ns
    assert (trip.entry_lots, trip.exit_lots, more) == (100, 99, [])


def test_funding_belongs_to_the_trip_that_was_open():
    opened, closed = filled(BTC, [(10, 500_000, 0), (-10, 500_000, 0)])
    paid = Cash(engine="perps", symbol="BTC", id="1", amount_minor=-7, at_ns=1, run=1)
    other = Cash(engine="perps", symbol="SOL", id="2", amount_minor=-9, at_ns=1, run=1)
    (trip,) = round_trips([paid, opened, paid, other, closed, paid])
    assert (trip.funding_minor, trip.pnl_minor) == (-7, -7)


def test_a_fee_taken_in_coins_is_nobodys_wish():
    opened, closed = filled(BTC, [(10, 500_000, 0), (-10, 500_000, 0)])
    fee = Filled(
        **{name: getattr(closed, name) for name in closed.__struct_fields__} | {"id": "x:fee", "intent_id": ""}
    )
    (trip,) = round_trips([opened, fee])
    assert trip.exit_intents == []


STEPS = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 200_000), st.integers(-50, 500)),
    min_size=1,
    max_size=40,
)


@given(STEPS, st.sampled_from([0.0, 1.5]))
def test_all_trips_together_are_the_account(steps: list[Step], dust_lots: float):
    fills = filled(SOL, steps, dust_lots)
    trips = round_trips(fills)
    assert sum(trip.realised_minor for trip in trips) == sum(one.realised_minor for one in fills)
    assert sum(trip.fees_minor for trip in trips) == sum(one.fee_minor for one in fills)
    assert sum(trip.entry_lots + trip.exit_lots for trip in trips) == sum(abs(one.lots) for one in fills)
    if not dust_lots:
        assert all(trip.entry_lots == trip.exit_lots for trip in trips if trip.closed_ns)
        left = sum(trip.side.sign * (trip.entry_lots - trip.exit_lots) for trip in trips if not trip.closed_ns)
        assert left == fills[-1].after.lots
