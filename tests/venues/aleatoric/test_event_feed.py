"""One stream of all that markets say: complete against the blocks, in order, the same for any pull; bars by hand."""

from datetime import date
from decimal import Decimal
from functools import cache
from itertools import groupby, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from config.errors import ConfigError
from risk.session import SessionCalendar, is_open
from venues.aleatoric.batch import Batch
from venues.aleatoric.dialects.dialect import Candle, Mark
from venues.aleatoric.events import CHANNELS, MINUTE_NS, SECOND_NS, EventMarketFeed, FeedEvent, Wanted
from venues.aleatoric.funding.payments import FundingRate, funding, predicted
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.presets import get_preset
from venues.aleatoric.scenarios import parse_scenario
from venues.aleatoric.triangle import Triangle, pair_of
from venues.market import Book, Side, Trade

BTC, ETH = get_preset("hyperliquid_perp_btc"), get_preset("hyperliquid_perp_eth")
START_NS = BTC.start_ms * 1_000_000
HOUR_NS = 60 * MINUTE_NS
SHORT = Wanted(seconds=1200.0, bars_ns=(15 * SECOND_NS, MINUTE_NS))
KINDS = {Candle: "bars", Trade: "trades", Book: "books", Mark: "marks", FundingRate: "funding"}


def moment_ns(event: FeedEvent) -> int:
    if isinstance(event, Candle):
        return event.bar.end_ns
    return event.received_ns if isinstance(event, Book | Trade) else event.at_ns


def symbol_of(event: FeedEvent) -> str:
    return event.bar.symbol if isinstance(event, Candle) else event.symbol


@cache
def told() -> list[FeedEvent]:
    return list(EventMarketFeed([BTC, ETH], SHORT))


def of(kind: type, symbol: str = "BTC") -> list:
    return [event for event in told() if isinstance(event, kind) and symbol_of(event) == symbol]


def test_events_are_in_order_and_ties_are_by_channel_then_source():
    order = {"BTC": 0, "ETH": 1}
    keys = [(moment_ns(event), CHANNELS.index(KINDS[type(event)]), order[symbol_of(event)]) for event in told()]
    assert keys == sorted(keys)
    # There are instants at which everything meets, else the order of ties would be untested.
    meetings = [len({key[1] for key in group}) for _, group in groupby(keys, lambda key: key[0])]
    assert max(meetings) >= 4


@pytest.mark.parametrize("manifest", [BTC, ETH])
def test_every_book_and_trade_of_the_blocks_is_there_once(manifest):
    rows = list(Batch(manifest, SHORT.seconds).rows())
    books, trades = of(Book, manifest.symbol), of(Trade, manifest.symbol)
    assert len(books) == sum(len(part.received_ns) for part in rows) == 1200 * 100 // 55
    assert [trade.at_ns for trade in trades] == [int(at) for part in rows for at in part.trade_at_ns]


def test_books_and_trades_are_those_of_the_consolidated_market():
    market = AleatoricMarket([model_of(BTC), model_of(ETH)], BTC.seed, START_NS)
    heard = []
    while (batch := market.next_batch()) and batch[0] <= START_NS + 1200 * SECOND_NS:
        heard += batch[1]
    assert [event for event in told() if isinstance(event, Book | Trade)] == heard


@pytest.mark.parametrize("wanted_ns", SHORT.bars_ns)
def test_bars_are_what_the_books_and_trades_say(wanted_ns):
    bars = [candle for candle in of(Candle) if candle.bar.interval_ns == wanted_ns]
    assert len(bars) == 1200 * SECOND_NS // wanted_ns - 1  # the last step ends half a second too soon for the last
    for candle in bars:
        bar = candle.bar
        inside = [
            event for event in told() if isinstance(event, Book | Trade) and event.symbol == "BTC"
            if bar.start_ns <= event.received_ns < bar.end_ns
        ]  # fmt: skip
        mids = [
            float((Decimal(repr(book.bids[0].price)) + Decimal(repr(book.asks[0].price))) / 2)
            for book in inside
            if isinstance(book, Book)
        ]
        trades = [trade for trade in inside if isinstance(trade, Trade)]
        assert (bar.open, bar.high, bar.low, bar.close) == (mids[0], max(mids), min(mids), mids[-1])
        assert (bar.books, candle.trades) == (len(mids), len(trades))
        bought = [trade for trade in trades if trade.side is Side.BUY]
        for volume, notional, some in (
            (candle.volume, candle.notional_usd, trades),
            (candle.volume_bought, candle.notional_bought_usd, bought),
        ):
            assert Decimal(repr(volume)) == sum((Decimal(repr(trade.size)) for trade in some), Decimal(0))
            assert notional == pytest.approx(sum(trade.price * trade.size for trade in some))
    assert all(one.bar.end_ns == two.bar.start_ns for one, two in pairwise(bars))


