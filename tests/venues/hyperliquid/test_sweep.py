"""The dead man's view of Hyperliquid where parts of the venue do not answer."""

import asyncio
import time
from types import SimpleNamespace

import pytest

from supervisor.clock import Clock
from tests.venues.emulator.desk import Key as Secret
from tests.venues.emulator.running import ADDRESS, KEY
from venues.hyperliquid.sign import Chain, Signer, account_address
from venues.hyperliquid.sweep import HyperliquidSweep
from venues.sweep import Resting
from venues.venue import VenueMisspoke, VenueUnreachable

DOWN = VenueUnreachable("HTTP 500: internal")


@pytest.fixture
async def sweep():
    clock = Clock(asyncio.get_running_loop(), time.time_ns())
    one = HyperliquidSweep("http://127.0.0.1:1", Signer(Secret(KEY), Chain.TESTNET), account_address(ADDRESS), clock)
    yield one
    await one.close()
    clock.close()


def answers(one: HyperliquidSweep, of_dexs: dict[str, object]) -> None:
    """Let each dex answer so."""

    async def ask(question):
        found = of_dexs[question.body.get("dex", "")]
        if isinstance(found, Exception):
            raise found
        return found

    one._dexs = tuple(of_dexs)
    one._ask = ask


def row(oid: int, *, reduce_only: bool = False):
    return SimpleNamespace(oid=oid, coin="BTC", reduce_only=reduce_only, is_trigger=False)


async def test_a_dex_that_is_down_keeps_no_other_ones_orders_alive(sweep):
    """One builder's dex answered 500, nobody traded there, and the whole look was thrown away for half a minute."""
    answers(sweep, {"": [row(7)], "d1": DOWN, "d2": [row(8, reduce_only=True)]})
    assert await sweep.look(everywhere=True) == [Resting("7", "BTC", False), Resting("8", "BTC", True)]


@pytest.mark.parametrize("shown", [[], [row(8, reduce_only=True)]], ids=["nothing", "a stop"])
async def test_what_is_not_shown_is_never_read_as_nothing(sweep, shown):
    answers(sweep, {"": shown, "d1": DOWN})
    with pytest.raises(VenueUnreachable):
        await sweep.look(everywhere=True)


async def test_a_mistake_of_ours_is_no_dex_that_is_down(sweep):
    answers(sweep, {"": [row(7)], "d1": ZeroDivisionError("a bug")})
    with pytest.raises(ZeroDivisionError):
        await sweep.look(everywhere=True)


async def test_orders_whose_numbers_are_known_go_though_the_rest_cannot_be_looked_up(sweep):
    answers(sweep, {"": VenueMisspoke("no answer"), "d1": DOWN})
    sweep._assets, sent = {"BTC": 0}, []

    async def act(action, asked):
        sent.append([(one["a"], one["o"]) for one in action["cancels"]])
        return ()

    sweep._act = act
    orders = [Resting("7", "BTC", False), Resting("8", "d1:NEW", False), Resting("9", "@107", False)]
    assert await sweep.cancel(orders, every=True) == ["d1:NEW is listed nowhere"]
    assert sent == [[(0, 7), (10_107, 9)]]
