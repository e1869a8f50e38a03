"""Journals cut, flipped, zeroed, halved and mixed: what a start makes of them, and what plain rows would."""

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path

from actors.ledger import LedgerMind
from actors.ledger_recovery import ENCODE, keep_snapshot, state_of
from actors.records import read, written
from daemon.books import recover_from
from daemon.lost_end import lost_end
from risk.ledger.postings import LedgerUnbalanced
from supervisor.journal import Entry, Journal, JournalDamaged, JournalMissing, JournalUnwritable
from tests.actors.stories import story

NAME = "journal.sqlite"
WAL, SHM, MARK, SNAPSHOT = "-wal", "-shm", ".mark", ".snapshot"
PAGE = 4096
WHOLE, SAID, HALTED = "whole", "shorter, and it says so", "halts with a reason"
SILENT, WRONG, CRASHED = "SHORTER AND SILENT", "WRONG RECORDS", "CRASHED"
GOOD = (WHOLE, SAID, HALTED)
EXTRA = [Entry(1, "Entry", b"\x93never folded"), Entry(2, "Entry", b"")]
"""Written behind what was found: a book that looks whole must also take what comes."""

Files = dict[str, bytes]
"""What a journal is made of, by how the names end; "" is the book itself."""


class Material:
    """Journals as they are found: closed, and as killed writers leave them at three times of one life."""

    def __init__(self, folder: Path, seed: int):
        draw = random.Random(seed)
        draws = [(draw.randrange(12), draw.randrange(31), draw.randrange(1, 10)) for _ in range(160)]
        self.entries = list(map(written, story(draws)))
        self.mind = LedgerMind()
        path = folder / NAME
        third = len(self.entries) // 3
        self.killed: list[Files] = []
        for part in (0, 1, 2):
            with closing(Journal.open(path)) as journal:  # what was there before is in the book, what comes in the log
                for at in range(part * third, (part + 1) * third, 2):
                    journal.append(self.entries[at : min(at + 2, (part + 1) * third)])
                for entry in self.entries[part * third : (part + 1) * third]:
                    self.mind.fold(read(entry))
                self.killed.append(files_of(path))
                if part == 1:
                    keep_snapshot(path, journal.place, state_of(self.mind))
        self.entries = self.entries[: 3 * third]
        self.closed = files_of(path)
        self.lengths = [third, 2 * third, 3 * third, 3 * third]

    @cache  # noqa: B019 - one material lives as long as the program
    def state(self, length: int) -> bytes:
        """What so many entries fold to."""
        mind = LedgerMind()
        for entry in self.entries[:length]:
            mind.fold(read(entry))
        return ENCODE(state_of(mind))


def files_of(path: Path) -> Files:
    """The files of a journal as they are now."""
    return {
        end: path.with_name(NAME + end).read_bytes()
        for end in ("", WAL, SHM, MARK, SNAPSHOT)
        if path.with_name(NAME + end).exists()
    }


