"""Scenarios from the command line: what befalls a run's market, and who in the house notices."""

import json

import pytest

from daemon.errors import BadInput
from daemon.scenarios import parse_scenarios, scenarios_of
from tests.daemon.runs import count, digest_of, eager, log_of, obid


def befallen(tmp_path, name, *scenarios, risk="", seed=3, symbols="BTC,ETH", length="5m", code=0):
    """Minutes of two coins with bars of a second and what is asked to befall them."""
    folder = tmp_path / f"{name}-config"
    folder.mkdir()
    told = [part for scenario in scenarios for part in ("--scenario", scenario)]
    return obid(
        *("run", "--symbols", symbols, "--bar", "1s", "--speed", "max", "--for", length, "--seed", seed),
        *("--config", eager(folder, risk), "--data-dir", tmp_path / name, *told),
        code=code,
    )


def minutes(line) -> float:
    """When a line was written, in minutes since the run's midnight."""
    hours, minute, seconds = line["at"].rstrip("Z").split("T")[1].split(":")
    return int(hours) * 60 + int(minute) + float(seconds) / 60


# --- what is typed


@pytest.mark.parametrize(
    ("typed", "symbols", "text"),
    [
        ("gap@90s", (), "gap@90s,for=1m,size=0.01,side=down"),
        ("BTC:frozen@10m,for=2m", ("BTC",), "BTC:frozen@10m,for=2m"),
        ("BTC+xyz:TSLA:trend@1h", ("BTC", "xyz:TSLA"), "BTC+xyz:TSLA:trend@1h,for=1h,size=0.02,side=up"),
        ("@107+BTC/USD:frozen@0s", ("@107", "BTC/USD"), None),
    ],
)
def test_scenarios_are_typed_with_symbols_or_without(typed, symbols, text):
    if text is None:  # a symbol begins with a letter or a digit
        with pytest.raises(BadInput, match="'@107'"):
            parse_scenarios([typed])
        return
    (asked,) = parse_scenarios([typed])
    assert (asked.symbols, asked.text) == (symbols, text)
    assert parse_scenarios([asked.text]) == (asked,)
    assert scenarios_of("BTC", [asked]) == (asked.scenario,)
    assert bool(scenarios_of("ETH", [asked])) == (not symbols)


