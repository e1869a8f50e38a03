"""obid's recordings: what was heard comes back, and a crash costs the last record at most."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.builders import BUY, PERP, SELL, SPOT, book, trade
from venues.market import Book, Instrument, Trade
from venues.recording import HEAD, MAGIC, RecordingWriter, parts, read_part


def record(folder, events, **options):
    writer = RecordingWriter(folder, **options)
    for event in events:
        writer.write(event)
    writer.close()


def read(folder):
    damages = []
    return [event for part in parts(folder) for event in read_part(part, damages.append)], damages


def plain(event):
    """An event as numbers: a level read from disk is another kind of Level."""
    if isinstance(event, Book):
        sides = [[(level.price, level.size) for level in side] for side in (event.bids, event.asks)]
        return ("book", event.symbol, event.at_ns, event.received_ns, *sides, event.depth)
    return event


HEARD = [
    book([(1000, 5), (999, 6)], [(1001, 7)], 10),
    trade(1000, 3, SELL, 11),
    book([], [], 12, "xyz:TSLA"),
    replace(book([(1000, 5)], [(1001, 7)], 12), depth=5),
    trade(1001, 4, BUY, 13, "kSHIB"),
]


def test_what_was_heard_comes_back(tmp_path):
    record(tmp_path, HEARD)
    events, damages = read(tmp_path)
    assert [plain(event) for event in events] == [plain(event) for event in HEARD]
    assert damages == []
    assert {type(event) for event in events} == {Book, Trade}


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(1e-9, 1e11), st.floats(1e-9, 1e11)), max_size=5), st.integers(0, 2**63 - 1))
def test_every_number_comes_back_exactly(tmp_path_factory, levels, at_ns):
    folder = tmp_path_factory.mktemp("recording")
    heard = book([(price * 10, size * 1000) for price, size in levels], [], at_ns)
    record(folder, [heard])
    assert plain(read(folder)[0][0]) == plain(heard)


def test_instruments_stand_at_the_head_of_every_part(tmp_path):
    record(tmp_path, HEARD * 50, instruments=[PERP, SPOT], part_bytes_max=1000)
    assert len(parts(tmp_path)) > 5
    for part in parts(tmp_path):
        events = list(read_part(part, pytest.fail))
        assert events[:2] == [PERP, SPOT]
        assert not any(isinstance(event, Instrument) for event in events[2:])
    assert len([event for event in read(tmp_path)[0] if not isinstance(event, Instrument)]) == len(HEARD) * 50


def test_decisions_are_not_market(tmp_path):
    record(tmp_path, ["a decision", *HEARD, PERP])
    assert len(read(tmp_path)[0]) == len(HEARD)


def test_a_new_writer_leaves_older_parts_alone(tmp_path):
    record(tmp_path, HEARD)
    first = parts(tmp_path)[0].read_bytes()
    record(tmp_path, HEARD)
    assert [part.name for part in parts(tmp_path)] == ["000001.market", "000002.market"]
    assert parts(tmp_path)[0].read_bytes() == first


def test_what_was_flushed_can_be_read_while_the_writer_lives(tmp_path):
    writer = RecordingWriter(tmp_path)
    writer.write(HEARD[0])
    writer.flush()
    assert len(read(tmp_path)[0]) == 1
    writer.close()


def test_a_torn_tail_costs_the_torn_record_only(tmp_path):
    record(tmp_path, HEARD)
    whole = parts(tmp_path)[0].read_bytes()
    starts = []
    place = len(MAGIC)
    while place < len(whole):
        starts.append(place)
        place += HEAD.size + HEAD.unpack_from(whole, place)[0]
    for length in range(len(MAGIC), len(whole)):
        parts(tmp_path)[0].write_bytes(whole[:length])
        events, damages = read(tmp_path)
        complete = sum(start <= length for start in (*starts[1:], len(whole)))
        assert len(events) == complete
        assert [damage.reason for damage in damages] == (
            [] if length in starts else ["torn: the file ends inside a record"]
        )


def test_a_flipped_bit_costs_its_record_only(tmp_path):
    record(tmp_path, HEARD)
    part = parts(tmp_path)[0]
    data = bytearray(part.read_bytes())
    data[len(MAGIC) + HEAD.size + 3] ^= 1
    part.write_bytes(data)
    events, damages = read(tmp_path)
    assert [plain(event) for event in events] == [plain(event) for event in HEARD[1:]]
    assert [(damage.place, damage.reason) for damage in damages] == [(len(MAGIC), "the checksum does not match")]


def test_a_length_that_cannot_be_ends_the_part_and_not_the_next(tmp_path):
    record(tmp_path, HEARD)
    part = parts(tmp_path)[0]
    part.write_bytes(MAGIC + HEAD.pack(2**31, 0) + b"x" * 50)
    record(tmp_path, HEARD)
    events, damages = read(tmp_path)
    assert len(events) == len(HEARD)
    assert "a record of 2147483648 bytes" in damages[0].reason


def test_another_file_is_not_a_recording(tmp_path):
    (tmp_path / "000001.market").write_bytes(b"something else entirely")
    events, damages = read(tmp_path)
    assert events == []
    assert damages[0].reason == "does not open as an obid recording"


def test_an_impossible_price_on_disk_is_damage(tmp_path):
    record(tmp_path, [trade(-5, 1, SELL), trade(5, 1, SELL)])
    events, damages = read(tmp_path)
    assert len(events) == 1
    assert "$[4]" in damages[0].reason
