"""Tears the files that obid must not believe blindly: `make torn N=5000`.

The journal (book, write-ahead log, its index, mark, snapshot) and the log are damaged at N places each. No start may
take a record for true that was not written, none may go on with fewer than were durable without saying so, and none
may end in a traceback. Plain rows and plain lines, read the same way, are the control: they must do it wrong.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.soak import torn_disks, torn_journal, torn_lives, torn_log

BAD = (torn_journal.SILENT, torn_journal.WRONG, torn_journal.CRASHED)
MEMORY = Path("/dev/shm")
Tear = Callable[[int, int, Path], Iterator[tuple[str, Counter[str]]]]


def torn(name: str, tear: Tear, places: int, seed: int) -> list[str]:
    """Damage one kind of file, print what came of it; gives what was wrong."""
    wrongs: list[str] = []
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        for kind, ends in tear(places, seed, Path(folder)):
            ours = {end: count for end, count in ends.items() if not end.startswith("plain: ")}
            print(
                f"  {kind:<26} {sum(ours.values()):>6}  " + ", ".join(f"{n} {end}" for end, n in sorted(ours.items()))
            )
            wrongs += [f"{name}, {kind}: {count} {end}" for end, count in ours.items() if end.startswith(BAD)]
            total.update(ends)
    control = {bad: total[f"plain: {bad}"] for bad in BAD[:2]}
    print(f"  plain, without checksums:  {control[BAD[1]]} wrong, {control[BAD[0]]} shorter and silent")
    if not control[torn_journal.WRONG]:
        wrongs.append(f"{name}: the control found nothing wrong with plain ones, so the zeros above mean nothing")
    return wrongs


def lived(worlds: int, seed: int) -> list[str]:
    """Let journals lose their ends between the lives of daemons that trade."""
    wrongs: list[str] = []
    for engine in ("perps", "crypto"):
        every = Counter[str]()
        for number in range(seed, seed + worlds):
            with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
                found = torn_lives.live(engine, number, Path(folder))
            wrongs += [f"{engine}, world {number}: {one}" for one in found.failures]
            every.update({name: getattr(found, name) for name in found.__struct_fields__ if name != "failures"})
        print(f"lives of {engine}, {worlds} worlds: " + ", ".join(f"{count} {name}" for name, count in every.items()))
    return wrongs


def refused() -> list[str]:
    """Start and run on disks that refuse."""
    if not torn_disks.possible():
        print("disks: not tried, file systems can be made by root on Linux alone")
        return []
    wrongs: list[str] = []
    for name in torn_disks.CASES:
        with tempfile.TemporaryDirectory() as folder:
            said, wrong = torn_disks.case(name, Path(folder))
        print(f"disk {name}: {said.replace(folder, '...')}")
        wrongs += [wrong] if wrong else []
    return wrongs


def main(argv: list[str] | None = None) -> int:
    """Tear both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--places", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--worlds", type=int, default=10, help="simulated, at each venue, whose journals lose their end"
    )
    args = parser.parse_args(argv)
    wrongs: list[str] = []
    for name, tear in (("journal", torn_journal.tear), ("log", torn_log.tear)):
        started_s = time.monotonic()
        print(f"{name}: {args.places} places, seed {args.seed}")
        wrongs += torn(name, tear, args.places, args.seed)
        print(f"  {time.monotonic() - started_s:.0f} s")
    wrongs += lived(args.worlds, args.seed)
    wrongs += refused()
    print("\n".join(wrongs) or "0 wrong records, 0 silent losses, 0 crashes")
    return 1 if wrongs else 0


if __name__ == "__main__":
    sys.exit(main())
