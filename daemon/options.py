"""What a run was asked to do: the options of `obid run` and `obid replay`, parsed and checked, nothing loaded yet."""

import os
import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from config.places import default_data_dir
from daemon.errors import BadInput

if TYPE_CHECKING:  # reading a scenario needs more than `obid ctl` has time for
    from daemon.scenarios import AskedScenario

NS_PER_S = 1_000_000_000
UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+", re.ASCII)
PART = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
DURATION_DAYS_MAX = 3_660
"""Ten years: longer is a slip of the finger, and nanoseconds still fit 64 bits."""
SPEED_MIN, SPEED_MAX = 0.01, 1_000.0
"""Beyond a thousand the wall clock's timers are too coarse to mean anything; `max` is virtual time."""
BAR_S_MAX = 86_400
"""A bar is at most a day; the equities engine's daily window counts days itself."""
SEED_MAX = 2**63 - 1
"""Seeds are kept in 64 signed bits, in the journal and on the wire."""
DATA_DIR_VARIABLE = "OBID_DATA_DIR"
ENV_FILE = Path(".env")
"""Where settings may stand that are not on the command line; config.settings reads both."""
JOURNAL_NAME = "journal.sqlite"
"""The journal in the data directory."""
SEED_DEFAULT = 1
"""A run that names no seed is still repeatable."""
ENGINES = ("perps", "crypto", "equities")
SYMBOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9:/._@-]{0,31}", re.ASCII)


class Mode(StrEnum):
    """Where market data comes from and orders go to (DESIGN 1)."""

    LIVE = "live"
    PAPER = "paper"
    SHADOW = "shadow"
    SYNTHETIC = "synthetic"
    REPLAY = "replay"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """Everything `daemon.run` is told."""

    mode: Mode
    engines: tuple[str, ...]
    data_dir: Path
    seed: int = SEED_DEFAULT
    for_ns: int | None = None  # None: until it is stopped or the data ends
    speed: float | None = 1.0  # None: virtual time, as fast as it goes
    config: Path | None = None
    symbols: tuple[str, ...] = ()  # empty: what the profiles list; exact case, as the venue spells them
    bar_s: int | None = None  # None: what the profiles say
    plain: bool = False
    json: bool = False  # the end summary as one JSON object, its last line still the digest
    record: bool = False  # keep every book and trade, for `obid replay`
    scenarios: "tuple[AskedScenario, ...]" = ()  # synthetic: what befalls the market
    feed: str = ""  # synthetic: where another process makes the market; empty: it is made here
    recordings: tuple[Path, ...] = ()  # replay: files, folders and recordings, in the order given

    @property
    def virtual(self) -> bool:
        """Whether time jumps from timer to timer instead of passing."""
        return self.speed is None


def parse_duration_ns(text: str, field: str = "--for") -> int:
    """'60s', '90m', '24h', '7d' and sums like '1h30m' as nanoseconds."""
    right = "write a length of time as a number and s, m, h or d: 60s, 90m, 24h, 1h30m"
    clean = text.strip()
    if not DURATION.fullmatch(clean):
        raise BadInput(field, text, right)
    seconds = sum(Decimal(number) * UNITS_S[unit] for number, unit in PART.findall(clean))
    if not 0 < seconds <= DURATION_DAYS_MAX * UNITS_S["d"]:
        raise BadInput(field, text, f"must be more than nothing and at most {DURATION_DAYS_MAX}d")
    return int(seconds * NS_PER_S)


def parse_bar_s(text: str, field: str = "--bar") -> int:
    """The length of a bar in whole seconds."""
    bar_ns = parse_duration_ns(text, field)
    if bar_ns % NS_PER_S or bar_ns > BAR_S_MAX * NS_PER_S:
        raise BadInput(field, text, "a bar is whole seconds, from 1s to 1d")
    return bar_ns // NS_PER_S


def parse_speed(text: str) -> float | None:
    """'1', '60' or 'max'; None stands for max."""
    clean = text.strip().lower()
    if clean == "max":
        return None
    if not re.fullmatch(r"\d+(\.\d+)?", clean, re.ASCII) or not SPEED_MIN <= float(clean) <= SPEED_MAX:
        raise BadInput("--speed", text, f"a number from {SPEED_MIN} to {SPEED_MAX:.0f}, or max")
    return float(clean)


