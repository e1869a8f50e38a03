"""The end of a run: doubt that a venue proves away by itself, in some questions."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from actors.ledger import LedgerMind
from actors.messages import OrderPlanned
from daemon import ending, modes
from risk.order import LiveOrder, OrderState
from supervisor.clock import NS_PER_S
from supervisor.virtual import run_virtual
from tests.actors.stories import run_started
from venues.market import Cancelled, Fill, OrderRequest, Side, TimeInForce, VenuePosition
from venues.venue import Capabilities

ENGINE, BTC = "crypto", "BTC/USD"


REQUEST = OrderRequest(
    id="o1",
    intent_id="i1",
    engine=ENGINE,
    symbol=BTC,
    side=Side.BUY,
    lots=10,
    ticks=100,
    time_in_force=TimeInForce.GTC,
)


class Slow:
    """A venue that proves an order away at the third question, as Alpaca does."""

    capabilities = Capabilities(replace=True, expires=False, simulated=False)

    def __init__(self):
        self.asked = 0

    async def find(self, symbol, order_id):
        self.asked += 1
        return Cancelled(ENGINE, order_id, symbol, 0, "never arrived", 1) if self.asked == 3 else None


def test_an_order_in_doubt_without_a_fence_is_asked_about_until_the_venue_has_its_proof():
    """The simulation found it: asked once, the doubt was left to the next start, and the end said that all was well."""
    doubtful = LiveOrder(request=REQUEST, entry=True, state=OrderState.UNKNOWN)
    mind = SimpleNamespace(orders={"o1": doubtful}, fences_ns={}, hear=lambda message: ([message], []))
    venue, records = Slow(), []

    async def settle(clock):
        began_ns = clock.now_ns()
        count = await ending._settle(ENGINE, venue, mind, records, clock)
        return count, (clock.now_ns() - began_ns) / NS_PER_S

    count, seconds = run_virtual(settle, 0)
    assert count == 1
    assert [type(record) for record in records] == [Cancelled]
    assert seconds < ending.REAL_SWEEP_S_MAX


class Keeps:
    """A venue that keeps a quarter of a per cent of what was bought, and has not told it."""

    capabilities = Capabilities(replace=True, expires=False, simulated=False)

    def __init__(self, held, tells_at=None):
        self.held, self.tells_at, self.looks = held, tells_at, 0

    async def open_orders(self):
        return ()

    def theirs_ns(self, at_ns):
        return at_ns

    async def fills(self, _since_ns):
        self.looks += 1
        return [fill(SELLS, 25, "f1:fee")] if self.looks == self.tells_at else []

    async def positions(self):
        return [VenuePosition(BTC, self.held, 100.0)]


BUYS, SELLS = Side.BUY, Side.SELL


def fill(side, lots, name):
    return Fill(ENGINE, name, "", BTC, side, lots, 600_000, 0, True, 5)


def ended(venue, *, whole=True, planned=None):
    """What the end writes down and finds wrong, of a run that bought 10,000 lots a moment ago."""
    coins = modes.known_instruments(ENGINE)
    mind = LedgerMind()
    mind.fold(replace(run_started(1, 1), engines=(ENGINE,), instruments=(coins[BTC],)))
    mind.hear(fill(BUYS, 10_000, "f1"))
    if planned is not None:
        mind.hear(planned)
    part = SimpleNamespace(venue=venue)
    records, wrongs = run_virtual(lambda clock: ending._last_words(ENGINE, part, mind, clock, whole=whole), 0)
    return records, wrongs, mind.books.position(ENGINE, BTC).lots


def test_a_fee_in_coins_that_was_not_told_yet_is_no_difference_at_the_end():
    """SIGTERM right behind a purchase at Alpaca: exit 1, once in 18 batches of kills."""
    records, wrongs, lots = ended(Keeps(9_975))
    assert (wrongs, lots) == ([], 9_975)
    assert [type(record).__name__ for record in records] == ["Drift", "Entry"]
    assert records[1].realised_minor == 0, "a fee is no profit"


def test_a_fee_that_is_told_within_the_grace_is_booked_as_itself():
    records, wrongs, lots = ended(Keeps(9_975, tells_at=2))
    assert (wrongs, lots) == ([], 9_975)
    assert [record.id for record in records] == ["fill:f1:fee"]


class KnowsNothing(Keeps):
    """A venue that has no fence and no word of an order."""

    async def find(self, _symbol, _order_id):
        return None


def test_an_order_whose_end_nobody_knows_is_said_at_the_end():
    """It was left in the books as alive, and the end said that all was well (seed 1040 of the simulation)."""
    _, wrongs, _ = ended(KnowsNothing(10_000), planned=OrderPlanned(ENGINE, REQUEST, True, 4))
    assert wrongs == [f"whether order o1 of {BTC} can still come is not known"]


class OfThisProcess(KnowsNothing):
    """A venue that ends with the run."""

    capabilities = Capabilities(replace=True, expires=True, simulated=True)


def test_an_order_that_never_came_to_a_venue_of_this_process_is_over_with_it():
    """A stop on a machine that stood still for half a second left it in the books as sent."""
    planned = OrderPlanned(ENGINE, REQUEST, True, 4)
    records, wrongs, _ = ended(OfThisProcess(10_000), planned=planned)
    assert wrongs == []
    assert [one.reason for one in records if type(one) is Cancelled] == ["it never came to the venue"]


@pytest.mark.parametrize("held", [9_800, 10_025, 0])
def test_what_no_fee_explains_is_wrong_as_before(held):
    _, wrongs, lots = ended(Keeps(held))
    assert wrongs == [f"{BTC} is 10000 lots in the ledger and {held} at the venue"]
    assert lots == 10_000


def test_a_fee_that_a_dead_ledger_may_have_been_told_is_left_to_the_next_start():
    """It comes again there, and was booked twice: found by seeds 390, 541 and 666 of the simulation."""
    records, wrongs, lots = ended(Keeps(9_975), whole=False)
    assert wrongs == [f"{BTC} is 10000 lots in the ledger and 9975 at the venue"]
    assert (records, lots) == ([], 10_000)
