"""The generator's own output through canonicalisation: whatever it says, in any dialect, is what it made."""

import json
from decimal import Decimal

import pytest
from msgspec.structs import replace

from tests.venues.aleatoric.speaking import blocks, books_of, part_of
from venues.aleatoric.artifacts import table
from venues.aleatoric.artifacts.rows import rows_of
from venues.aleatoric.canonical.events import BookEvent
from venues.aleatoric.canonical.normalise import normalise_all
from venues.aleatoric.dialects.binance import SPOT, USDM, BinanceSpeaker
from venues.aleatoric.dialects.dialect import in_time_order
from venues.aleatoric.dialects.hyperliquid import EACH_STEP, HyperliquidSpeaker
from venues.aleatoric.shapes import MODELS

STEPS = 120
BTC = MODELS["hyperliquid_perp_btc"]
ETH_AT_BINANCE = replace(MODELS["hyperliquid_perp_eth"], symbol="ETHUSDT", tick=Decimal("0.10"), lot=Decimal("0.001"))


def part(model):
    return part_of(blocks(model, 11)[0], STEPS)


def floats(event):
    return tuple([(float(price), float(size)) for price, size in side] for side in (event.bids, event.asks))


def traded(model, block):
    """(price, size, sign) of a block's trades."""
    price, size = model.price_fraction, model.size_fraction
    columns = (block.trade_ticks.tolist(), block.trade_lots.tolist(), block.trade_sign.tolist())
    return [(t * price[0] / price[1], n * size[0] / size[1], sign) for t, n, sign in zip(*columns, strict=True)]


def deals(canonical):
    return [(float(trade.price), float(trade.size), trade.side.sign) for trade in canonical.trades]


def test_hyperliquids_frames_come_back_as_the_block():
    block = part(BTC)
    speaker = HyperliquidSpeaker(BTC, 11, EACH_STEP)
    frames = in_time_order(speaker.trades(block), speaker.books(block))
    rows = [{"payload": frame, "received_ns": at_ns} for at_ns, frame in frames]
    canonical = normalise_all("hyperliquid", rows, BTC.symbol)
    assert [floats(book) for book in canonical.books] == books_of(BTC, block, 20) and not canonical.bad
    assert deals(canonical) == traded(BTC, block)
    assert len(canonical.events) > STEPS and all(book.venue_data["n"] for book in canonical.books)


@pytest.mark.parametrize("feed", [SPOT, USDM])
def test_binances_changes_build_the_blocks_books(feed):
    block = part(ETH_AT_BINANCE)
    speaker = BinanceSpeaker(ETH_AT_BINANCE, 11, feed)
    books, snapshot = speaker.books(block), speaker.snapshot(block, 0)
    frames = in_time_order(speaker.trades(block), books, speaker.touch(block))
    rows = [snapshot, *({"payload": frame, "received_ns": at_ns} for at_ns, frame in frames)]
    canonical = normalise_all("binance", rows, "ETHUSDT")
    assert not canonical.bad
    by_changes = [book for book in canonical.books if "U" in book.venue_data]
    assert [floats(book) for book in by_changes][-len(books) + 1 :] == books_of(ETH_AT_BINANCE, block, 20)[1:]
    assert canonical.trades


def test_the_events_of_the_api_come_back_as_the_block():
    block = part(BTC)
    arrivals = block.start_ns + (1 + block.age_ns * 0).cumsum() * BTC.cadence_ns
    events = table.events(BTC, rows_of(block, arrivals, BTC.cadence_ns))
    rows = [json.dumps({name: value for name, value in row.items() if value is not None}) for row in events.to_dicts()]
    canonical = normalise_all("synthetic", rows, BTC.symbol)
    assert not canonical.bad and len(canonical.events) == len(rows)
    assert [floats(book) for book in canonical.books] == books_of(BTC, block, 20)
    assert deals(canonical) == traded(BTC, block)
    assert all(isinstance(e, BookEvent) or float(e.venue_data["notional_usd"]) for e in canonical.events)
    assert normalise_all("synthetic", events.to_dicts(), BTC.symbol).events[0].bids == canonical.events[0].bids
