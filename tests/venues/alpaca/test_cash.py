"""Money that comes and goes at Alpaca: booked once, shared out exactly, and never taken for profit or loss."""

import asyncio
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.clock import NS_PER_S, Clock
from tests.venues.alpaca.adapted import LOGIN, adapted
from tests.venues.alpaca.fake_alpaca import fake_alpaca, until
from venues.alpaca.cash import (
    COIN_FEE_TEXT,
    LOOK_PAGE_S,
    PAGE_S,
    PAGES_AT_ONCE,
    Bearer,
    CashRow,
    CashRows,
    CashWatch,
    part_minor,
    split_minor,
)
from venues.alpaca.parts import Shared
from venues.alpaca.rest import Rest
from venues.alpaca.trading_stream import TradingStream
from venues.alpaca.trading_wire import read
from venues.market import MINOR_PER_USD, MoneyMoved
from venues.venue import VenueMisspoke

START_NS = 1_772_463_600_000_000_000  # 2026-03-02 15:00 UTC, ten o'clock in New York
CRYPTO = Bearer("crypto", frozenset({"BTCUSD"}), False, START_NS)
EQUITIES = Bearer("equities", frozenset({"COST", "NKE"}), True, START_NS)
BOTH = (CRYPTO, EQUITIES)


def row(kind: str, usd: str, day: str = "2026-03-03", name: str = "a", **more: str) -> dict[str, str]:
    """As the venue tells it."""
    digits = day.replace("-", "") + "000000000"
    return {"id": f"{digits}::{name}", "activity_type": kind, "date": day, "net_amount": usd, **more}


def amount(row: dict[str, str], engine: str = "crypto", bearers: tuple[Bearer, ...] = (CRYPTO,)) -> int:
    return part_minor(CashRow(**(row | {"net_amount": Decimal(row["net_amount"])})), engine, bearers)


def test_what_each_kind_does():
    assert amount(row("CSD", "250.5")) == 250_500_000
    assert amount(row("CSW", "-30")) == -30 * MINOR_PER_USD
    assert amount(row("CSW", "-30", status="canceled")) == 0
    assert amount(row("CFEE", "-1.5")) == amount(row("FEE", "-1.5", description=f"{COIN_FEE_TEXT} (USD)")) == 0
    assert amount(row("SPLIT", "5")) == amount(row("something new", "5")) == 0


def test_what_was_before_the_books_is_in_them():
    assert amount(row("CSD", "1", "2026-03-01")) == 0
    assert amount(row("CSD", "1", "2026-03-02")) == MINOR_PER_USD, "of the same day: it is taken off the opening"
    assert amount(row("CSD", "1", created_at="2026-03-02T14:59:59Z")) == 0
    assert amount(row("CSD", "1", "2026-02-27", created_at="2026-03-02T15:00:01Z")) == MINOR_PER_USD, "it came late"
    stamped = row("CSD", "1") | {"id": "20260302095959999::a"}  # in New York
    assert (amount(stamped), amount(stamped | {"id": "20260302100001000::a"})) == (0, MINOR_PER_USD)


def test_two_engines_share_what_names_neither():
    deposit = row("CSD", "0.000003")
    assert [amount(deposit, one.engine, BOTH) for one in BOTH] == [2, 1]
    dividend = row("DIV", "2.5", symbol="COST")
    assert [amount(dividend, one.engine, BOTH) for one in BOTH] == [0, 2_500_000]
    regulator = row("FEE", "-0.02", description="TAF fee for proceed of 3 shares")
    assert [amount(regulator, one.engine, BOTH) for one in BOTH] == [0, -20_000]


@given(st.integers(-(10**15), 10**15), st.integers(1, 5))
def test_the_parts_add_up(whole: int, count: int):
    parts = [split_minor(whole, place, count) for place in range(count)]
    assert sum(parts) == whole and max(parts) - min(parts) < count


@pytest.mark.parametrize(
    "wrong",
    [
        b'{"id":"a","activity_type":"CSD","net_amount":"NaN"}',
        b'{"id":"a","activity_type":"CSD","date":"yesterday"}',
        b'{"activity_type":"CSD"}',
        b'{"id":"20269999999999999::a","activity_type":"CSD"}',
        b"[]",
    ],
)
def test_damage_is_named(wrong: bytes):
    with pytest.raises(VenueMisspoke):
        read(CashRow, wrong)


