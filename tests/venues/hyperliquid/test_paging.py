"""Paging fills by time: none is lost or doubled for any page size and any clustering, whichever end the venue cuts."""

import json
from bisect import bisect_left

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.venues.hyperliquid.said import FILL
from venues.hyperliquid.account_wire import UserFill
from venues.hyperliquid.fields import decoder
from venues.hyperliquid.paging import FillPages, Window
from venues.venue import VenueMisspoke

PAGES_MAX = 2_000
READER = decoder(UserFill)


def fill(time_ms, tid):
    return READER.decode(json.dumps(FILL | {"time": time_ms, "tid": tid}))


BASE = fill(1, 1)


def made(times):
    """Fills at these times; ids in the order of time."""
    return [replace(BASE, time_ms=time, tid=number + 1) for number, time in enumerate(sorted(times))]


def server(fills, page, newest, reverse):
    """A venue that cuts a window's rows to a page, at its new or its old end, and tells them either way round."""
    stamps = [fill.time_ms for fill in fills]

    def answer(window):
        rows = fills[bisect_left(stamps, window.start_ms) : bisect_left(stamps, window.end_ms + 1)]
        rows = rows[-page:] if newest else rows[:page]
        return rows[::-1] if reverse else rows

    return answer


def collect(answer, pages):
    heard, asked = [], 0
    while window := pages.window:
        heard += pages.hear(answer(window))
        asked += 1
        assert asked < PAGES_MAX, "it does not end"
    return heard, asked


@settings(max_examples=300)
@given(
    st.lists(st.integers(1, 40) | st.integers(1, 3), max_size=120),
    st.integers(2, 60),
    st.booleans(),
    st.booleans(),
    st.integers(0, 3),
)
@example([5] * 7 + [6], 4, False, False, 0)
@example([1, 2, 2, 2, 3], 3, True, False, 1)
def test_no_fill_is_lost_or_doubled(times, page, newest, reverse, less):
    """`less`: the venue's cut may be larger than the shortest page that we take for a cut one."""
    fills = made(times)
    pages = FillPages(1, 40, rows_may_be_cut=max(2, page - less))
    heard, _ = collect(server(fills, page, newest, reverse), pages)
    ids = [fill.id for fill in heard]
    assert len(ids) == len(set(ids))
    assert {fill.id for fill in pages.fills} == set(ids)
    assert [fill.time_ms for fill in pages.fills] == sorted(fill.time_ms for fill in heard)
    crowded = {time for time in times if times.count(time) >= pages.rows_may_be_cut}
    assert pages.doubtful_ms <= crowded
    certain = {fill.id for fill in fills if fill.time_ms not in pages.doubtful_ms}
    assert certain <= set(ids) <= {fill.id for fill in fills}
    cut_short = {time for time in times if times.count(time) > page}
    assert cut_short <= pages.doubtful_ms, "what a page cannot show is named"


def test_a_short_page_is_the_last():
    pages = FillPages(10, 99)
    assert pages.window == Window(10, 99)
    assert len(pages.hear([fill(20, 1), fill(20, 2), fill(99, 3)])) == 3
    assert pages.window is None
    assert FillPages(5, 5).window == Window(5, 5)
    assert FillPages(6, 5).window is None


@pytest.mark.parametrize("page", [500, 2_000])
def test_a_busy_week_takes_two_requests_a_page_at_most(page):
    fills = made([1 + number // 3 for number in range(7 * page)])
    pages = FillPages(1, 10**6)
    heard, asked = collect(server(fills, page, False, False), pages)
    assert len(heard) == len(fills)
    assert asked <= 2 * 8 + 1
    assert not pages.doubtful_ms


def test_a_millisecond_that_fills_a_page_is_named_and_passed():
    fills = made([4] * 3000 + [5, 9])
    pages = FillPages(1, 9)
    heard, _ = collect(server(fills, 2000, False, False), pages)
    assert pages.doubtful_ms == {4}
    assert [fill.time_ms for fill in heard if fill.time_ms != 4] == [5, 9]


def test_fills_of_another_time_are_no_answer():
    pages = FillPages(10, 20)
    with pytest.raises(VenueMisspoke, match="from 10 to 20 were asked for, not 21"):
        pages.hear([fill(21, 1)])
    assert pages.window == Window(10, 20)
