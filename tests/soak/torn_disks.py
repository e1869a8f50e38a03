"""Disks that are full, fill up while obid runs, or cannot be written: named, and what was written stays whole.

Real ones: small file systems in memory, in a mount namespace of their own, for which root is needed (`unshare -m`).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from daemon.soak.plan import HASTY

KIB = 1024
RUN = ("run", "--symbols", "BTC,ETH", "--bar", "1s", "--for", "20m", "--speed", "max", "--plain")
CASES = {  # kibibytes of the disk, of them taken before the start, read-only -> what the one line says
    "fills up while it runs": (600, 0, False, "database or disk is full"),
    "nearly full at the start": (600, 560, False, "disk is full"),
    "full at the start": (600, 600, False, "No space left on device"),
    "read-only": (600, 0, True, "Read-only file system"),
}
SCRIPT = """set -e
mount -t tmpfs -o size={size}k,mode=700 tmpfs {place}
if [ {taken} -gt 0 ]; then head -c {taken_bytes} /dev/zero > {place}/taken || true; fi
if [ {read_only} = True ]; then mount -o remount,ro {place}; fi
set +e
{run}; code=$?
{verify}; echo "verify $?" >&2
exit $code
"""


def possible() -> bool:
    """Whether file systems can be made here."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("unshare") is not None


def case(name: str, folder: Path) -> tuple[str, str]:
    """What was said first, and what is wrong about it. A halt that finds no room either is a second line."""
    size, taken, read_only, says = CASES[name]
    place, config = folder / name.replace(" ", "_"), folder / "hasty.toml"
    place.mkdir()
    config.write_text(HASTY.format(engine="perps", route="native", exit="taker", orders_per_minute=6000))
    obid = f"{sys.executable} -m daemon"
    script = SCRIPT.format(
        size=size,
        place=place,
        taken=taken,
        taken_bytes=taken * KIB,
        read_only=read_only,
        run=f"{obid} {' '.join(RUN)} --config {config} --data-dir {place} > {folder}/out",
        verify=f"{obid} ledger verify --data-dir {place} > {folder}/verified 2>&1",
    )
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith(("head:", "verify "))]
    verified = (folder / "verified").read_text()
    wrong = ""
    plain = lines and all(line.startswith("obid: ") for line in lines) and len(lines) <= 1 + (taken == 0)
    if not plain or says not in lines[0] or not done.returncode:
        wrong = f"a disk that is {name}: exit {done.returncode}, said {lines}"
    elif name == "fills up while it runs" and "are as they were written" not in verified:
        wrong = f"a disk that {name}: {verified}"
    return lines[0] if lines else "", wrong
