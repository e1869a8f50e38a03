"""Canonicalisation: good rows survive whatever stands beside them, bad ones are named, and nothing is lost unsaid."""

import json
import tracemalloc
from decimal import Decimal
from itertools import islice, pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venues.aleatoric.canonical_rows import NUMBERS, ROWS, START_MS, SYMBOLS, TIMES, dotted, put
from venues.aleatoric.canonical.events import BadRequest, BookEvent, TradeEvent, to_json, to_market
from venues.aleatoric.canonical.normalise import SOURCES, Normaliser, normalise, normalise_all
from venues.market import Book, Side, Trade

sources = pytest.mark.parametrize("source", SOURCES)
ROW_COUNT = 24


def rows_of(source, count=ROW_COUNT):
    return list(ROWS[source](count))


def told(source, rows, **options):
    return normalise_all(source, rows, SYMBOLS[source], **options)


def without_ids(events):
    return [msgspec.structs.replace(event, id=0) for event in events]


@sources
def test_good_rows_become_events_in_their_order_with_ids_from_one(source):
    canonical = told(source, rows_of(source))
    assert not canonical.bad and not canonical.unread
    assert [event.id for event in canonical.events] == list(range(1, ROW_COUNT + 1))
    assert [event.position for event in canonical.events] == list(range(ROW_COUNT))
    assert [type(event) for event in canonical.events] == [BookEvent, TradeEvent] * (ROW_COUNT // 2)
    for i, event in enumerate(canonical.events):
        assert event.at_ns == (START_MS + 100 * i) * 1_000_000
        assert (event.symbol, event.venue) == (SYMBOLS[source], source)
    assert {event.side for event in canonical.trades} == {Side.BUY, Side.SELL}


@sources
def test_json_dicts_and_wrapped_rows_say_the_same(source):
    rows = rows_of(source)
    plain = told(source, rows).events
    text = [json.dumps(row) for row in rows]
    for variant in (text, [t.encode() for t in text], [{"payload": row} for row in rows]):
        assert told(source, variant).events == plain
    for variant in ([{"payload": t} for t in text], [json.dumps({"payload": row}) for row in rows]):
        assert told(source, variant).events == plain


@sources
def test_a_wrapper_says_when_a_row_came_and_of_what_it_is(source):
    row = rows_of(source, 2)[1]
    wrapped = {"payload": row, "received_ns": 1_750_000_000_000_000_123, "symbol": SYMBOLS[source]}
    [event] = normalise_all(source, [wrapped]).events
    captured = (START_MS + 102) * 1_000_000  # what the synthetic row says itself is nearer to the truth
    assert event.received_ns == (captured if source == "synthetic" else 1_750_000_000_000_000_123)
    [bad] = normalise_all(source, [wrapped | {"received_ns": 1_750_000_000}]).bad
    assert (bad.field, bad.value) == ("received_ns", "1750000000") and "10 are seconds" in bad.reason


@sources
@settings(max_examples=30)
@given(data=st.data())
def test_bad_rows_are_named_and_all_others_survive_unchanged(source, data):
    rows = rows_of(source)
    clean = without_ids(told(source, rows).events)
    positions = data.draw(st.sets(st.integers(0, ROW_COUNT - 1), min_size=1, max_size=ROW_COUNT // 2))
    wrong = ["nan", "", "1_0", "Infinity", True, None, float("nan"), float("inf"), [], {}, -1, "-3.5", 1e300, "1e-30"]
    names = {}
    for position in sorted(positions):
        which = data.draw(st.sampled_from([NUMBERS, TIMES]))[source]
        value = data.draw(st.sampled_from(wrong))
        rows[position] = put(rows[position], which[position % 2], value)
        names[position] = dotted(which[position % 2]), "" if value is None else str(value)
    canonical = told(source, rows)
    assert {bad.position: (bad.field, bad.value) for bad in canonical.bad} == names
    assert len(canonical.bad) == len(names) and all(bad.reason for bad in canonical.bad)
    assert without_ids(canonical.events) == [event for event in clean if event.position not in names]
    assert [event.id for event in canonical.events] == list(range(1, len(canonical.events) + 1))


@sources
@pytest.mark.parametrize("garbage", [b"{", b"\xff", "", "\ud800", "[" * 100_000, "NaN", 7, None, "plain words", "[7]"])
def test_a_row_that_is_no_object_spoils_no_other(source, garbage):
    rows = rows_of(source)
    clean = told(source, rows).events
    canonical = told(source, [*rows[:9], garbage, *rows[9:]])
    assert [bad.position for bad in canonical.bad] == [9]
    moved = [msgspec.structs.replace(event, position=event.position + (event.position >= 9)) for event in clean]
    assert canonical.events == moved


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def paths(value, path=()):
    """Every place in a row."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in inside:
        yield [*path, step]
        yield from paths(each, [*path, step])


@sources
@settings(max_examples=60)
@given(data=st.data())
def test_whatever_is_put_into_rows_each_has_an_outcome_and_every_event_is_sound(source, data):
    rows = rows_of(source, 12)
    for _ in range(data.draw(st.integers(1, 4))):
        position = data.draw(st.integers(0, len(rows) - 1))
        value = data.draw(json_values)
        places = list(paths(rows[position]))
        path = data.draw(st.sampled_from([[], *places]))
        rows[position] = put(rows[position], path, value) if path else value
    outcomes = list(normalise(source, rows, data.draw(st.sampled_from([SYMBOLS[source], None]))))
    assert {outcome.position for outcome in outcomes} == set(range(len(rows)))
    events = [outcome for outcome in outcomes if isinstance(outcome, BookEvent | TradeEvent)]
    assert [event.id for event in events] == list(range(1, len(events) + 1))
    for event in events:
        for side, sign in ((event.bids, -1), (event.asks, 1)) if isinstance(event, BookEvent) else ():
            assert all(price > 0 and size > 0 for price, size in side)
            assert all((worse[0] - better[0]) * sign > 0 for better, worse in pairwise(side))
        if isinstance(event, BookEvent) and event.bids and event.asks:
            assert event.bids[0][0] < event.asks[0][0]
        if isinstance(event, TradeEvent):
            assert event.price > 0 and event.size > 0


@sources
def test_rows_fed_one_by_one_say_what_they_say_at_once(source):
    rows = rows_of(source)
    rows[5] = put(rows[5], TIMES[source][1], 10**12 * (10**6 if source in {"cme", "sgx"} else 1))
    rows[8] = put(rows[8], NUMBERS[source][0], -1)
    normaliser = Normaliser(source, SYMBOLS[source])
    outcomes = [outcome for row in rows for outcome in normaliser.feed(row)] + normaliser.finish()
    assert outcomes == list(normalise(source, iter(rows), SYMBOLS[source]))
    assert [o.position for o in outcomes] == list(range(len(rows)))


def test_rows_are_drawn_as_they_are_wanted():
    drawn = []

    def rows():
        for row in ROWS["synthetic"](1000):
            drawn.append(row)
            yield row

    assert len(list(islice(normalise("synthetic", rows()), 10))) == 10
    assert len(drawn) < 15


def test_memory_does_not_grow_with_the_rows():
    def peak(count):
        tracemalloc.start()
        assert sum(1 for _ in normalise("hyperliquid", ROWS["hyperliquid"](count))) == count
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest

    kept_trades = 4000 * 300  # bytes of the trade ids that are remembered
    assert peak(10_000) < peak(2_000) + kept_trades


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("kraken",), "source is 'kraken', it must be one of synthetic, hyperliquid, binance, cme, sgx"),
        (("binance", [], ""), "symbol is empty"),
        (("binance", [], "BTCUSDT", 0), "levels_max is 0"),
    ],
)
def test_a_wrong_request_is_refused_at_once(arguments, words):
    with pytest.raises(BadRequest, match=words):
        normalise(*(arguments if len(arguments) > 1 else (*arguments, [])))


@sources
def test_a_row_of_another_symbol_is_reported(source):
    row = {"synthetic": "symbol", "hyperliquid": "data[0].coin", "binance": "s", "cme": "Symbol", "sgx": "Symbol"}
    good = rows_of(source, 2)
    if source in {"cme", "sgx"}:
        good[1]["Symbol"] = "OTHER"
    canonical = normalise_all(source, good, "XYZ" if source not in {"cme", "sgx"} else SYMBOLS[source])
    bad = canonical.bad[-1]
    assert (bad.position, bad.field) == (1, row[source]) and "this run is of" in bad.reason


@pytest.mark.parametrize("source", ["synthetic", "hyperliquid", "binance"])
@pytest.mark.parametrize(("digits", "unit"), [(10, "seconds"), (16, "microseconds"), (19, "nanoseconds")])
def test_a_time_in_another_unit_is_refused_by_its_digits(source, digits, unit):
    rows = rows_of(source)
    rows[4] = put(rows[4], TIMES[source][0], int("1750000000400000000"[:digits]))
    [bad] = told(source, rows).bad
    assert bad.position == 4 and bad.reason == f"milliseconds since 1970 have 13 digits, {digits} are {unit}"


# --- order ----------------------------------------------------------------------------------------------------------


def at(row, seconds):
    return put(row, ["timestamp_ms"], START_MS + round(1000 * seconds)) | {"capture_time_ms": None}


def stamped(*seconds):
    """Books at these times."""
    books = [row for row in rows_of("synthetic", 2 * len(seconds)) if row["event_type"] == "book"]
    return told("synthetic", [at(row, second) for row, second in zip(books, seconds, strict=True)])


@pytest.mark.parametrize(
    ("seconds", "blamed"),
    [
        ((0, 1, 2, 1.5, 3), [3]),  # goes back
        ((0, 1, -500, 2, 3), [2]),
        ((0, 1, 5000, 2, 3, 4), [2]),  # a spike is alone to blame, not what follows it
        ((5000, 0, 1, 2), [0]),
        ((0, -5000, 1, 2), [1]),
        ((0, 1, 5000, 2), [2]),
        ((0, 1, 5000, 5001, 5002), []),  # a pause is none
        ((0, 5000), []),
        ((0, 5000, 3, 5001), [2]),
        ((0, 0, 0, 1), []),
        ((0, 1, 2, 5000), []),  # the last word has no witness against it
    ],
)
def test_stamps_that_go_back_are_reported_and_nothing_is_sorted(seconds, blamed):
    canonical = stamped(*seconds)
    assert [bad.position for bad in canonical.bad] == blamed
    assert all("out of time order" in bad.reason for bad in canonical.bad)
    assert [event.position for event in canonical.events] == [i for i in range(len(seconds)) if i not in blamed]


@settings(max_examples=60)
@given(data=st.data())
def test_of_stamps_that_leap_or_fall_far_the_damaged_ones_alone_are_blamed(data):
    count = data.draw(st.integers(4, 20))
    seconds = list(range(count))
    damaged = []
    place = data.draw(st.integers(0, 3))
    while place < count - 1:
        ahead = place == 0 or data.draw(st.booleans())  # a first row that is early is in order
        offset = data.draw(st.integers(100, 10**8))
        seconds[place] += offset if ahead else -offset
        damaged.append(place)
        place += data.draw(st.integers(3, 8))
    canonical = stamped(*seconds)
    assert [bad.position for bad in canonical.bad] == damaged
    assert [event.position for event in canonical.events] == [i for i in range(count) if i not in damaged]


def test_channels_are_not_held_to_each_others_time():
    book, trade = rows_of("synthetic", 2)
    canonical = told("synthetic", [at(book, 5), at(trade, 1), at(book, 6), at(trade | {"trade_id": "b"}, 2)])
    assert not canonical.bad and [event.position for event in canonical.events] == [0, 1, 2, 3]


def test_a_doubtful_row_holds_up_a_bounded_number_of_others():
    book, trade = rows_of("synthetic", 2)
    normaliser = Normaliser("synthetic")
    assert normaliser.feed(at(book, 0)) == []
    waited = 0
    while not (outcomes := normaliser.feed(at(trade | {"trade_id": str(waited)}, 1 + waited / 1000))):
        waited += 1
    assert waited < 300 and len(outcomes) == waited + 2


def test_what_is_said_twice_is_reported_once():
    book, trade = rows_of("synthetic", 2)
    canonical = told("synthetic", [book, book, trade, trade, at(book, 1), at(trade, 1)])
    assert [(bad.position, bad.reason) for bad in canonical.bad] == [
        (1, "a duplicate of row 0"),
        (3, "a duplicate of row 2"),
        (5, "a duplicate of row 2"),
    ]


# --- values ---------------------------------------------------------------------------------------------------------


def test_numbers_are_kept_to_the_last_digit():
    [trade] = [dict(row) for row in rows_of("synthetic", 2) if row["event_type"] == "trade"]
    text = json.dumps(trade | {"size": 0}).replace('"size": 0', '"size": 123456789.123456780')
    [event] = told("synthetic", [text]).events
    assert str(event.size) == "123456789.123456780" and event.price == Decimal("25001.5")
    assert json.loads(to_json(event), parse_float=str)["size"] == "123456789.123456780"
    assert event.venue_data == {"notional_usd": 2500.0}


def test_events_go_into_the_markets_vocabulary():
    book, trade = (to_market(event) for event in told("synthetic", rows_of("synthetic", 2)).events)
    assert isinstance(book, Book) and [level.price for level in book.bids] == [24999.5, 24999.0]
    assert isinstance(trade, Trade) and (trade.price, trade.size, trade.side) == (25001.5, 0.1, Side.BUY)
    assert book.received_ns == book.at_ns + 2_000_000


def test_a_book_shows_as_many_levels_as_are_asked_for():
    [book] = told("synthetic", rows_of("synthetic", 1), levels_max=1).events
    assert (len(book.bids), len(book.asks)) == (1, 1)