def parse_symbols(text: str) -> tuple[str, ...]:
    """'BTC,xyz:TSLA,BTC/USD' as symbols in the venue's own case, which means something: kSHIB is not KSHIB."""
    if not text.strip():
        return ()
    symbols = tuple(part.strip() for part in text.split(","))
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise BadInput("--symbols", symbol, "as the venue spells them, parted by commas: BTC,xyz:TSLA")
    if double := [symbol for at, symbol in enumerate(symbols) if symbol in symbols[:at]]:
        raise BadInput("--symbols", double[0], "is named twice")
    return symbols


def parse_engines(names: list[str] | None) -> tuple[str, ...]:
    """Engines in the order of the house, whatever order they were typed in, so that the run is the same."""
    for name in names or ():
        if name not in ENGINES:
            raise BadInput("--engine", name, f"one of {', '.join(ENGINES)}")
    return tuple(engine for engine in ENGINES if engine in (names or ENGINES[:1]))


def parse_mode(text: str) -> Mode:
    """The mode of `obid run`; replay is a command of its own, because it needs to be told what to replay."""
    runs = [mode.value for mode in Mode if mode is not Mode.REPLAY]
    if text not in runs:
        hint = "; recordings are played by `obid replay`" if text == Mode.REPLAY else ""
        raise BadInput("--mode", text, f"one of {', '.join(runs)}{hint}")
    return Mode(text)


def parse_seed(seed: int) -> int:
    """A seed that fits 64 signed bits."""
    if not 0 <= seed <= SEED_MAX:
        raise BadInput("--seed", seed, f"a whole number from 0 to {SEED_MAX}")
    return seed


def parse_feed(text: str) -> str:
    """Where `obid serve` is, without a slash at the end; empty when nothing was named."""
    url = text.strip().rstrip("/")
    if url and not re.fullmatch(r"https?://[^\s?#@]+", url):
        raise BadInput("--feed", text, "where `obid serve` is, as http://127.0.0.1:8787")
    return url


def parse_file(path: Path | None, field: str = "--config") -> Path | None:
    """A file that can be read, or None when none was named."""
    if path is not None and not path.is_file():
        raise BadInput(field, path, "no such file")
    return path


def parse_data_dir(path: Path | None, config: Path | None = None) -> Path:
    """The data directory, absolute: the one named, else what the environment or a configuration file says.

    The settings are only read where one of them can say something, because reading them takes as long as the rest of
    `obid ctl`.
    """
    if path is None and (config is not None or DATA_DIR_VARIABLE in os.environ or ENV_FILE.is_file()):
        from config.load import daemon_tables
        from config.settings import load_settings

        path = load_settings(tables=daemon_tables([config] if config else [])).data_dir
    path = (path or default_data_dir()).expanduser().absolute()
    if path.exists() and not path.is_dir():
        raise BadInput("--data-dir", path, "is a file, and obid needs a directory")
    return path


def check_together(options: RunOptions) -> RunOptions:
    """Refuse options that are right alone and wrong together."""
    if options.speed != 1.0 and options.mode not in (Mode.SYNTHETIC, Mode.REPLAY):
        speed = "max" if options.speed is None else f"{options.speed:g}"
        raise BadInput("--speed", speed, f"a {options.mode} market keeps its own time, only synthetic can run faster")
    if options.scenarios and options.mode is not Mode.SYNTHETIC:
        right = f"a {options.mode} market is as it comes, only a synthetic one can be told what befalls it"
        raise BadInput("--scenario", options.scenarios[0].text, right)
    for one in options.scenarios:
        if options.for_ns is not None and one.scenario.at_s * NS_PER_S >= options.for_ns:
            raise BadInput(
                "--scenario", one.text, f"the run ends before it, after {options.for_ns / NS_PER_S:g} s (--for)"
            )
    if options.feed and (options.mode is not Mode.SYNTHETIC or options.speed != 1.0 or options.scenarios):
        raise BadInput("--feed", options.feed, "is for synthetic mode at its own pace, without --speed and --scenario")
    missing = [path for path in options.recordings if not path.exists()]
    if missing:
        raise BadInput("FILE", missing[0], "no such file or folder")
    if (options.mode is Mode.REPLAY) != bool(options.recordings):
        raise BadInput("FILE", "", "replay needs at least one recording, and nothing else takes one")
    return options
