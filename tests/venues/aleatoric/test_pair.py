"""The composite pair: the API page's frames, stamps of either order, shares, latencies, resumption at any event."""

import json
import tracemalloc
from functools import cache
from hashlib import sha256
from itertools import pairwise

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from venues.aleatoric.canonical.normalise import normalise_all
from venues.aleatoric.pair import SPOT_STREAM, CompositePair, PairEvent, PairState, PerpEvent, Source, SpotEvent
from venues.aleatoric.presets import get_preset
from venues.aleatoric.scenarios import parse_scenario
from venues.aleatoric.triangle import Pair, Triangle, models_of, pair_of

BTC = get_preset("binance_futures_btc")
PAIR = pair_of(BTC)
STEPS = 20_000

# The two shapes of the API page (aleatoric-api, GET /stream/live, mode=composite_pair), two levels for five.
SPOT_FRAME = (
    '{"type":"spot","payload":{"ts":1234567890000,"symbol":"BTCUSDT","best_bid":97001.2,"best_ask":97001.5,'
    '"bid_qty":0.84,"ask_qty":1.55,"src_latency_ms":1.2,"source_type":"trade",'
    '"depth_bids":[[97001.2,0.84],[97000.8,1.2]],"depth_asks":[[97001.5,1.55],[97001.9,0.9]]}}'
)
PERP_FRAME = (
    '{"type":"perp","payload":{"ts":1234567890000,"symbol":"BTCUSDT","mark":97005.3,"index":97001.35,'
    '"last_funding_rate":0.00035,"next_funding_time":1234596000000,"src_latency_ms":0.8,"best_bid":97005.1,'
    '"best_ask":97005.5,"bid_qty":2.1,"ask_qty":1.8,"source_type":"trade",'
    '"depth_bids":[[97005.1,2.1],[97004.7,1.3]],"depth_asks":[[97005.5,1.8],[97005.9,1.2]]}}'
)


@cache
def told() -> list[PairEvent]:
    return CompositePair(PAIR).pull(2 * STEPS)


def of(kind: type, events: list[PairEvent]) -> list:
    return [event.payload for event in events if isinstance(event, kind)]


def frames(events: list[PairEvent]) -> bytes:
    return b"\n".join(msgspec.json.encode(event) for event in events)


@pytest.mark.parametrize("frame", [SPOT_FRAME, PERP_FRAME])
def test_the_pages_frames_are_read_and_written_to_the_letter(frame):
    event = msgspec.json.decode(frame, type=PairEvent)
    assert msgspec.json.encode(event).decode() == frame


@pytest.mark.parametrize(("kind", "frame"), [(SpotEvent, SPOT_FRAME), (PerpEvent, PERP_FRAME)])
def test_what_is_told_has_the_pages_keys_in_the_pages_order(kind, frame):
    event = next(event for event in told() if isinstance(event, kind))
    said, page = json.loads(msgspec.json.encode(event)), json.loads(frame)
    assert list(said) == list(page)
    assert list(said["payload"]) == list(page["payload"])
    assert {name: type(value) for name, value in said["payload"].items()} == {
        name: type(value) for name, value in page["payload"].items()
    }
    assert [len(said["payload"][name]) for name in ("depth_bids", "depth_asks")] == [5, 5]


def test_both_speak_once_at_each_step_within_two_milliseconds():
    spots, perps = of(SpotEvent, told()), of(PerpEvent, told())
    assert len(spots) == len(perps) == STEPS
    cadence_ms = 100
    for step, (spot, perp) in enumerate(zip(spots, perps, strict=True)):
        natural = BTC.start_ms + (step + 1) * cadence_ms
        assert 0 <= spot.ts - natural <= 2
        assert 0 <= perp.ts - natural <= 2
    apart = np.array([spot.ts - perp.ts for spot, perp in zip(spots, perps, strict=True)])
    assert set(apart.tolist()) == {-2, -1, 0, 1, 2}
    # Both round a uniform time of 0 to 2 ms: 1/4, 1/2 and 1/4 at 0, 1 and 2, and independent of each other.
    late = np.array([[event.ts % cadence_ms for event in side] for side in (spots, perps)])
    for side in late:
        assert np.bincount(side) / STEPS == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert abs(np.corrcoef(late)[0, 1]) < 0.03


