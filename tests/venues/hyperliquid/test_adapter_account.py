"""The account as the adapter shows it, against the emulated exchange: positions, fills, money, leverage."""

import pytest

from tests.venues.emulator.running import ADDRESS, Running, running
from tests.venues.hyperliquid.adapted import SPEED, adapted
from venues.hyperliquid.account import MONEY
from venues.hyperliquid.opening import NEVER_SET
from venues.hyperliquid.subscriptions import Gap
from venues.market import Accepted, Fill, MoneyMoved, Rejected
from venues.market import TimeInForce as Tif
from venues.venue import FillsUnread, Funded, VenueMisspoke

USD = 1_000_000


@pytest.fixture
def venue():
    with running(speed=SPEED) as one:
        yield one


async def test_a_position_in_what_is_not_traded_here_is_told_once_and_shuts_nothing(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        assert isinstance(await one.adapter.submit(one.order("ETH", "buy", tif=Tif.IOC)), Accepted)
        await one.until(lambda: one.of(Fill))
        ether = one.adapter.instruments["ETH"]
    async with adapted(venue, tmp_path, symbols=("BTC",)) as other:
        assert await other.adapter.positions() == await other.adapter.positions() == []
        assert len([text for text in other.said if "ETH, which is not traded here" in text]) == 1
    async with adapted(venue, tmp_path, symbols=("BTC",), held={"ETH": ether}) as holder:
        (held,) = await holder.adapter.positions()
        assert (held.symbol, held.lots > 0) == ("ETH", True)
        del holder.adapter.instruments["ETH"]
        with pytest.raises(VenueMisspoke, match="ETH has no instrument, and the ledger holds it"):
            await holder.adapter.positions()


async def test_a_fill_that_cannot_be_read_is_an_error_that_carries_the_others(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        await one.adapter.submit(one.order("ETH", "buy", tif=Tif.IOC))
        await one.until(lambda: one.of(Fill))
        good = await one.adapter.fills(one.adapter.wanted.known_ns)
        rows = venue.emulator.doors.exchange.accounts[ADDRESS].fills
        rows.append(rows[-1] | {"coin": "xyz:GONE", "px": "0.0", "tid": 1})
        assert await one.adapter.fills(one.adapter.wanted.known_ns) == good, "nobody trades that here"
        rows.append(rows[0] | {"px": "0.0", "tid": 2})
        with pytest.raises(FillsUnread, match="1 fills can't be read: a fill: ") as caught:
            await one.adapter.fills(one.adapter.wanted.known_ns)
        assert caught.value.fills == good
        assert len([text for text in one.said if ": a fill: " in text]) == 2


async def test_a_deposit_is_told_and_cash_is_what_the_venue_says(venue: Running, tmp_path):
    async with adapted(venue, tmp_path) as one:
        adapter = one.adapter
        assert isinstance(adapter, Funded)
        opening, opened_ns = adapter.cash_minor, adapter.cash_ns
        assert opening == 200_000 * USD
        venue.deposit(50)
        await adapter.clock.sleep(1)
        adapter._feed.hear(Gap(MONEY, opened_ns, opened_ns))
        await one.until(lambda: one.of(MoneyMoved))
        await adapter.positions()
        assert adapter.cash_minor == opening + 50 * USD
        (moved,) = one.of(MoneyMoved)
        assert (moved.amount_minor, moved.kind) == (50 * USD, "deposit")
    async with adapted(venue, tmp_path, opened_ns=opened_ns) as again:
        await again.until(lambda: again.of(MoneyMoved))
        assert again.of(MoneyMoved) == [moved], "told at every start, by the same id"
    async with adapted(venue, tmp_path) as fresh:
        await fresh.clock.sleep(10)
        assert not fresh.of(MoneyMoved), "it is in the opening balance"


async def test_a_unified_accounts_money_is_in_spot(venue: Running, tmp_path, monkeypatch):
    exchange = venue.emulator.doors.exchange
    monkeypatch.setitem(exchange._questions._answers, "userAbstraction", lambda *_: "unifiedAccount")
    exchange.accounts[ADDRESS].spot_minor = 123 * USD
    async with adapted(venue, tmp_path) as one:
        assert one.adapter.cash_minor == 123 * USD


async def test_nothing_is_entered_with_a_leverage_that_nobody_confirmed(venue: Running, tmp_path):
    venue.fault(kind="inner_error", requests=["updateLeverage"])
    async with adapted(venue, tmp_path) as one:
        (symbol,) = one.adapter._leverages.open
        assert one.adapter._leverages.open[symbol] != NEVER_SET
        refused = await one.adapter.submit(one.order(symbol, "buy", tif=Tif.IOC))
        assert isinstance(refused, Rejected) and refused.reason.startswith("not sent: its leverage could not be set")
        leaves = await one.adapter.submit(one.order(symbol, "sell", tif=Tif.IOC, reduce_only=True))
        assert "leverage" not in getattr(leaves, "reason", ""), "the venue is asked: it makes nothing larger"
        other = next(name for name in one.adapter.traded if name != symbol)
        assert isinstance(await one.adapter.submit(one.order(other, "buy", tif=Tif.IOC)), Accepted)
        await one.until(lambda: not one.adapter._leverages.open)
        assert isinstance(await one.adapter.submit(one.order(symbol, "buy", tif=Tif.IOC)), Accepted)