def test_marks_come_each_second_and_know_the_book_of_their_instant():
    marks, books = of(Mark), of(Book)
    assert [mark.at_ns for mark in marks] == [START_NS + second * SECOND_NS for second in range(1, 1200)]
    last, model = 0, model_of(BTC)
    for mark in marks:
        while last + 1 < len(books) and books[last + 1].received_ns <= mark.at_ns:
            last += 1
        bid, ask = books[last].bids[0], books[last].asks[0]
        assert mark.mid == mark.mark == (bid.price + ask.price) / 2
        assert (mark.bid, mark.bid_size, mark.ask, mark.ask_size) == (bid.price, bid.size, ask.price, ask.size)
        assert mark.mark / mark.index - 1.0 == pytest.approx(float(mark.premium), abs=1e-6)
        assert mark.impact_bid <= mark.bid < mark.ask <= mark.impact_ask
    for mark in marks[::200]:
        assert mark.funding_rate == predicted(model, BTC.seed, mark.at_ns).rate
        assert mark.next_funding_ns == START_NS + HOUR_NS


def test_figures_of_a_day_are_those_of_its_trades():
    hours = 27
    slow = replace(BTC, book_update_interval_ms=20_000)
    heard = list(
        EventMarketFeed([slow], Wanted(seconds=hours * 3600.0, channels=("trades", "marks"), marks_ns=HOUR_NS))
    )
    trades = [event for event in heard if isinstance(event, Trade)]
    marks = [event for event in heard if isinstance(event, Mark)]
    assert len(marks) == hours
    for number, mark in enumerate(marks, start=1):
        since_ns = START_NS + max(0, number - 24) * HOUR_NS
        day = [trade for trade in trades if since_ns <= trade.received_ns <= mark.at_ns]
        # What is received on the full hour opens the next one, and belongs to it.
        assert mark.day_volume == pytest.approx(sum(trade.size for trade in day), rel=1e-9)
        assert mark.day_notional_usd == pytest.approx(sum(trade.price * trade.size for trade in day))
        assert mark.day_high >= max(trade.price for trade in day)
        assert mark.day_low <= min(trade.price for trade in day)
        assert (mark.last, mark.last_size) == (day[-1].price, day[-1].size)


def test_funding_is_told_at_each_settlement():
    slow = replace(BTC, book_update_interval_ms=30_000)
    wanted = Wanted(seconds=12 * 3600.0, channels=("funding", "books"))
    heard = list(EventMarketFeed([slow], wanted))
    rates = [event for event in heard if isinstance(event, FundingRate)]
    model = model_of(slow)
    assert [rate.at_ns for rate in rates] == [START_NS + hour * HOUR_NS for hour in range(1, 13)]
    assert all((rate,) == funding([model], slow.seed, rate.at_ns) for rate in rates)
    for rate in rates:  # the book of the instant is there already
        before = heard[heard.index(rate) - 1]
        assert isinstance(before, Book)
        assert before.received_ns == rate.at_ns


@pytest.mark.parametrize("channels", [("bars",), ("trades", "marks"), ("funding",), ("books", "bars")])
def test_a_channel_says_the_same_whatever_else_is_asked_for(channels):
    heard = list(EventMarketFeed([BTC, ETH], replace(SHORT, channels=channels)))
    assert heard == [event for event in told() if KINDS[type(event)] in channels]


def test_a_symbol_says_the_same_whoever_else_is_there():
    assert list(EventMarketFeed([ETH], SHORT)) == [event for event in told() if symbol_of(event) == "ETH"]


