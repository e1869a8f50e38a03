"""`make pictures`: the pictures of the documentation, out of a real synthetic run with a fixed seed.

    python -m tests.soak.pictures [--out docs/pictures]

Six hours of 28 synthetic perpetuals in virtual time (so that the same version gives the same pictures), seen as
`obid top` sees them, at the moment with the most positions and orders of the last half hour:

    top-80x24.svg, top-120x40.svg   obid top, textual's own export
    top-flatten.svg                 the question before a flatten
    top-wrong.svg                   a run in which two feeds fell silent and the breaker tripped
    run.svg                         the live view of obid run
    report.svg                      the head of obid report: the equity curve of its HTML page and the rows below it

The figures are those of the run; only the bound of the day's loss is another. Nothing in the pictures is fetched.
"""

import argparse
import asyncio
import re
import tempfile
from dataclasses import replace
from html import escape, unescape
from io import StringIO
from pathlib import Path
from socket import gethostname

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from daemon.options import Mode, RunOptions
from daemon.report.html import HEIGHT, WIDTH, curve
from daemon.report.made import made
from daemon.report.markdown import markdown
from daemon.scenarios import parse_scenarios
from daemon.snapshot import Snapshot
from daemon.top.app import Top
from daemon.top.known import Heard
from daemon.top.poller import Hear
from daemon.view import frame
from supervisor.clock import NS_PER_S
from tests.daemon.top.given import Script, StillPoller
from tests.daemon.watched import watched

SEED, HOURS, HOUR_S = 7, 6, 3_600
LOOK_S, LAST_S = 60, 1_800
BAR_AFTER_S = 4.0
"""Orders rest for seconds after a bar has closed: that is when it is looked at."""
BYTES_MAX = 200_000
MEANT = 4
"""A host name shorter than this would be found in any text."""
DARK = MONOKAI
NBSP = "\xa0"
TEXT = re.compile(r'<text ([^>]*?)x="([\d.]+)" (?=[^>]*textLength="([\d.]+)")([^>]*)>([^<]+)</text>')
Y, CLIP = re.compile(r'y="[\d.]+"'), re.compile(r' clip-path="[^"]*"')
PARTS = re.compile(r"[^\s](?:[^\s]|\s(?!\s|$))*")
RULER = re.compile(r"[|\-: ]*")
FETCHED = re.compile(r"@font-face\s*\{[^}]*\}")
NAMED = re.compile(r"terminal-\d+")
SIZES = {"top-80x24": (80, 24), "top-120x40": (120, 40)}
RUN_SIZE = (104, 34)
REPORT_ROWS, REPORT_LINE, REPORT_SIZE = 27, 17, 13
"""Rows of the report that are shown, their height and size of type."""
REPORT_STYLE = f"""
.r {{ font: {REPORT_SIZE}px monospace; white-space: pre; fill: #1f2328; }}
.c text {{ font: 11px sans-serif; fill: #1f2328; }}
polyline {{ fill: none; stroke: #2563eb; stroke-width: 1.5; }}
line {{ stroke: #8888; }}
"""
SMALL, TIGHT = 25, 3
"""Bounds of a day's loss in dollars: one for small money, by whose hundredths the report's equity is read, and one that
three synthetic hours reach."""


def main() -> None:
    """Make them all."""
    parser = argparse.ArgumentParser(description="Make the pictures of the documentation.")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        well = Path(folder) / "well"
        fullest = full(well)
        for name, (width, height) in SIZES.items():
            keep(out / f"{name}.svg", asyncio.run(top_picture(fullest, width, height)))
        keep(out / "top-flatten.svg", asyncio.run(top_picture(fullest, 80, 24, "F", *"flat")))
        keep(out / "top-wrong.svg", asyncio.run(top_picture(wrong(Path(folder)), 80, 24)))
        keep(out / "run.svg", run_picture(fullest))
        keep(out / "report.svg", report_picture(well, fullest.status.version))


def options(data_dir: Path, hours: int, daily_loss_usd: int) -> RunOptions:
    """A run of the documentation."""
    config = data_dir.with_suffix(".toml")
    config.write_text(f"[perps.risk]\ndaily_loss_usd = {daily_loss_usd}\n")
    return RunOptions(
        mode=Mode.SYNTHETIC, engines=("perps",), data_dir=data_dir, seed=SEED, speed=None, plain=True, config=config,
        for_ns=hours * HOUR_S * NS_PER_S,
    )  # fmt: skip


