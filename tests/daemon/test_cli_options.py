"""The options of a run: what is understood, and what is refused with the field, the value and what would be right."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon import options
from daemon.errors import BadInput
from daemon.options import Mode, RunOptions

NS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "seconds"), [("60s", 60), ("90m", 5400), ("24h", 86400), ("7d", 604800), ("1h30m", 5400), (" 0.5s ", 0.5)]
)
def test_lengths_of_time(text, seconds):
    assert options.parse_duration_ns(text) == seconds * NS


@pytest.mark.parametrize("text", ["", "60", "s", "-1s", "nan", "infs", "1e3s", "0s", "99999d", "1h 30m", "٣s", "60 s"])
def test_lengths_of_time_refused(text):
    with pytest.raises(BadInput) as caught:
        options.parse_duration_ns(text)
    assert caught.value.field == "--for"
    assert caught.value.value == text


@pytest.mark.parametrize(("text", "speed"), [("1", 1.0), ("60", 60.0), ("0.5", 0.5), ("max", None), ("MAX", None)])
def test_speeds(text, speed):
    assert options.parse_speed(text) == speed


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "1001", "fast", "", "1e2"])
def test_speeds_refused(text):
    with pytest.raises(BadInput, match="--speed"):
        options.parse_speed(text)


def test_symbols_keep_their_case():
    assert options.parse_symbols("BTC, kSHIB,xyz:TSLA,BTC/USD") == ("BTC", "kSHIB", "xyz:TSLA", "BTC/USD")
    assert options.parse_symbols("") == ()


@pytest.mark.parametrize("text", ["BTC,,ETH", "BTC,BTC", "../x y", "B" * 33, ","])
def test_symbols_refused(text):
    with pytest.raises(BadInput, match="--symbols"):
        options.parse_symbols(text)


@pytest.mark.parametrize("text", ["1500ms", "0.5s", "25h", "0s"])
def test_bars_refused(text):
    with pytest.raises(BadInput, match="--bar"):
        options.parse_bar_s(text)


def test_engines_stand_in_one_order():
    assert options.parse_engines(["equities", "perps", "perps"]) == ("perps", "equities")
    assert options.parse_engines(None) == ("perps",)
    with pytest.raises(BadInput, match="one of perps, crypto, equities"):
        options.parse_engines(["perp"])


def test_modes():
    assert options.parse_mode("live") is Mode.LIVE
    with pytest.raises(BadInput, match="obid replay"):
        options.parse_mode("replay")
    with pytest.raises(BadInput, match="LIVE"):
        options.parse_mode("LIVE")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seeds_refused(seed):
    with pytest.raises(BadInput, match="--seed"):
        options.parse_seed(seed)


def test_only_a_made_market_runs_faster(tmp_path: Path):
    run = RunOptions(mode=Mode.LIVE, engines=("perps",), data_dir=tmp_path)
    assert options.check_together(run) is run
    with pytest.raises(BadInput, match="--speed 'max'"):
        options.check_together(replace(run, speed=None))
    assert options.check_together(replace(run, mode=Mode.SYNTHETIC, speed=None)).virtual


def test_replay_needs_recordings_that_exist(tmp_path: Path):
    run = RunOptions(mode=Mode.REPLAY, engines=("perps",), data_dir=tmp_path, speed=None)
    with pytest.raises(BadInput, match="at least one"):
        options.check_together(run)
    with pytest.raises(BadInput, match="no such file"):
        options.check_together(replace(run, recordings=(tmp_path / "none.parquet",)))


def test_the_data_directory_is_a_directory(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--data-dir"):
        options.parse_data_dir(tmp_path / "file")
    assert options.parse_data_dir(tmp_path / "new") == tmp_path / "new"
