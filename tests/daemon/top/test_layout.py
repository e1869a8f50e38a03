"""The picture: the first glance tells what matters, in words, at any size."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from daemon.snapshot import TroubleRow
from daemon.top.desk import HELP, OVERVIEW, Desk
from daemon.top.known import Known, Scope, Silent
from daemon.top.layout import cut, picture
from daemon.top.lines import span, state_of
from daemon.top.panes import PANES
from tests.daemon.top.given import (
    ACTOR,
    AT_NS,
    ENGINE,
    HALTED,
    LOOK,
    MARKET,
    MINUTE_NS,
    NS,
    ORDER,
    POSITION,
    SNAPSHOT,
    STATUS,
    TWO,
    VERSION,
    known,
    text_of,
)


def shown(snapshot=SNAPSHOT, width=80, height=24, view=OVERVIEW, scope=None, now_ns=AT_NS, made=None):
    desk = Desk(made or known(snapshot), view=view, scope=scope or Scope())
    return text_of(picture(desk, width, height, now_ns))


def test_the_first_line_tells_state_health_money_and_holdings():
    first = shown().splitlines()[0]
    for part in ("TRADING", "all well", "today -425.00", "holds 1: 738.00 USD", "rest 1", "00:00:00Z"):
        assert part in first


def test_what_is_wrong_stands_above_all_with_since_when():
    text = shown(HALTED)
    assert text.startswith(" HALTED ")
    assert "1 WRONG" in text.splitlines()[0]
    assert "halted perps 12-31 23:48 (12m) by circuit_breaker: daily_loss" in text.splitlines()[2]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"trading": "halted"}, "HALTED"),
        ({"trading": "reducing"}, "REDUCING"),
        ({"reconciled": False}, "NO ENTRIES"),
        ({"symbols_fresh": 0}, "NO ENTRIES"),
        ({}, "TRADING"),
    ],
)
def test_the_state_is_a_word(change, word):
    assert state_of(replace(SNAPSHOT, engines=(replace(ENGINE, **change),)))[0] == word


def test_a_shut_market_is_nothing_wrong_and_a_halt_of_one_engine_names_it():
    assert state_of(TWO)[0] == "TRADING, equities shut"
    halted = replace(TWO, engines=(replace(ENGINE, trading="halted"), TWO.engines[1]))
    assert state_of(halted)[0] == "HALTED perps"
    assert "equities opens in 9h 0m" in shown(TWO)


def test_the_calendar_counts_down_and_says_what_it_shuts():
    assert "next CPI in 1h 1m (01-01 01:01Z)" in shown()
    calendar = replace(LOOK.calendar, shut=True, event="CPI", until_ns=AT_NS + 12 * MINUTE_NS)
    shut = replace(SNAPSHOT, look=replace(LOOK, calendar=calendar))
    assert "ENTRIES SHUT for 12m: CPI" in shown(shut)
    assert state_of(shut)[0] == "NO ENTRIES"


def test_positions_show_z_rho_and_age_and_orders_age_and_moves():
    lines = shown().splitlines()
    (position,) = [line for line in lines if "-0.0123" in line]
    assert position.split() == ["BTC", "-0.0123", "60100.0", "60001.0", "+1.22", "-1.30", "+0.20", "12m"]
    (order,) = [line for line in lines if "59990.0" in line]
    assert order.split() == ["BTC", "buy", "exit", "resting", "50%", "0.0123", "59990.0", "42s", "3"]


def test_a_bound_that_is_near_is_marked_without_colour():
    engine = next(line for line in shown().splitlines() if line.startswith(" perps"))
    assert "85%!" in engine
    assert "10% " in engine
    risk = shown(view="risk")
    assert "perps daily_loss 85%! 425.00 USD 500.00 USD" in " ".join(risk.split())


def test_feeds_show_stale_ones_first_and_a_reached_bound():
    markets = (replace(MARKET, symbol="ETH"), replace(MARKET, fresh=False, age_ms=95_000, z=None), *LOOK.markets[1:])
    text = shown(replace(SNAPSHOT, look=replace(LOOK, markets=markets)), view="feeds").splitlines()
    assert text[2].startswith(" feeds 3, 1 stale")
    assert text[3].split() == ["*BTC", "1m", "35s!", "-", "+1.25", "+0.20"]
    assert text[4].split()[:3] == ["ETH", "0.4s", "-1.30!"]


def test_actors_that_are_ill_or_late_stand_first_in_words():
    rows = (ACTOR, replace(ACTOR, name="perps.feed", healthy=False, state="stopped"),
            replace(ACTOR, name="ledger", engine="", restarts=2), replace(ACTOR, name="x", healthy=False))  # fmt: skip
    text = shown(replace(SNAPSHOT, actors=rows), view="actors").splitlines()
    assert "actors 4, 2 ILL" in text[2]
    assert [line.split()[0] for line in text[3:7]] == ["perps.feed", "x", "ledger", "perps.signal"]
    assert (text[3].split()[-1], text[4].split()[-1]) == ("STOPPED", "LATE")


def test_a_filter_is_shown_and_obeyed():
    text = shown(scope=Scope("", "tsla"))
    assert "filter /tsla" in text
    assert "-0.0123" not in text


def test_a_daemon_that_is_gone_is_said_first_with_since_when_and_the_old_picture_stays():
    made = known()
    made.hear(Silent(False, "no daemon answers here", AT_NS + 300 * NS, AT_NS, "it ended: SIGTERM"))
    lines = shown(made=made, now_ns=AT_NS + 300 * NS).splitlines()
    assert lines[0].startswith(" NOT RUNNING   since 2026-01-01 00:00:00Z (5m 0s); shown is 00:00:00Z")
    assert lines[1].startswith(" it ended: SIGTERM; tried again")
    assert "-0.0123" in "\n".join(lines)


def test_a_daemon_that_does_not_answer_is_no_daemon_that_is_gone():
    made = known()
    assert shown(made=made, now_ns=AT_NS + 6 * NS).startswith(" NO ANSWER   since 2026-01-01 00:00:00Z (6s)")
    made.hear(Silent(True, "it does not answer as it should: stuck", AT_NS + 6 * NS))
    assert "stuck" in shown(made=made, now_ns=AT_NS + 6 * NS).splitlines()[1]


def test_before_the_first_answer_it_says_that_it_asks():
    assert shown(made=Known(VERSION)).startswith(" ASKING ")


def test_a_version_that_differs_is_said():
    other = replace(SNAPSHOT, status=replace(STATUS, version="9.9.9"))
    assert "the daemon is obid 9.9.9, this top is 0.1.0" in shown(other)
    old = replace(SNAPSHOT, look=None, troubles=None)
    assert "older than this top" in shown(old)
    for view in PANES:
        shown(old, view=view)


def test_what_does_not_fit_is_counted():
    troubles = tuple(TroubleRow(since_ns=0, engine="", what="late", text=f"actor{n}") for n in range(9))
    crowd = replace(SNAPSHOT, troubles=troubles, positions=tuple(replace(POSITION, symbol=f"S{n}") for n in range(50)))
    text = shown(crowd)
    assert "and 7 more: key 8" in text
    assert "positions 50 (+" in text
    assert text.count("! late") == 2
    assert shown(crowd, view="wrong").count("! late") == 9
    assert "since the start" in text


def test_what_is_wrong_is_told_in_full():
    long = replace(HALTED, troubles=(replace(HALTED.troubles[0], text="because " * 30),))
    text = shown(long, view="wrong")
    assert text.count("because") == 30
    assert "…" not in text
    assert "…" in shown(long)


def test_a_pane_scrolls_to_its_end_and_no_further():
    crowd = replace(SNAPSHOT, positions=tuple(replace(POSITION, symbol=f"S{n:02}") for n in range(50)))
    desk = Desk(known(crowd), view="positions", offset=999)
    text = text_of(picture(desk, 80, 24, AT_NS))
    assert "31-50 of 50" in text
    assert "S49" in text
    assert desk.offset == 30


def test_the_help_fits_a_small_terminal():
    lines = shown(view=HELP).splitlines()
    assert not any("…" in line for line in lines)
    assert "obid ctl status" in "\n".join(lines)


@settings(max_examples=60)
@given(st.integers(1, 200), st.integers(1, 60), st.sampled_from([OVERVIEW, HELP, *PANES]),
       st.sampled_from([SNAPSHOT, HALTED, TWO, None]))  # fmt: skip
def test_it_fits_any_terminal(width, height, view, snapshot):
    lines = shown(snapshot, width, height, view).split("\n")
    assert len(lines) <= height
    assert max(map(len, lines)) <= max(width, len("too small for top"))
    if width >= 40 and height >= 10:
        assert len(lines) == height


def test_a_wide_terminal_shows_feeds_and_actors_beside():
    crowd = replace(SNAPSHOT, orders=(ORDER,) * 40)
    text = shown(crowd, 160, 45)
    assert "perps.signal" in text
    assert "xyz:TSLA" in text
    assert "0xabcdef01" in text


def test_what_is_cut_ends_in_an_ellipsis():
    assert text_of([cut([("abc", ""), ("def", "")], 5)]) == "abcd…"
    assert text_of([cut([("abc", ""), ("de", "")], 5)]) == "abcde"


LENGTHS = {7: "7s", 125: "2m 5s", 700: "11m", 11_100: "3h 5m", 190_000: "2d 4h", -5: "0s"}


@pytest.mark.parametrize(("seconds", "text"), LENGTHS.items())
def test_lengths_of_time_are_short(seconds, text):
    assert span(seconds * NS) == text
