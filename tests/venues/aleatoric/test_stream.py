"""The stream driver: event for event what the files hold, in the page's words or the venue's, at a clock's pace."""

import json

import msgspec
import polars as pl
import pytest
from msgspec.structs import replace

from config.errors import ConfigError
from supervisor.clock import Clock
from supervisor.virtual import run_virtual
from venues.aleatoric.artifacts.driver import Settings, run_batch
from venues.aleatoric.artifacts.stream import FORMATS, lines_of, paced, wire_events, wire_lines
from venues.aleatoric.batch import Batch
from venues.aleatoric.dialects.speakers import speaker_of
from venues.aleatoric.manifest import SimulationManifest
from venues.aleatoric.manifest_model import model_of
from venues.aleatoric.pair import JITTER_NS_MAX
from venues.aleatoric.presets import PRESETS, get_preset
from venues.aleatoric.scenarios import parse_scenario
from venues.alpaca import market_wire as alpaca
from venues.hyperliquid import wire as hyperliquid
from venues.market import Book, Trade

HOUR_NS = 3_600 * 1_000_000_000
BEFALLS = tuple(map(parse_scenario, ["one_sided@2m", "gap@5m", "crossed@7m", "frozen@9m"]))


def two_hours_a_day(at_ns: int) -> bool:
    return 14.5 * HOUR_NS <= at_ns % (24 * HOUR_NS) < 16.5 * HOUR_NS


@pytest.mark.parametrize(
    "name", ["hyperliquid_perp_btc", "perps:kSHIB", "crypto:SHIB/USD", "bybit_futures_btc", "equities:PLTR"]
)
def test_the_stream_is_the_file_event_for_event(name, tmp_path):
    manifest = replace(get_preset(name), scenarios=BEFALLS)
    batch = Batch(manifest, 8_000 if name == "equities:PLTR" else 900, two_hours_a_day)
    report = run_batch(batch, tmp_path / "x.parquet", Settings())
    said = [msgspec.json.decode(line) for _, line in wire_lines(batch)]
    rows = pl.read_parquet(report.files["events"]).to_dicts()
    assert len(said) == len(rows) == report.row_count
    for event, row in zip(said, rows, strict=True):
        assert event == {key: row[key] for key in event}
        assert all(row[key] is None for key in row.keys() - event.keys())


@pytest.mark.parametrize("form", sorted(FORMATS))
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_streams_in_every_form(name, form):
    lines = list(lines_of(Batch(get_preset(name), 30), form))
    assert len(lines) > 30
    times = [at_ns for at_ns, _ in lines]
    assert times == sorted(times)
    start_ns = PRESETS[name].start_ms * 1_000_000
    late_ns = JITTER_NS_MAX if form == "pair" else 0  # each of a pair's events is up to this late, the last one too
    assert start_ns < times[0] <= times[-1] <= start_ns + 30 * 1_000_000_000 + late_ns
    assert all(isinstance(json.loads(line), dict | list) for _, line in lines)


def test_the_venue_s_frames_are_the_books_and_trades():
    batch = Batch(replace(PRESETS["hyperliquid_perp_sol"], scenarios=BEFALLS[:2]), 600)
    heard = [hyperliquid.decode(frame, at_ns) for at_ns, frame in lines_of(batch, "venue")]
    books = [said for said in heard if isinstance(said, Book)]
    trades = [trade for said in heard if isinstance(said, tuple) for trade in said if isinstance(trade, Trade)]
    events = [event for _, event in wire_events(batch)]
    wire_books = [event for event in events if hasattr(event, "bids")]
    assert len(books) == len(wire_books)
    assert len(trades) == len(events) - len(wire_books)
    for book, event in zip(books, wire_books, strict=True):
        assert [(level.price, level.size) for level in book.bids] == [(level.price, level.size) for level in event.bids]
        assert len(book.asks) == len(event.asks)


def test_a_share_s_frames_stand_still_while_its_session_does():
    batch = Batch(get_preset("equities:PLTR"), 9_000, two_hours_a_day)
    lines = list(lines_of(batch, "venue"))
    assert all(two_hours_a_day(at_ns) for at_ns, _ in lines)
    assert lines[-1][0] - lines[0][0] > 24 * HOUR_NS
    stamps = [said.at_ns for at_ns, frame in lines for said in alpaca.decode(frame, at_ns) if hasattr(said, "at_ns")]
    assert len(stamps) >= len(lines)
    assert all(two_hours_a_day(at_ns + 1_000_000_000) for at_ns in stamps)


@pytest.mark.parametrize("seconds", [55, 56, 110, 563.2])
def test_a_pair_ends_with_the_last_step_of_the_run(seconds):
    batch = Batch(PRESETS["hyperliquid_perp_sol"], seconds)
    assert len(list(lines_of(batch, "pair"))) == 2 * batch.steps


def test_an_unknown_form_and_an_exchange_without_a_dialect_are_refused():
    batch = Batch(PRESETS["hyperliquid_perp_sol"], 30)
    with pytest.raises(ConfigError, match="must be one of wire, venue, pair"):
        lines_of(batch, "xml")
    manifest = SimulationManifest(exchange="cme", asset_class="future")
    with pytest.raises(ConfigError, match=r"cme.*speaks no dialect of future; there are alpaca equity"):
        speaker_of(manifest, model_of(manifest))


def test_a_paced_stream_keeps_the_market_s_own_time():
    batch = Batch(PRESETS["hyperliquid_perp_sol"], 120)
    told: list[tuple[int, bytes]] = []

    async def main(clock: Clock) -> int:
        said = 0
        async for said in paced(wire_lines(batch), clock, lambda line: told.append((clock.now_ns(), line))):
            assert said == len(told)
        return said

    start_ns = 1_000_000_000
    assert run_virtual(main, start_ns) == len(told)
    lines = list(wire_lines(batch))
    assert told == [(start_ns + at_ns - lines[0][0], line) for at_ns, line in lines]
