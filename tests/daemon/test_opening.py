"""Venues that say "later" while they are opened are asked again for two minutes, and no longer."""

import pytest

from config.errors import ConfigError
from daemon import opening
from daemon.opening import OPEN_S_MAX, open_venues
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from tests.fakes import EPOCH_NS
from venues.hyperliquid.answers import RateLimited
from venues.rest import NotAnswered
from venues.venue import VenueMisspoke, VenueUnreachable

LATER = [RateLimited("HTTP 429"), NotAnswered("/info", "ReadTimeout", sent=True), VenueUnreachable("HTTP 503")]


class Shut:
    """A venue whose first answers are these."""

    name = "hyperliquid"

    def __init__(self, answers):
        self.answers, self.asked = list(answers), 0

    async def open(self):
        self.asked += 1
        if self.answers:
            raise self.answers.pop(0)
        return ("BTC",)


def opened(*venues):
    """What came of it, when, and what was told."""
    told = []

    async def main(clock):
        try:
            found = await open_venues(dict(enumerate(venues)), clock, told.append)
        except Exception as error:
            found = error
        return found, (clock.now_ns() - EPOCH_NS) / NS_PER_S

    return *run_virtual(main, EPOCH_NS), told


def test_it_is_asked_again_with_growing_pauses_and_each_is_told():
    venue, other = Shut(LATER), Shut([])
    found, seconds, told = opened(venue, other)
    assert found == {0: ("BTC",), 1: ("BTC",)}
    assert seconds == 2 + 4 + 8
    assert [text.partition(": ")[0] for text in told] == [
        f"hyperliquid is not open yet, tried again in {pause} s" for pause in (2, 4, 8)
    ]
    assert (venue.asked, other.asked) == (4, 1), "who answered is not asked again"


def test_after_two_minutes_it_is_given_up():
    found, seconds, told = opened(Shut([RateLimited("HTTP 429")] * 1000))
    assert isinstance(found, RateLimited)
    assert OPEN_S_MAX - opening.AGAIN_S_MAX <= seconds <= OPEN_S_MAX
    assert len(told) < 12


@pytest.mark.parametrize(
    "wrong",
    [NotAnswered("/info", "ConnectError", sent=False), VenueMisspoke("no JSON"), ConfigError("key", "is refused")],
    ids=lambda wrong: type(wrong).__name__,
)
def test_what_no_waiting_changes_ends_the_start_at_once(wrong):
    found, seconds, told = opened(Shut([wrong]))
    assert (found, seconds, told) == (wrong, 0, [])