def test_either_may_be_first_and_time_never_goes_back():
    assert all(one.payload.ts <= two.payload.ts for one, two in pairwise(told()))
    first = [isinstance(event, SpotEvent) for event in told()[::2]]
    assert 0.48 < np.mean(first) < 0.52


def test_shares_of_sources():
    spots = of(SpotEvent, told())
    assert np.mean([spot.source_type == "trade" for spot in spots]) == pytest.approx(0.70, abs=0.015)
    assert {spot.source_type for spot in spots} == {"trade", "depth"}
    assert {perp.source_type for perp in of(PerpEvent, told())} == {"trade"}
    some = CompositePair(Pair(replace(PAIR.spot, spot_trade_share=0.2), PAIR.perp)).pull(8000)
    assert np.mean([spot.source_type == "trade" for spot in of(SpotEvent, some)]) == pytest.approx(0.20, abs=0.03)


@pytest.mark.parametrize(
    ("mode", "low", "high"), [("zero", 0.0, 0.0), ("colocated", 1.0, 5.0), ("retail", 50.0, 200.0)]
)
def test_latency_is_drawn_for_each_instrument(mode, low, high):
    events = CompositePair(pair_of(replace(BTC, src_latency_mode=mode))).pull(8000)
    found = np.array([[tick.src_latency_ms for tick in of(kind, events)] for kind in (SpotEvent, PerpEvent)])
    assert (found.min(), found.max()) == (low, high)
    if mode != "zero":
        assert found.mean(axis=1) == pytest.approx([(low + high) / 2] * 2, rel=0.03)
        assert abs(np.corrcoef(found)[0, 1]) < 0.05
        assert (found[0] != found[1]).mean() > 0.9


def test_each_may_have_a_latency_of_its_own():
    events = CompositePair(Pair(replace(PAIR.spot, src_latency_mode="retail"), PAIR.perp)).pull(200)
    assert min(tick.src_latency_ms for tick in of(SpotEvent, events)) >= 50.0
    assert {tick.src_latency_ms for tick in of(PerpEvent, events)} == {0.0}


def test_depth_is_in_order_and_begins_at_the_best():
    for event in told()[:4000]:
        tick = event.payload
        bids, asks = zip(*tick.depth_bids, strict=True), zip(*tick.depth_asks, strict=True)
        (bid_prices, _), (ask_prices, _) = tuple(bids), tuple(asks)
        assert list(bid_prices) == sorted(set(bid_prices), reverse=True)
        assert list(ask_prices) == sorted(set(ask_prices))
        assert tick.depth_bids[0] == (tick.best_bid, tick.bid_qty)
        assert tick.depth_asks[0] == (tick.best_ask, tick.ask_qty)
        assert tick.best_bid < tick.best_ask


def test_what_is_told_is_what_the_blocks_hold():
    block, spots, perps = Triangle(PAIR).next_block(), of(SpotEvent, told()), of(PerpEvent, told())
    for step in range(1024):
        spot, perp = spots[step], perps[step]
        assert spot.best_bid == int(block.spot.ticks[0, step, 0]) / 10
        assert perp.ask_qty == int(block.perp.lots[1, step, 0]) / 1000
        assert (perp.index, perp.mark) == (block.index[step], block.mark[step])
        assert perp.index == pytest.approx((spot.best_bid + spot.best_ask) / 2, abs=1e-9)


def test_next_funding_time_advances_at_settlements():
    hourly = replace(get_preset("hyperliquid_perp_btc"), book_update_interval_ms=10_000, premium_std_bps=40.0)
    perps = of(PerpEvent, CompositePair(pair_of(hourly)).pull(6000))
    hour_ms = 3_600_000
    for perp in perps:
        natural = perp.ts // 10_000 * 10_000
        assert perp.next_funding_time == natural // hour_ms * hour_ms + hour_ms
    turns = [(one, two) for one, two in pairwise(perps) if one.next_funding_time != two.next_funding_time]
    assert len(turns) == 8
    rates = {perp.next_funding_time: perp.last_funding_rate for perp in perps}
    assert all(perp.last_funding_rate == rates[perp.next_funding_time] for perp in perps)
    assert len(set(rates.values())) > 1


