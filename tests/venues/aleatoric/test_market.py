"""Aleatoric as a market: order in time, the same bytes whoever else trades, honest books and trades."""

from collections.abc import Callable
from decimal import Decimal
from hashlib import sha256
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.model import BLOCK_STEPS, SymbolModel
from venues.aleatoric.shapes import EQUITY, MODELS
from venues.market import Book, MarketEvent, Side, Trade

START_NS = 1_760_000_000_000_000_000
NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
BTC, ETH = MODELS["hyperliquid_perp_btc"], MODELS["hyperliquid_perp_eth"]


def batches(models: list[SymbolModel], steps: int, seed: int = 7, **how: Callable[[int], bool]) -> list[MarketEvent]:
    market = AleatoricMarket(models, seed, START_NS, **how)
    events: list[MarketEvent] = []
    for _ in range(steps):
        batch = market.next_batch()
        assert batch is not None
        events += batch[1]
    return events


def digest(events: list[MarketEvent]) -> str:
    return sha256(msgspec.msgpack.encode(events)).hexdigest()


def test_the_same_seed_is_the_same_market_and_another_is_another():
    once, again = batches([BTC, ETH], 1100), batches([BTC, ETH], 1100)
    assert digest(once) == digest(again)
    assert digest(once[:200]) != digest(batches([BTC, ETH], 100, seed=8)[:200])


def test_a_symbol_does_not_hear_of_the_others():
    alone = batches([ETH], 1100)
    crowded = batches([MODELS["hyperliquid_perp_wlfi"], ETH, BTC], 1100)
    assert [event for event in crowded if event.symbol == "ETH"] == alone


def test_a_batch_is_trades_then_one_book_of_each_symbol_at_one_instant():
    market = AleatoricMarket([BTC, ETH], 7, START_NS)
    for step in range(1, 40):
        at_ns, events = market.next_batch() or pytest.fail("the market ended")
        assert at_ns == START_NS + step * BTC.cadence_ns
        assert {event.received_ns for event in events} == {at_ns}
        kinds = [type(event) for event in events]
        assert kinds == sorted(kinds, key=[Trade, Book].index)
        assert [event.symbol for event in events if isinstance(event, Book)] == ["BTC", "ETH"]
        assert all(at_ns - BTC.cadence_ns <= event.at_ns <= at_ns for event in events)


@pytest.mark.parametrize("preset", sorted(MODELS))
def test_trades_take_from_the_book_that_was_shown_before_them(preset):
    shown: Book | None = None
    paid: dict[tuple[int, Side], list[float]] = {}
    for event in batches([MODELS[preset]], BLOCK_STEPS + 200):
        if isinstance(event, Book):
            assert event.bids[0].price < event.asks[0].price
            shown = event
            continue
        assert shown is not None
        queues = {level.price: level.size for level in (shown.asks if event.side is Side.BUY else shown.bids)}
        assert 0 < event.size <= queues[event.price]
        prices = paid.setdefault((event.at_ns, event.side), [])
        assert event.price == list(queues)[len(prices)]  # an order starts at the touch and leaves out no level
        prices.append(event.price)
    assert len(paid) > 100


@pytest.mark.parametrize("preset", sorted(MODELS))
def test_prices_and_sizes_are_what_the_venue_would_print(preset):
    model = MODELS[preset]
    for event in batches([model], 40):
        levels = (*event.bids, *event.asks) if isinstance(event, Book) else [event]
        for level in levels:
            assert Decimal(repr(level.price)) % model.tick == 0
            assert Decimal(repr(level.size)) % model.lot == 0


def office_hours(at_ns: int) -> bool:
    return 13.5 * 3600 <= at_ns % DAY_NS / NS_PER_S < 20 * 3600


def test_a_closed_market_is_silent_and_goes_on_where_it_stood():
    share = replace(EQUITY, symbol="COST")
    events = [event for event in batches([share], 300, is_open=office_hours) if isinstance(event, Book)]
    assert all(office_hours(event.received_ns) for event in events)
    always = [event for event in batches([share], 300) if isinstance(event, Book)]
    assert [event.bids for event in events[:50]] == [event.bids for event in always[:50]]


def test_a_market_that_never_opens_ends():
    assert AleatoricMarket([replace(EQUITY, symbol="COST")], 7, START_NS, lambda at_ns: False).next_batch() is None


def test_two_models_of_one_symbol_are_refused():
    with pytest.raises(ValueError, match="same symbol"):
        AleatoricMarket([BTC, BTC], 7, START_NS)


@pytest.mark.parametrize(
    ("preset", "interval_s", "bars"), [("hyperliquid_perp_btc", 60, 300), ("alpaca_equity", 60, 450)]
)
def test_history_ends_at_the_initial_price_with_the_volatility_of_the_market(preset, interval_s, bars):
    model = MODELS[preset]
    market = AleatoricMarket([model], 7, START_NS, office_hours)
    past = market.history(model.symbol, interval_s * NS_PER_S, bars)
    assert len(past) == bars
    assert abs(past[-1].close / float(model.price_initial) - 1) < 1e-3
    assert past[-1].end_ns <= START_NS
    assert all(one.end_ns <= two.start_ns for one, two in pairwise(past))
    assert all(bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high for bar in past)
    returns = np.diff(np.log([bar.close for bar in past]))
    annual = returns.std() * (model.year_s / interval_s) ** 0.5
    assert 0.4 * model.volatility_annual < annual < 2.5 * model.volatility_annual


def test_history_of_days_is_quick_and_knows_the_session():
    share = replace(EQUITY, symbol="COST")
    market = AleatoricMarket(
        [share], 7, START_NS, lambda at_ns: office_hours(at_ns) and at_ns // DAY_NS % 7 not in (2, 3)
    )
    past = market.history("COST", DAY_NS, 240)
    assert len(past) == 240
    assert not [bar for bar in past if bar.start_ns // DAY_NS % 7 in (2, 3)]
    returns = np.diff(np.log([bar.close for bar in past]))
    assert 0.2 < returns.std() * 252**0.5 < 0.45


def test_funding_is_a_function_of_the_hour_and_only_perpetuals_pay_it():
    market = AleatoricMarket([BTC, ETH, replace(EQUITY, symbol="COST")], 7, START_NS)
    rates = market.funding(START_NS)
    assert [rate.symbol for rate in rates] == ["BTC", "ETH"]
    assert rates == market.funding(START_NS - START_NS % (3600 * NS_PER_S))
    days = [market.funding(START_NS + hour * 3600 * NS_PER_S)[0].rate for hour in range(200)]
    assert max(set(days), key=days.count) == Decimal("0.0000125")  # most hours pay plain interest
    assert len(set(days)) > 10
    assert max(map(abs, days)) < Decimal("0.001")
