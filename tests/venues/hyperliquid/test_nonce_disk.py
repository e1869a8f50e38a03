"""Orders where the floor of nonces cannot be kept, or is not to be believed: they go, or are refused by name."""

import pytest

from actors.ledger import LedgerMind
from daemon import ending
from daemon.graph import EngineParts
from risk.order import OrderState
from supervisor.clock import NS_PER_MS
from supervisor.messages import ChildCrashed
from tests.venues.hyperliquid.test_orders_raced import SYMBOL, floor, rests
from venues.hyperliquid.nonce import AHEAD_MS, LEAD_MS_MAX, Nonces
from venues.market import CancelRefused, TimeInForce


@pytest.fixture
def no_space(monkeypatch):
    """From when it is called on, no floor can be written."""

    def fail(_path, _floor):
        raise OSError(28, "No space left on device")

    return lambda: monkeypatch.setattr("venues.hyperliquid.nonce_file._write", fail)


def test_a_full_disk_keeps_no_cancel_from_the_venue(tmp_path, no_space):
    """Nobody caught it: the executor crashed at each cancel, and the last sweep of the run died before it cancelled."""

    async def script(one):
        first = await rests(one)
        one.place("buy", -3, 100, TimeInForce.GTC)
        await one.clock.sleep(AHEAD_MS / 1000)  # a floor is due
        no_space()
        one.cancel(first)
        await one.clock.sleep(5)
        assert one.orders()[first.order_id].state is OrderState.CANCELLED
        assert len(one.wire.open_orders()) == 1
        part = EngineParts(profile=None, instruments={}, venue=one.adapter, streams={})
        await ending._last_words("perps", part, LedgerMind(), one.clock, whole=False)
        assert not one.wire.open_orders()
        assert not one.of(ChildCrashed)

    floor(tmp_path, script)


def test_a_clock_behind_the_nonces_is_a_refusal_that_says_what_to_do(tmp_path):
    """A floor that a wrong clock once wrote: it was raised through the executor, and each cancel crashed it."""

    async def script(one):
        order = await rests(one)
        nonces = one.adapter._desk.nonces
        nonces._nonces = Nonces(one.clock.now_ns() // NS_PER_MS + 2 * LEAD_MS_MAX)
        verdict = await one.adapter.cancel(SYMBOL, order.order_id)
        assert isinstance(verdict, CancelRefused) and verdict.unsent and "set the clock right" in verdict.reason
        one.cancel(order)
        one.place("buy", -3, 100, TimeInForce.GTC)
        await one.clock.sleep(5)
        assert not one.of(ChildCrashed)
        assert [changed.state for changed in one.orders().values()] == [OrderState.RESTING, OrderState.REJECTED]

    floor(tmp_path, script)