@settings(max_examples=12)
@given(pulls=st.lists(st.integers(1, 1500), min_size=1, max_size=6))
def test_any_pulls_and_any_resumption_give_the_same_events(pulls):
    pair, whole = CompositePair(PAIR), told()
    done = 0
    for count in pulls:
        assert frames(pair.pull(count)) == frames(whole[done : done + count])
        done += count
        saved = msgspec.json.encode(pair.state)
        pair = CompositePair(PAIR, msgspec.json.decode(saved, type=PairState))
    assert frames(pair.pull(100)) == frames(whole[done : done + 100])


def test_a_state_is_a_picture_that_does_not_move():
    pair = CompositePair(PAIR)
    pair.pull(100)
    state = pair.state
    before = msgspec.json.encode(state)
    CompositePair(PAIR, state).pull(5000)
    pair.pull(5000)
    assert msgspec.json.encode(state) == before


def test_the_draws_of_an_instrument_are_what_they_always_were():
    source, total = Source(replace(BTC, src_latency_mode="retail"), models_of(PAIR)[0], SPOT_STREAM, 0.7), sha256()
    for block in range(3):
        draws = source.draws(block, np.arange(1024, dtype=np.int64) * 10**8)
        for values in (draws.at_ns, np.rint(draws.latency_ms * 10), draws.from_trade):
            total.update(np.ascontiguousarray(values, "<i8").tobytes())
    assert total.hexdigest() == "406d50569c8b140afc73adacb40e910b38682031c7756c0f874660179d3028e5"


def test_memory_stays_flat():
    tracemalloc.start()
    try:
        pair, peaks = CompositePair(PAIR), []
        for _ in range(2):
            tracemalloc.reset_peak()
            for _ in range(4 * 2048):
                next(pair)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_another_seed_is_another_pair():
    assert frames(CompositePair(pair_of(replace(BTC, seed=43))).pull(50)) != frames(told()[:50])


def test_a_scenario_silences_one_or_empties_a_side():
    quiet = parse_scenario("gap@10s,for=20s,size=0.01")
    gone = parse_scenario("one_sided@50s,for=10s,size=1,side=bids")
    events = CompositePair(Pair(replace(PAIR.spot, scenarios=(quiet, gone)), PAIR.perp)).pull(1800)
    spots, perps = of(SpotEvent, events), of(PerpEvent, events)
    assert not [spot for spot in spots if 10_100 <= spot.ts - BTC.start_ms <= 29_900]
    assert len([perp for perp in perps if 10_100 <= perp.ts - BTC.start_ms <= 29_900]) == 198
    empty = [spot for spot in spots if not spot.depth_bids]
    assert len(empty) == 100
    assert {(spot.best_bid, spot.bid_qty) for spot in empty} == {(None, None)}
    assert all(spot.depth_asks for spot in empty)
    said = json.loads(msgspec.json.encode(SpotEvent(empty[0])))
    assert said["payload"]["best_bid"] is None


def test_a_fast_pair_keeps_its_steps_apart():
    quick = pair_of(replace(BTC, book_update_interval_ms=1))
    spots, perps = (of(kind, CompositePair(quick).pull(4000)) for kind in (SpotEvent, PerpEvent))
    for step, (spot, perp) in enumerate(zip(spots, perps, strict=True)):
        assert 0 <= spot.ts - BTC.start_ms - step - 1 <= 1
        assert 0 <= perp.ts - BTC.start_ms - step - 1 <= 1


def test_the_canonical_reader_takes_every_event():
    some = told()[:1000]
    read = normalise_all("synthetic", [msgspec.json.encode(event) for event in some])
    assert not read.bad
    assert len(read.books) == len(some)
    for event, book in zip(some, read.books, strict=True):
        assert book.at_ns == event.payload.ts * 1_000_000
        assert [(float(price), float(size)) for price, size in book.bids] == list(event.payload.depth_bids)