async def test_a_withdrawal_is_told_once_with_the_venues_id():
    async with fake_alpaca() as venue, adapted(venue, speed=2_000.0, opened_ns=START_NS) as one:
        venue.money.append(row("CSD", "1000", "2026-02-01", "old"))
        venue.money.append(row("CSW", "-500", name="gone"))
        await until(lambda: one.of(MoneyMoved))
        venue.money.append({"id": "x", "net_amount": "what"})
        venue.money.append(row("MA", "70", name="merged"))
        venue.money += [row("CSD", "1", name=f"page {number}") for number in range(150)]
        await until(lambda: len(one.of(MoneyMoved)) == 151)
        (gone, *_) = one.of(MoneyMoved)
        assert (gone.amount_minor, gone.kind, gone.engine) == (-500 * MINOR_PER_USD, "CSW", "crypto")
        assert len({moved.id for moved in one.of(MoneyMoved)}) == 151
        asked = sum(path == "/v2/account/activities" for _, path, _ in venue.asked)
        await until(lambda: sum(path == "/v2/account/activities" for _, path, _ in venue.asked) > asked + 4)
        assert len(one.of(MoneyMoved)) == 151
        assert sum("cannot be read" in text for text in one.said) == 1
        assert sum("MA of 70 USD" in text for text in one.said) == 1


async def test_of_the_opening_day_a_row_without_a_time_is_not_counted_twice():
    """Cash of 10,000 has today's deposit of 4,000 in it: the books open with 6,000 and hear of the deposit."""
    async with fake_alpaca() as venue:
        venue.money.append(row("CSD", "4000", "2026-03-02"))
        async with adapted(venue, speed=500.0) as one:
            assert one.adapter.cash_minor is not None
            opening = one.adapter.cash_minor
            await until(lambda: one.of(MoneyMoved))
            assert opening + sum(moved.amount_minor for moved in one.of(MoneyMoved)) == 10_000 * MINOR_PER_USD
        async with adapted(venue, speed=500.0, opened_ns=START_NS) as again:
            await until(lambda: again.of(MoneyMoved))
            assert again.of(MoneyMoved)[0].id == one.of(MoneyMoved)[0].id, "the ledger knows it by its id"


async def test_two_engines_book_a_deposit_between_them():
    async with fake_alpaca() as venue:
        clock = Clock(asyncio.get_running_loop(), START_NS, 500.0)
        shared = Shared(Rest(venue.url, LOGIN, clock), TradingStream(venue.url, LOGIN, clock))
        venue.days = [{"date": "2026-03-02", "open": "09:30", "close": "16:00"}]
        coins = adapted(venue, shared=shared, opened_ns=START_NS)
        shares = adapted(venue, ("COST",), shared=shared, opened_ns=START_NS)
        async with coins as one, shares as two:
            venue.money.append(row("CSD", "100.000001"))
            await until(lambda: one.of(MoneyMoved) and two.of(MoneyMoved))
            parts = [each.of(MoneyMoved)[0].amount_minor for each in (one, two)]
            assert parts == [50_000_001, 50_000_000]


class Timed(Rest):
    """Notes when it was asked, and what."""

    def __init__(self, url: str, clock: Clock):
        super().__init__(url, LOGIN, clock)
        self.asked: list[tuple[int, str]] = []  # when, and behind which row

    async def must(self, kind, path, query=None):
        self.asked.append((self.clock.now_ns(), (query or {}).get("page_token", "")))
        return await super().must(kind, path, query)


async def test_a_busy_account_is_read_with_patience():
    """A fee for each fill of a coin: after a day of 3,000 fills, each look was a burst, and behind 5,000 it failed."""
    async with fake_alpaca() as venue:
        venue.money += [row("CFEE", "0", name=f"fee {number:05}", qty="-0.001") for number in range(6_050)]
        venue.money.append(row("CSW", "-500", name="gone"))
        rest = Timed(venue.url, Clock(asyncio.get_running_loop(), START_NS, 5_000.0))
        told: list[MoneyMoved] = []
        said: list[str] = []
        watch = CashWatch(CashRows(rest, said.append), "crypto", lambda: [CRYPTO], START_NS)
        keeper = asyncio.create_task(watch.keep(told.append))
        try:
            await until(lambda: [token for _, token in rest.asked].count("") == 2)
        finally:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
            await rest.close()
        (gone,) = told
        assert gone.amount_minor == -500 * MINOR_PER_USD
        assert said == []
        times, pages = [at_ns for at_ns, _ in rest.asked], 61
        assert rest.asked[pages][1] == "", "the next look"
        waits_s = [(later - sooner) / NS_PER_S for sooner, later in pairwise(times)]
        assert min(waits_s[PAGES_AT_ONCE - 1 : pages]) >= PAGE_S
        assert waits_s[pages - 1] >= pages * LOOK_PAGE_S
