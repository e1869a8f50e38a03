"""The digest: equal for equal decisions, another for any other, blind to wall-clock times unless asked."""

import json
import subprocess
import sys
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from actors.messages import BarHistory, SectorCounts
from daemon.digest import PREFIX, Digest
from risk.intent import Approved, Cancel, Check, Refused
from venues.market import Bar, Fill, Side

FILL = Fill("perps", "f1", "0xabc", "BTC", Side.BUY, 12, 640_001, -3, True, 7)
CANCEL = Cancel(engine="perps", intent_id="i", order_id="o", symbol="BTC", reason="halt", at_ns=1)
APPROVED = Approved("perps", CANCEL, (Check("net", "1", "2"),), 5)


def digest(*messages: msgspec.Struct, include_time: bool = False) -> str:
    found = Digest(include_time)
    for message in messages:
        found.update(message)
    return found.hexdigest()


def test_the_same_decisions_are_the_same_digest():
    assert digest(FILL, APPROVED) == digest(FILL, APPROVED)
    assert digest(FILL, APPROVED).startswith(PREFIX)
    assert len(digest(FILL)) == len(PREFIX) + 64
    assert digest() != digest(FILL)


def test_order_and_every_field_count():
    assert digest(FILL, APPROVED) != digest(APPROVED, FILL)
    for other in (
        replace(FILL, lots=13),
        replace(FILL, symbol="ETH"),
        replace(FILL, side=Side.SELL),
        replace(FILL, maker=False),
    ):
        assert digest(other) != digest(FILL)
    assert digest(replace(APPROVED, wish=replace(CANCEL, reason="stop"))) != digest(APPROVED)
    assert digest(replace(APPROVED, checks=())) != digest(APPROVED)


def test_times_count_only_when_asked_at_every_depth():
    later = replace(APPROVED, at_ns=6, wish=replace(CANCEL, at_ns=2))
    assert digest(replace(FILL, at_ns=8)) == digest(FILL)
    assert digest(later) == digest(APPROVED)
    assert digest(replace(FILL, at_ns=8), include_time=True) != digest(FILL, include_time=True)
    assert digest(replace(APPROVED, wish=replace(CANCEL, at_ns=2)), include_time=True) != digest(
        APPROVED, include_time=True
    )


def test_times_inside_containers_are_left_out():
    bar = Bar("BTC", 0, 60, 1.0, 2.0, 0.5, 1.5, 3)
    one, two = BarHistory("perps", "BTC", (bar,)), BarHistory("perps", "BTC", (replace(bar, start_ns=9),))
    assert digest(one) == digest(two)
    assert digest(one) != digest(BarHistory("perps", "BTC", (replace(bar, close=1.6),)))


def test_the_type_counts():
    class Other(msgspec.Struct):
        engine: str
        wish: object
        rule: str
        value: str
        bound: str

    refused = Refused("perps", CANCEL, "r", "1", "2", 5)
    assert digest(refused) != digest(Other("perps", CANCEL, "r", "1", "2"))


def test_every_nan_is_one_nan():
    class Number(msgspec.Struct):
        value: float

    negative = msgspec.msgpack.decode(bytes.fromhex("cbfff8000000000001"))
    assert digest(Number(negative)) == digest(Number(float("nan")))
    assert digest(Number(0.1 + 0.2)) != digest(Number(0.3))


def test_lines_can_be_compared():
    class Odd(msgspec.Struct):
        price: Decimal
        at_ns: int

    class OnlyTime(msgspec.Struct):
        at_ns: int

    found = Digest()
    assert json.loads(found.line(Odd(Decimal("0.10"), 3))) == ["Odd", "0.10"]
    assert json.loads(found.line(OnlyTime(3))) == ["OnlyTime", None]
    assert json.loads(found.line(FILL)) == ["Fill", ["perps", "f1", "0xabc", "BTC", "buy", 12, 640001, -3, True, None]]


def test_the_order_of_a_dict_does_not_count():
    one = SectorCounts({"tech": 1, "energy": 2}, {}, 5)
    assert digest(one) == digest(SectorCounts({"energy": 2, "tech": 1}, {}, 5))


def test_another_process_finds_the_same_digest():
    program = (
        "from daemon.digest import Digest; from venues.market import *; d = Digest();"
        "d.update(Fill('perps','f1','0xabc','BTC',Side.BUY,12,640001,-3,True,7)); print(d.hexdigest())"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == digest(FILL)