@settings(max_examples=10)
@given(pulls=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_any_pulls_give_the_same_events(pulls):
    feed, done = EventMarketFeed([BTC, ETH], SHORT), 0
    for count in pulls:
        assert feed.pull(count) == told()[done : done + count]
        done += count


def test_a_feed_without_channels_ends():
    assert list(EventMarketFeed([BTC], replace(SHORT, channels=()))) == []


def test_a_pair_says_its_index_and_mark():
    pair = pair_of(get_preset("binance_futures_btc"))
    pair = replace(pair, spot=replace(pair.spot, symbol="BTCUSDT-SPOT"))
    heard = list(EventMarketFeed([pair], Wanted(seconds=90.0)))
    block = Triangle(pair).next_block()
    marks = [event for event in heard if isinstance(event, Mark)]
    assert [mark.symbol for mark in marks] == ["BTCUSDT"] * 90
    for second, mark in enumerate(marks, start=1):
        assert (mark.index, mark.mark) == (block.index[second * 10 - 1], block.mark[second * 10 - 1])
    books = [event.symbol for event in heard if isinstance(event, Book)]
    assert books == ["BTCUSDT-SPOT", "BTCUSDT"] * 900
    order = {"BTCUSDT-SPOT": 0, "BTCUSDT": 1}
    keys = [(moment_ns(event), CHANNELS.index(KINDS[type(event)]), order[symbol_of(event)]) for event in heard]
    assert keys == sorted(keys)


def test_an_equity_is_silent_while_its_market_is_closed():
    share = replace(get_preset("equities:PPL"), book_update_interval_ms=60_000, start_ms=BTC.start_ms)
    calendar = SessionCalendar(first=date.min, last=date.max)
    open_now = lambda at_ns: is_open("us_equities", at_ns, calendar)  # noqa: E731
    wanted = Wanted(seconds=2 * 23_400.0, bars_ns=(5 * MINUTE_NS,))
    heard = list(EventMarketFeed([share], wanted, open_now))
    assert {type(event) for event in heard} <= {Book, Trade, Candle}
    assert all(open_now(event.received_ns) for event in heard if isinstance(event, Book))
    assert len([event for event in heard if isinstance(event, Book)]) == 2 * 390
    bars = [event.bar for event in heard if isinstance(event, Candle)]
    assert all(open_now(bar.start_ns) and bar.books for bar in bars)
    assert len(bars) in (2 * 78, 2 * 78 - 1)  # the last may be open still
    days = {bar.start_ns // (24 * HOUR_NS) for bar in bars}
    assert len(days) == 2
    moments = [moment_ns(event) for event in heard]
    assert moments == sorted(moments)
    market = AleatoricMarket([model_of(share)], share.seed, share.start_ms * 1_000_000, open_now)
    books = []
    while len(books) < 2 * 390:
        books += [event for event in market.next_batch()[1] if isinstance(event, Book)]
    assert [event for event in heard if isinstance(event, Book)] == books


def test_scenarios_silence_and_empty():
    quiet, gone = parse_scenario("gap@1m,for=3m,size=0.01"), parse_scenario("one_sided@6m,for=1m,size=1")
    eventful = replace(BTC, scenarios=(quiet, gone))
    heard = list(EventMarketFeed([eventful], Wanted(seconds=600.0)))
    bars = [event.bar for event in heard if isinstance(event, Candle)]
    silent = [bar for bar in bars if not bar.books]
    assert [bar.start_ns for bar in silent] == [START_NS + minute * MINUTE_NS for minute in (1, 2, 3, 6)]
    before = [bars[0], bars[0], bars[0], bars[5]]
    for bar, last in zip(silent, before, strict=True):
        assert {bar.open, bar.high, bar.low, bar.close} == {last.close}
    empty = [event for event in heard if isinstance(event, Book) and not event.asks]
    assert len(empty) == 109
    assert all(book.bids for book in empty)
    during = [mark for mark in heard if isinstance(mark, Mark) and mark.mid is None]
    assert 58 <= len(during) <= 61
    assert len({mark.mark for mark in during}) == 1
    assert {(mark.ask, mark.impact_ask) for mark in during} == {(None, None)}


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"channels": ("books", "bids")}, "channels"),
        ({"bars_ns": (0,)}, "bars_ns"),
        ({"marks_ns": -1}, "marks_ns"),
        ({"seconds": 0.0}, "seconds"),
    ],
)
def test_what_cannot_be_told_is_refused(wanted, field):
    with pytest.raises(ConfigError) as refused:
        EventMarketFeed([BTC], Wanted(**wanted))
    assert refused.value.field == field


def test_two_markets_of_one_name_are_refused():
    with pytest.raises(ConfigError, match="symbol"):
        EventMarketFeed([BTC, replace(BTC, seed=7)])
    with pytest.raises(ConfigError, match="symbol"):
        EventMarketFeed([pair_of(BTC)])


def test_a_market_that_pays_no_funding_has_no_marks():
    spot = SimulationManifest(asset_class="spot", exchange="alpaca", symbol="BTC/USD")
    heard = list(EventMarketFeed([spot], Wanted(seconds=300.0)))
    assert {KINDS[type(event)] for event in heard} == {"bars", "trades", "books"}
