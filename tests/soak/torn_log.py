"""Logs cut, flipped, zeroed and halved: what `obid logs` tells of them, and what plain lines would."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from daemon.log_reader import LOG_FOLDER, LOG_NAME, LogFilter, read
from daemon.logs import open_log
from tests.soak.torn_journal import CRASHED, SAID, SILENT, WAYS, WEIGHTS, WHOLE, WRONG

LINES = 150
AT_NS = 1_767_571_200_123_456_789
CUT_AT_A_LINE = "shorter, cut between two lines"
"""A log that ends where a line ends is a shorter log; the journal, which decides about money, has a mark for that."""


def made(folder: Path, seed: int) -> bytes:
    """A log of one run."""
    draw = random.Random(seed)
    at_ns = [AT_NS]

    def now_ns() -> int:
        at_ns[0] += draw.randrange(10**9)
        return at_ns[0]

    log = open_log(folder, "live-1-1", now_ns)
    for number in range(LINES):
        log.info(
            "fill", engine="perps", symbol=draw.choice(["BTC", "kSHIB"]), lots=draw.randrange(10**6), number=number
        )
    log.close()
    return log.file.path.read_bytes()


def told(folder: Path, whole: bytes, damaged: bytes) -> str:
    """What a reader of a damaged log is told."""
    (folder / LOG_FOLDER).mkdir(parents=True, exist_ok=True)
    (folder / LOG_FOLDER / LOG_NAME).write_bytes(damaged)
    originals = [json.loads(line) for line in whole.splitlines()]
    try:
        found = list(read(folder, LogFilter()))
    except Exception as error:  # what it is for: nothing else may come
        return f"{CRASHED}: {type(error).__name__}: {error}"
    records = [line for line in found if "run" in line]
    numbers = {line["number"]: line for line in originals}
    if any(numbers.get(line.get("number")) != line for line in records):
        return WRONG
    if len(found) > len(records):
        return SAID
    if records == originals:
        return WHOLE
    return CUT_AT_A_LINE if records == originals[: len(records)] and whole.startswith(damaged) else SILENT


def plain(whole: bytes, damaged: bytes) -> str:
    """The control: lines without a checksum, as a reader would take them."""
    originals = [bare(json.loads(line)) for line in whole.splitlines()]
    records, broken = [], 0
    for line in damaged.splitlines():
        try:
            records.append(bare(json.loads(line)))
        except (ValueError, AttributeError):
            broken += 1
    if any(one not in originals for one in records):
        return WRONG
    return SAID if broken else WHOLE if records == originals else SILENT


def bare(line: dict[str, object]) -> dict[str, object]:
    """A line without its checksum."""
    return {name: value for name, value in line.items() if name != "crc"}


def tear(places: int, seed: int, folder: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Each damage once, as `torn_journal.tear`."""
    draw = random.Random(seed)
    whole = made(folder / "made", seed)
    ends: dict[str, Counter[str]] = {}
    for _ in range(places):
        way = draw.choices(list(WAYS), WEIGHTS)[0]
        damaged = WAYS[way](whole, draw)
        outcome = told(folder / "torn", whole, damaged)
        ends.setdefault(way, Counter()).update([outcome, f"plain: {plain(whole, damaged)}"])
    yield from sorted(ends.items())