@pytest.mark.parametrize("command", ["run", "check"])
@pytest.mark.parametrize(
    ("args", "says"),
    [
        ("--scenario boom@1m", "--scenario 'boom@1m': kind 'boom': one of flash_crash, liquidity_void"),
        ("--scenario gap", "--scenario 'gap': scenario 'gap': kind@time"),
        ("--scenario gap@1m,size=3", "size 3.0: gap: share of the price that it went meanwhile, from 0 to 0.5"),
        ("--scenario DOGE:gap@1m --symbols BTC,ETH", "--scenario 'DOGE': one of the run's symbols: BTC, ETH"),
        ("--scenario BTC+BTC:gap@1m", "--scenario 'BTC': is named twice"),
        ("--scenario B.!:gap@1m", "--scenario 'B.!': symbols as the venue spells them"),
        ("--scenario gap@1m --mode shadow", "a shadow market is as it comes"),
        ("--scenario gap@1m --mode live", "a live market is as it comes"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_starts_nothing(tmp_path, command, args, says):
    result = obid(command, *args.split(), "--data-dir", tmp_path / "data", code=2)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("obid: --scenario ")
    assert says in line
    assert not (tmp_path / "data").exists()


def test_check_and_the_first_line_of_the_log_say_what_will_befall(tmp_path):
    told = ("--scenario", "BTC:flash_crash@10m,size=0.08", "--scenario", "gap@90s")
    lines = json.loads(obid("check", "--json", *told).stdout)
    assert lines[1:4] == [
        "market data: Aleatoric, the generator",
        "scenario: BTC:flash_crash@10m,for=15m,size=0.08,side=down",
        "scenario: gap@90s,for=1m,size=0.01,side=down",
    ]
    befallen(tmp_path, "data", "gap@1s", length="2s")
    (started,) = log_of(tmp_path / "data", "run_started")
    assert started["scenarios"] == ["gap@1s,for=1m,size=0.01,side=down"]


def test_what_would_come_after_the_end_is_refused(tmp_path):
    args = ("--scenario", "gap@1m", "--scenario", "frozen@2m", "--for", "2m", "--data-dir", tmp_path / "data")
    result = obid("run", *args, code=2)
    assert result.stderr == "obid: --scenario 'frozen@2m,for=1m': the run ends before it, after 120 s (--for)\n"


# --- what becomes of it


def test_a_run_with_scenarios_repeats_and_is_the_plain_run_until_the_first(tmp_path):
    one, two = (befallen(tmp_path, name, "trend@3m,for=1m,size=0.03,side=down") for name in ("one", "two"))
    plain = befallen(tmp_path, "plain")
    assert digest_of(one) == digest_of(two) != digest_of(plain)
    told, untold = (
        [line for line in log_of(tmp_path / name, "intent") if minutes(line) < 3] for name in ("one", "plain")
    )
    assert len(told) > 3
    assert [line["symbol"] for line in told] == [line["symbol"] for line in untold]


def test_a_flash_crash_trips_the_circuit_breaker(tmp_path):
    risk = "daily_loss_usd = 4\n"
    crash = befallen(tmp_path, "crash", "flash_crash@1m,for=3m,size=0.2", risk=risk)
    (halt,) = [line for line in log_of(tmp_path / "crash", "trading_state") if line["by"] == "circuit_breaker"]
    assert (halt["state"], halt["engine"]) == ("halted", "perps")
    assert halt["reason"].startswith("daily_loss: equity ")
    assert 1 < minutes(halt) < 4
    entries = [line for line in log_of(tmp_path / "crash", "approved") if line["wish"].get("purpose") == "entry"]
    assert entries
    assert max(map(minutes, entries)) <= minutes(halt)
    assert count(crash, "fills") > 0


def test_a_gap_makes_every_stream_stale_and_nothing_is_entered_in_it(tmp_path):
    befallen(tmp_path, "gap", "gap@1m,for=90s,size=0.02")
    states = [(line["symbol"], line["fresh"], minutes(line)) for line in log_of(tmp_path / "gap", "stream_state")]
    for symbol in ("BTC", "ETH"):
        fresh, stale, back = (state for state in states if state[0] == symbol)
        assert (fresh[1], stale[1], back[1]) == (True, False, True)
        assert 1.2 < stale[2] < 1.35, "stale after 15 s"
        assert 2.5 <= back[2] < 2.6
    entries = [line for line in log_of(tmp_path / "gap", "approved") if line["wish"].get("purpose") == "entry"]
    assert not [line for line in entries if 1.35 < minutes(line) < 2.5]
    assert [line for line in entries if minutes(line) > 2.5]


@pytest.mark.parametrize("kind", ["crossed", "one_sided"])
def test_damaged_books_are_refused_by_the_feed_for_as_long_as_they_come(tmp_path, kind):
    befallen(tmp_path, kind, f"BTC:{kind}@1m,for=20s")
    refused = log_of(tmp_path / kind, "book_refused")
    assert {(line["symbol"], line["reason"]) for line in refused} == {("BTC", kind)}
    assert len(refused) == 36  # a book each 0.55 s
    assert min(map(minutes, refused)) >= 1
    assert max(map(minutes, refused)) < 1 + 20 / 60
    stale = [line["symbol"] for line in log_of(tmp_path / kind, "stream_state") if not line["fresh"]]
    assert stale == ["BTC"], "a stream of which no book is any good is no stream"


def test_a_frozen_book_is_traded_on_and_the_books_balance(tmp_path):
    """Nothing in a book tells that it stands still: fresh stamps are all that the house looks at."""
    result = befallen(tmp_path, "frozen", "frozen@1m,for=1m")
    assert count(result, "books heard") >= 2 * int(300 / 0.55)
    assert [line for line in log_of(tmp_path / "frozen", "stream_state") if not line["fresh"]] == []
    assert "balanced" in obid("ledger", "trial-balance", "--data-dir", tmp_path / "frozen").stdout


def test_equities_and_recordings_live_with_sides_that_are_missing(tmp_path):
    """Times are the market's own: its first second is when the session opens, hours after the run began."""
    args = ("--engine", "equities", "--symbols", "COST", "--scenario", "COST:one_sided@5s,for=10s", "--record")
    result = obid("run", *args, "--for", "15h", "--speed", "max", "--data-dir", tmp_path / "data")
    refused = log_of(tmp_path / "data", "book_refused")
    assert {line["reason"] for line in refused} == {"one_sided"}
    assert len(refused) == 10
    (recording,) = (tmp_path / "data" / "recordings").iterdir()
    replayed = obid("replay", recording, "--engine", "equities", "--data-dir", tmp_path / "again")
    assert count(replayed, "books heard") == count(result, "books heard") - 10  # what is refused is not kept
