"""How a simulated world is judged: what a venue has against what a ledger was told."""

from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from daemon.modes import known_instruments
from daemon.soak import checks
from daemon.soak.place import Done, Placed, Truth
from venues.market import OrderRequest, Side, TimeInForce

DOGE = "DOGE/USD"
PRICE, TWINS = Decimal("0.09"), Decimal("0.18")


def judged(limit: Decimal, *, status: str = "canceled", filled: bool = False) -> list[str]:
    """What is wrong with an order that the ledger was told to be refused, and that the venue has."""
    doge = known_instruments("crypto")[DOGE]
    books = checks.Books(Path("none"))
    books.mind.books.instruments["crypto", DOGE] = doge
    books.planned["a"] = OrderRequest(
        id="a", intent_id="i", engine="crypto", symbol=DOGE, side=Side.SELL, lots=doge.lots(Decimal(100)),
        ticks=doge.ticks(PRICE), time_in_force=TimeInForce.IOC, reduce_only=True,
    )  # fmt: skip
    books.denied["a"] = "Insufficient balance"
    fills = (Done("f", "a", DOGE, Decimal(-100)),) if filled else ()
    place = SimpleNamespace(engines=("crypto",), venue="alpaca")
    truth = Truth({}, (Placed("a", False, status, DOGE, limit),), fills)
    return [one for one in checks._of_place(place, truth, books) if one.startswith("wrong verdict")]


def test_an_order_that_was_refused_may_be_there_as_the_twin_that_used_up_its_name():
    assert judged(TWINS) == []
    assert judged(PRICE, status="rejected") == []


@pytest.mark.parametrize("told", [{"limit": PRICE}, {"limit": TWINS, "filled": True}])
def test_any_other_order_that_was_said_to_be_refused_is_a_wrong_verdict(told):
    (wrong,) = judged(**told)
    assert "a is canceled at alpaca, the ledger was told: Insufficient balance" in wrong
