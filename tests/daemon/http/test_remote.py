"""The service's streams as the daemon's market: nothing is lost, doubled or told out of order over a restart."""

import asyncio
from pathlib import Path

import pytest

from config.universe import load_universe
from daemon.markets import instrument_of, model_of
from supervisor.clock import Clock
from tests.daemon.http.serving import WAIT_S, serving
from tests.daemon.http.test_stream_http import streamed
from venues.aleatoric import remote
from venues.aleatoric.remote import Remote, RemoteMarket
from venues.market import Book
from venues.venue import VenueMisspoke

SYMBOLS = ("BTC", "xyz:TSLA")


def market(url: str, key: str) -> RemoteMarket:
    """The market of two symbols, as the daemon asks for it."""
    known = load_universe("perps")
    asked = Remote(
        url=url,
        key=key,
        seed=7,
        presets={symbol: f"perps:{symbol}" for symbol in SYMBOLS},
        models={symbol: model_of(known[symbol]) for symbol in SYMBOLS},
        instruments=tuple(instrument_of(known[symbol]) for symbol in SYMBOLS),
    )
    return RemoteMarket(asked, Clock.wall(asyncio.get_running_loop()))


async def heard(venue: RemoteMarket, batches, count: int, into: list) -> None:
    """Pull until so many more books of BTC are there."""
    wanted = sum(isinstance(one, Book) and one.symbol == "BTC" for one in into) + count
    async with asyncio.timeout(WAIT_S):
        while sum(isinstance(one, Book) and one.symbol == "BTC" for one in into) < wanted:
            into += await anext(batches)


async def test_a_service_that_starts_again_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(remote, "BACKOFF_S", 0.05)
    found: list = []
    with serving(tmp_path) as service:
        venue = market(service.url, service.key)
        assert set(venue.deaf()) == set(SYMBOLS) and len(await venue.open()) == 2
        assert service.key not in repr(venue.remote)
        batches = venue.market()
        await heard(venue, batches, 2, found)
        assert "BTC" not in venue.deaf()
    with serving(tmp_path, port=int(service.url.rpartition(":")[2])) as again:
        await heard(venue, batches, 3, found)
        await batches.aclose()
        start_ms = venue._start_ns // 1_000_000
        with again.client() as client:
            query = {"symbol": "BTC", "preset": "perps:BTC", "start_ms": start_ms, "duration_s": 60}
            whole = [data for _, data in streamed(client, **query)]
    mine = [one for one in found if one.symbol == "BTC"]
    for event, line in zip(mine, whole, strict=False):
        told = remote._decode(line)
        assert event.at_ns == told.timestamp_ms * 1_000_000
        assert isinstance(event, Book) == hasattr(told, "bids")
        if isinstance(event, Book):
            assert event.bids == told.bids and event.asks == told.asks
    assert len(mine) >= 5


async def test_a_refusal_is_no_silence(tmp_path: Path):
    with serving(tmp_path) as service:
        venue = market(service.url, "ak_live_wrong")
        batches = venue.market()
        with pytest.raises(VenueMisspoke, match="401"):
            await anext(batches)
        await batches.aclose()


async def test_the_past_is_the_markets_own(tmp_path: Path):
    venue = market("http://127.0.0.1:9", "x")
    bars = await venue.history("BTC", 60_000_000_000, 30)
    assert len(bars) == 30 and bars[-1].end_ns <= venue._start_ns
    assert bars == await venue.history("BTC", 60_000_000_000, 30)
