"""What the account's channels did not tell is asked for: page by page, each row once, a bad row beside the others."""

from decimal import Decimal

import pytest

from supervisor.clock import NS_PER_MS, NS_PER_S
from tests.venues.hyperliquid.said import FILL, FUNDING, USER, frame
from tests.venues.hyperliquid.scripted import NOW_NS, ScriptedAsker
from venues.hyperliquid.account import EVENTS, FILLS, MONEY, MONEY_NS, AccountFeed
from venues.hyperliquid.cash import Purse
from venues.hyperliquid.orders import Orders, Translator
from venues.hyperliquid.subscriptions import Gap
from venues.hyperliquid.wire import decode
from venues.market import Fill, FundingPaid, Instrument, MoneyMoved
from venues.venue import VenueUnreachable

NOW_MS = NOW_NS // NS_PER_MS
HOUR_MS = 3_600_000
ETH = Instrument(symbol="ETH", engine="perps", tick=Decimal("0.01"), lot=Decimal("0.0001"))
BTC = Instrument(symbol="BTC", engine="perps", tick=Decimal("0.1"), lot=Decimal("0.00001"))


class Budget:
    """Counts nothing."""

    address = property(lambda self: self)

    def traded(self, usd):
        pass


def feed(since_ns=NOW_NS - 3600 * NS_PER_S, opened_ms=NOW_MS - HOUR_MS, **answers):
    """A feed whose ledger knows all up to a time, and what it told a person."""
    asker, said = ScriptedAsker(**answers), []
    asker.budget = Budget()
    translator = Translator("perps", {"ETH": ETH, "BTC": BTC}, Orders())
    purse = Purse(USER, ("", "xyz"), since_ms=opened_ms)
    return AccountFeed(None, asker, translator, purse, since_ns, said.append), said


def cut(rows, page=500):
    """A venue that tells the oldest of a window, so many at most, and no word that there are more."""

    def answer(body):
        return [row for row in rows if body["startTime"] <= row["time"] <= body["endTime"]][:page]

    return answer


def paid(hours_ago, coin="ETH"):
    delta = {"type": "funding", "coin": coin, "usdc": "-0.01", "szi": "1.0", "fundingRate": "0.0000125"}
    hour_ms = NOW_MS // HOUR_MS * HOUR_MS
    return {"time": hour_ms - hours_ago * HOUR_MS + 15, "hash": "0x0", "delta": delta | {"nSamples": None}}


def moved(ms_ago, usdc="5.0", kind="deposit"):
    return {"time": NOW_MS - ms_ago, "hash": f"0x{ms_ago:064x}", "delta": {"type": kind, "usdc": usdc}}


def missing(account, since_ns, *channels):
    """These are missing, and nothing else."""
    account.gaps = {channel: Gap(channel, since_ns, NOW_NS) for channel in channels}


def of(account, kind):
    return [event for event in account.events if type(event) is kind]


async def test_funding_of_a_long_gap_is_asked_for_page_by_page():
    """An answer stops at 500 rows: 28 coins fill it in 18 hours."""
    rows = [paid(hours, coin) for hours in range(600, 0, -1) for coin in ("BTC", "ETH")]
    account, _ = feed(since_ns=NOW_NS - 601 * 3600 * NS_PER_S, userFunding=[cut(rows)])
    missing(account, account.floor_ns, EVENTS)
    await account.mend()
    assert len(of(account, FundingPaid)) == len({event.id for event in of(account, FundingPaid)}) == 1200
    assert account.gaps == {}


async def test_funding_that_the_stream_told_is_not_told_again_with_another_stamp():
    row = paid(0)
    account, _ = feed(userFunding=[[row]], since_ns=NOW_NS - 2 * 3600 * NS_PER_S)
    streamed = FUNDING | {"time": row["time"] + 40, "coin": "ETH"}
    account.hear(decode(frame("user", {"funding": streamed}), NOW_NS))
    missing(account, account.floor_ns, EVENTS)
    await account.mend()
    assert len(of(account, FundingPaid)) == 1


async def test_money_that_came_or_went_after_the_opening_is_told_once():
    kinds = [moved(2 * HOUR_MS), moved(HOUR_MS), moved(5_000, "7.5"), moved(4_000, "2.0", "withdraw")]
    account, said = feed(
        userNonFundingLedgerUpdates=[cut([*kinds, moved(3_000, kind="moonPhase"), moved(2_000, "no")])]
    )
    missing(account, NOW_NS - 3600 * NS_PER_S, MONEY)
    await account.mend()
    told = of(account, MoneyMoved)
    assert [(one.amount_minor, one.kind) for one in told] == [(7_500_000, "deposit"), (-2_000_000, "withdraw")]
    assert told[0].at_ns == (NOW_MS - 5_000) * NS_PER_MS
    assert len(said) == 2 and "not known here" in said[0] and "makes no sense" in said[1]
    account.look_for_money()
    assert account.gaps == {}, "not so soon again"
    account.clock.at_ns += MONEY_NS + 1
    account.look_for_money()
    assert account.gaps.keys() == {MONEY}
    await account.mend()
    assert len(of(account, MoneyMoved)) == 2, "asked again, told once"
    assert len(said) == 2


async def test_what_was_found_is_not_asked_again_because_something_else_failed():
    account, _ = feed(userFunding=[[paid(0)]], userNonFundingLedgerUpdates=[VenueUnreachable("gone"), []])
    missing(account, NOW_NS - 3600 * NS_PER_S, EVENTS, MONEY)
    with pytest.raises(VenueUnreachable):
        await account.mend()
    assert account.gaps.keys() == {MONEY}
    await account.mend()
    assert account.gaps == {}
    assert len(account.asker.asked["userFunding"]) == 1


BAD = FILL | {"px": "0.0", "tid": 77, "time": NOW_MS - 1_000}
GOOD = FILL | {"time": NOW_MS - 900}


async def test_a_fill_that_makes_no_sense_is_told_once_and_hides_no_other():
    account, said = feed(userFillsByTime=[[BAD, GOOD]])
    account.hear(decode(frame("userFills", {"user": USER, "fills": [BAD, GOOD]}), NOW_NS))
    account.hear(decode(frame("user", {"fills": [BAD, GOOD]}), NOW_NS))
    missing(account, NOW_NS - 5 * NS_PER_S, FILLS)
    await account.mend()
    assert len(of(account, Fill)) == 1
    (text,) = said
    assert text.startswith("ETH: a fill: a fill's price and size are not positive")


async def test_what_makes_no_sense_matters_where_it_may_be_of_what_is_traded():
    nameless = {key: value for key, value in BAD.items() if key != "coin"}
    foreign = BAD | {"coin": "xyz:NVDA"}
    account, _ = feed(userFillsByTime=[[BAD, foreign, nameless, GOOD]])
    rows = await account.rows(NOW_NS - 5 * NS_PER_S)
    assert [row.tid for row in rows] == [GOOD["tid"]]
    assert [row.coin for row in account.doubtful(rows.unread)] == ["ETH", ""]


async def test_what_made_no_sense_before_the_ledger_began_is_nobodys_business():
    account, said = feed()
    account.hear(decode(frame("userFills", {"user": USER, "fills": [BAD | {"time": NOW_MS - 2 * HOUR_MS}]}), NOW_NS))
    assert said == []