def full(data_dir: Path) -> Snapshot:
    """The fullest moment of the last half hour of six."""
    moments_s = [at_s + BAR_AFTER_S for at_s in range(HOURS * HOUR_S - LAST_S, HOURS * HOUR_S, LOOK_S)]
    seen = watched(options(data_dir, HOURS, SMALL), moments_s)
    return max(seen, key=lambda one: (bool(one.orders), len(one.positions) + len(one.orders)))


def wrong(folder: Path) -> Snapshot:
    """A run whose breaker has halted it, and two of whose feeds have been silent for five minutes."""
    silent = parse_scenarios(["BTC+ETH:gap@175m,for=20m"])
    asked = replace(options(folder / "wrong", 3, TIGHT), scenarios=silent)
    return watched(asked, [3 * HOUR_S - 10.0])[-1]


async def top_picture(snapshot: Snapshot, width: int, height: int, *keys: str) -> str:
    """What top shows of a snapshot after some keys."""
    script = Script(snapshot)
    now_ns = snapshot.status.at_ns

    def poller(hear: Hear) -> StillPoller:
        return StillPoller(Path("nowhere"), hear, script.connect)

    top = Top(poller, snapshot.status.version, clock=lambda: now_ns)
    top.poller.ask = lambda: Heard(snapshot, now_ns)  # type: ignore[method-assign]
    async with top.run_test(size=(width, height)) as pilot:
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()
        return top.export_screenshot(title="obid top")


def run_picture(snapshot: Snapshot) -> str:
    """What the live view of `obid run` shows of a snapshot."""
    width, height = RUN_SIZE
    console = Console(record=True, width=width, height=height, file=StringIO(), force_terminal=True)
    for line in frame(snapshot, height):
        text = Text(no_wrap=True, overflow="ellipsis")
        for part, style in line:
            text.append(part, style)
        console.print(text)
    return console.export_svg(title="obid run --mode synthetic --engine perps", theme=DARK)


def report_picture(data_dir: Path, release: str) -> str:
    """The head of a report: its curve as it stands in the page, and its first rows as the Markdown has them."""
    told = made(data_dir, week=False, on="", run="")
    rows = [row for row in markdown(told, release).splitlines() if not RULER.fullmatch(row)][:REPORT_ROWS]
    top = HEIGHT + REPORT_LINE
    height = top + REPORT_LINE * (len(rows) + 1)
    texts = "".join(f'<text x="12" y="{top + REPORT_LINE * n}">{escape(row)}</text>' for n, row in enumerate(rows))
    graph = curve(told.equity[0]).replace("<svg ", f'<svg class="c" width="{WIDTH}" height="{HEIGHT}" ', 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"><style>{REPORT_STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>{graph}'
        f'<g class="r" xml:space="preserve">{texts}</g></svg>'
    )


def parted(text: re.Match[str]) -> str:
    """A text as the parts between its wide blanks, each at its own place: not every program that draws keeps those."""
    before, x, length, after, words = text.groups()
    chars = unescape(words)
    wide = float(length) / len(chars)
    return "".join(
        f'<text {before}x="{float(x) + wide * part.start():.1f}" {Y.search(after)[0]} '  # type: ignore[index]
        f'textLength="{wide * len(part[0]):.1f}"{CLIP.search(after)[0]}>'  # type: ignore[index]
        f"{escape(part[0], quote=False).replace(NBSP, '&#160;')}</text>"
        for part in PARTS.finditer(chars)
    )


def keep(path: Path, picture: str) -> None:
    """Write a picture, without what would be fetched and without names that change from run to run."""
    clean = FETCHED.sub("", NAMED.sub(f"terminal-{path.stem}", picture)).replace("Fira Code", "monospace")
    clean = TEXT.sub(parted, clean)
    clean = "\n".join(line.rstrip() for line in clean.splitlines()) + "\n"
    for secret in (gethostname(), str(Path.home()), str(Path.cwd()), tempfile.gettempdir()):
        assert len(secret) < MEANT or secret not in clean, f"{path}: {secret} is this machine's"
    assert len(clean.encode()) <= BYTES_MAX, f"{path} has {len(clean)} bytes"
    path.write_text(clean)
    print(f"wrote {path}, {len(clean) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
