"""Nonces: none twice, whatever the clock does and whenever the daemon dies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.clock import NS_PER_MS
from venues.hyperliquid.nonce import AHEAD_COUNT, AHEAD_MS, LEAD_MS_MAX, ClockBehind, Nonces

NOW_MS = 1_800_000_000_000
HOUR_MS = 3_600_000
KEPT = 100
"""The venue keeps this many of a signer's nonces, the highest."""


def ns(ms):
    return ms * NS_PER_MS


class Site:
    """A signer over many lives of its daemon, with a disk, a clock and the venue that counts its nonces."""

    def __init__(self):
        self.disk, self.now_ms, self.writes, self.given = 0, NOW_MS, 0, []
        self.nonces = Nonces()

    def take(self):
        self.save()
        self.given.append(self.nonces.take(ns(self.now_ms)))

    def save(self):
        if (floor := self.nonces.floor(ns(self.now_ms))) is not None:
            self.disk, self.writes = floor, self.writes + 1
            self.nonces.kept(floor)

    def die(self):
        self.nonces = Nonces(self.disk)

    def accepted(self):
        """Whether the venue takes all of them, by its own rule, in this order."""
        held: list[int] = []
        for nonce in self.given:
            if nonce in held or (len(held) == KEPT and nonce < held[0]):
                return False
            held = sorted([*held, nonce])[-KEPT:]
        return True


steps = st.lists(
    st.one_of(
        st.integers(1, 30).map(lambda times: ("take", times)),
        st.integers(-HOUR_MS, HOUR_MS).map(lambda by_ms: ("clock", by_ms)),
        st.just(("die", 0)),
    ),
    max_size=60,
)


@given(steps)
def test_no_nonce_is_given_twice_over_restarts_and_clocks_set_back(story):
    site = Site()
    for what, number in story:
        if what == "take":
            for _ in range(number):
                site.take()
        elif what == "clock":
            site.now_ms += number
        else:
            site.die()
    assert site.given == sorted(set(site.given))
    assert site.accepted()


def test_without_a_floor_on_disk_a_clock_set_back_repeats():
    """The wrong way, so that it is known that the story above could fail."""
    site = Site()
    site.take()
    site.disk = 0
    site.die()
    site.take()
    assert site.given[0] == site.given[1]
    assert not site.accepted()


def test_nonces_follow_the_clock_and_count_within_a_millisecond():
    nonces = Nonces()
    assert [nonces.take(ns(NOW_MS)) for _ in range(3)] == [NOW_MS, NOW_MS + 1, NOW_MS + 2]
    assert nonces.take(ns(NOW_MS + 50)) == NOW_MS + 50
    assert nonces.take(ns(NOW_MS) - 1) == NOW_MS + 51
    assert nonces.take(ns(NOW_MS + 60) + NS_PER_MS - 1) == NOW_MS + 60


def test_a_floor_is_written_each_few_minutes_and_not_for_each_nonce():
    site = Site()
    for _ in range(HOUR_MS // 1000):
        site.now_ms += 1000
        site.take()
    assert site.writes == pytest.approx(HOUR_MS / (AHEAD_MS / 2), abs=2)


def test_a_thousand_restarts_in_a_row_stay_near_the_clock():
    site = Site()
    for _ in range(1000):
        site.take()
        site.die()
        site.now_ms += 10
    assert site.given[-1] - site.now_ms < AHEAD_MS + 1000 * (AHEAD_COUNT + 1) < LEAD_MS_MAX / 10
    assert site.accepted()


def test_a_floor_that_was_kept_is_not_asked_for_again_and_never_lowered():
    nonces = Nonces()
    floor = nonces.floor(ns(NOW_MS))
    assert floor == NOW_MS + AHEAD_MS
    assert nonces.floor(ns(NOW_MS)) == floor, "asked for until it is written"
    nonces.kept(floor)
    assert nonces.floor(ns(NOW_MS)) is None
    nonces.kept(NOW_MS)
    assert nonces.floor(ns(NOW_MS + AHEAD_MS // 2)) is None
    assert nonces.floor(ns(NOW_MS + AHEAD_MS // 2 + 1)) is not None


def test_a_clock_a_day_behind_is_said_before_the_venue_refuses():
    nonces = Nonces(NOW_MS + LEAD_MS_MAX)
    with pytest.raises(ClockBehind, match="set the clock right"):
        nonces.take(ns(NOW_MS))
    assert nonces.take(ns(NOW_MS + 2)) == NOW_MS + LEAD_MS_MAX + 1