def put(files: Files, folder: Path) -> Path:
    """A data directory with these files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for end, content in files.items():
        (folder / (NAME + end)).write_bytes(content)
    return folder / NAME


# --- damage ---------------------------------------------------------------------------------------------------------


def flipped(content: bytes, draw: random.Random) -> bytes:
    """One bit of it changed."""
    bit = draw.randrange(8 * len(content))
    found = bytearray(content)
    found[bit // 8] ^= 1 << bit % 8
    return bytes(found)


def cut(content: bytes, draw: random.Random) -> bytes:
    """Its beginning."""
    return content[: draw.randrange(len(content))]


def zeroed(content: bytes, draw: random.Random) -> bytes:
    """A page of nothing in it."""
    at = draw.randrange(-(-len(content) // PAGE)) * PAGE
    return content[:at] + bytes(min(PAGE, len(content) - at)) + content[at + PAGE :]


def halved(content: bytes, draw: random.Random) -> bytes:
    """The first or the second half of it."""
    half = len(content) // 2
    return draw.choice([content[:half], content[half:], content[:half] + bytes(len(content) - half)])


WAYS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "flipped": flipped,
    "cut": cut,
    "a page zeroed": zeroed,
    "halved": halved,
}
WEIGHTS = (10, 6, 2, 1)
PLACES = {"book": "", "log": WAL, "index of the log": SHM, "mark": MARK, "snapshot": SNAPSHOT}
PLACE_WEIGHTS = (8, 6, 1, 1, 1)


def damaged(material: Material, draw: random.Random) -> tuple[str, Files, int]:
    """What was done, the files, and how many entries were durable."""
    stages = [*material.killed, material.closed]
    if draw.random() < 0.1:
        return mixed(material, draw)
    at = draw.randrange(len(stages))
    files = dict(stages[at])
    place = draw.choices(list(PLACES), PLACE_WEIGHTS)[0]
    way = draw.choices(list(WAYS), WEIGHTS)[0]
    end = PLACES[place]
    if not files.get(end):
        return damaged(material, draw)
    files[end] = WAYS[way](files[end], draw)
    return f"{place} {way}", files, material.lengths[at]


def mixed(material: Material, draw: random.Random) -> tuple[str, Files, int]:
    """Files that are missing, or of another time than those beside them."""
    stages = [*material.killed, material.closed]
    at = draw.randrange(len(stages))
    files, other = dict(stages[at]), stages[draw.randrange(len(stages))]
    what = draw.choice(["gone", "swapped", "older book"])
    if what == "gone":
        ends = draw.sample(sorted(files), draw.randrange(1, len(files)))
        if {"", MARK} <= set(ends) or ({WAL, MARK} <= set(ends) and len(files[""]) <= PAGE):
            return mixed(material, draw)  # nothing is left that could know of anything: a new data directory
        for end in ends:
            del files[end]
        return "files gone", files, material.lengths[at]
    if what == "swapped":
        files.pop(WAL, None)
        files.pop(SHM, None)
        files |= {end: content for end, content in other.items() if end in (WAL, SHM)}
        return "log of another time", files, material.lengths[at]
    files[""] = other[""]
    return "book of another time", files, material.lengths[at]


# --- what comes of it -----------------------------------------------------------------------------------------------


def start(path: Path, material: Material, durable: int) -> str:
    """What a start makes of it, as `obid run` starts."""
    try:
        lost = lost_end(path)
        mind = recover_from(path)
        found = listed(path)
        with closing(Journal.open(path)) as journal:
            journal.append(EXTRA)
        after = listed(path)
    except (JournalDamaged, JournalUnwritable, LedgerUnbalanced) as error:
        return HALTED if NAME in str(error) or isinstance(error, LedgerUnbalanced) else f"{CRASHED}: {error}"
    except Exception as error:  # what it is for: nothing else may come
        return f"{CRASHED}: {type(error).__name__}: {error}"
    if found != material.entries[: len(found)] or ENCODE(state_of(mind)) != material.state(len(found)):
        return WRONG
    if after != [*found, *EXTRA]:
        return WRONG
    if len(found) >= durable:
        return SAID if lost else WHOLE
    return SAID if lost else SILENT


def listed(path: Path) -> list[Entry]:
    """Every entry."""
    try:
        with closing(Journal.read_only(path)) as journal:
            return list(journal.read())
    except JournalMissing:
        return []


def plain(path: Path, material: Material, durable: int) -> str:
    """The control: the same rows without checksum, mark and counting, as a reader would take them."""
    try:
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT at_ns, kind, body FROM entries ORDER BY seq").fetchall()
    except (sqlite3.Error, UnicodeDecodeError):
        return HALTED
    found = [(at_ns, kind, body) for at_ns, kind, body in rows]
    if found != [(one.at_ns, one.kind, one.body) for one in material.entries[: len(found)]]:
        return WRONG
    return WHOLE if len(found) >= durable else SILENT


def tear(places: int, seed: int, folder: Path) -> Iterator[tuple[str, Counter[str]]]:
    """Each damage once: for each kind how starts ended, and how plain rows would have (`plain: ...`)."""
    draw = random.Random(seed)
    (folder / "made").mkdir(parents=True)
    material = Material(folder / "made", seed)
    ends: dict[str, Counter[str]] = {}
    for _ in range(places):
        kind, files, durable = damaged(material, draw)
        outcome = start(put(files, folder / "torn"), material, durable)
        control = plain(put(files, folder / "torn"), material, durable)
        ends.setdefault(kind, Counter()).update([outcome, f"plain: {control}"])
    yield from sorted(ends.items())
