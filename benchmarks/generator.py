"""How fast Aleatoric makes markets: 20-level books as arrays, against a plain numpy random walk, and a day of events.

The random walk is what one would write in ten lines: a Gaussian mid, levels at fixed distances, sizes drawn anew for
each book, all by numpy's own generator. It says what any vectorised book costs; the market has to be made on top.
"""

import resource
import subprocess
import sys
import time

import numpy as np

from benchmarks.frames import coins
from benchmarks.report import Wrong, interleaved, table
from daemon.markets import model_of
from venues.aleatoric.market import AleatoricMarket
from venues.aleatoric.model import BLOCK_STEPS, CADENCE_NS, LEVELS, SymbolModel
from venues.aleatoric.shapes import MODELS
from venues.aleatoric.symbol import Reactor
from venues.market import Book

PRESET_NAMES = ("hyperliquid_perp_btc", "hyperliquid_perp_eth", "hyperliquid_perp_sol", "hyperliquid_perp_wlfi")
BLOCKS, REPEATS, SEED = 20, 9, 7
START_NS = 1_767_571_200_000_000_000
DAY_S = 86_400
NS_PER_S = 1_000_000_000
KIB_PER_MIB = 1024
MEMORY_RATIO_MAX = 1.15
"""A day may take this much of what an hour takes; more, and memory is not flat."""


class Side:
    """One preset as it goes on."""

    def __init__(self, model: SymbolModel) -> None:
        self.reactor, self.next_ns = Reactor(model, SEED), START_NS

    def books_per_s(self) -> float:
        """Make blocks; books a second of CPU."""
        start_s = time.process_time()
        for _ in range(BLOCKS):
            self.reactor.next_block(self.next_ns)
            self.next_ns += BLOCK_STEPS * CADENCE_NS
        return BLOCKS * BLOCK_STEPS / (time.process_time() - start_s)


class Walk:
    """The plain way."""

    def __init__(self) -> None:
        self.random, self.mid = np.random.default_rng(SEED), 10_000.0

    def books_per_s(self) -> float:
        """Make as many books; books a second of CPU."""
        start_s = time.process_time()
        ranks = np.arange(1, LEVELS + 1)
        for _ in range(BLOCKS):
            mids = self.mid + np.cumsum(self.random.normal(0.0, 1.0, BLOCK_STEPS))
            self.mid = float(mids[-1])
            prices = np.stack([mids[:, None] - ranks, mids[:, None] + ranks])
            sizes = self.random.exponential(1.0, prices.shape)
            if prices.shape != sizes.shape:
                raise Wrong("prices and sizes differ in shape")
        return BLOCKS * BLOCK_STEPS / (time.process_time() - start_s)


def measure() -> dict[str, float]:
    """Books a second of each preset and of the walk; a day of 28 coins as events, in a process of its own."""
    sides = {name: Side(MODELS[name]) for name in PRESET_NAMES}
    for side in sides.values():
        side.books_per_s()
    taken = interleaved(
        {**{n: s.books_per_s for n, s in sides.items()}, "plain random walk": Walk().books_per_s}, REPEATS
    )
    slowest = min(taken[name] for name in PRESET_NAMES)
    rows = [[name, rate, 1e6 / rate, rate / taken["plain random walk"]] for name, rate in taken.items()]
    table("Books of 20 levels a side, as arrays", [["", "books/s", "us a book", "of the walk"], *rows])
    hour, day = _in_process(DAY_S // 24), _in_process(DAY_S)
    _show_days(hour, day)
    return {
        "generator_books_per_s": slowest,
        "generator_over_random_walk": slowest / taken["plain random walk"],
        "generator_day_28_coins_s": day[1],
        "generator_day_rss_mib": day[2],
    }


def _show_days(hour: tuple[int, float, float], day: tuple[int, float, float]) -> None:
    rows = [["1 h", hour[0], hour[1], hour[2]], ["24 h", day[0], day[1], day[2]]]
    table(
        f"Events of {len(coins())} coins, a book each {CADENCE_NS / NS_PER_S} s", [["", "books", "CPU s", "MiB"], *rows]
    )
    if day[2] > hour[2] * MEMORY_RATIO_MAX:
        raise Wrong(f"{day[2]:.0f} MiB for a day and {hour[2]:.0f} for an hour: memory grows with the run")


def _in_process(seconds: int) -> tuple[int, float, float]:
    """Books, CPU seconds and peak MiB of so many seconds of market."""
    command = [sys.executable, "-m", "benchmarks.generator", str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    books, cpu_s, mib = done.stdout.split()
    return int(books), float(cpu_s), float(mib)


def run(seconds: int) -> None:
    """Pull a market of all perps for so long and print what it cost."""
    start_s = time.process_time()
    market = AleatoricMarket([model_of(facts) for facts in coins()], SEED, START_NS)
    books = 0
    while batch := market.next_batch():
        if batch[0] > START_NS + seconds * NS_PER_S:
            break
        books += sum(type(event) is Book for event in batch[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
    print(books, time.process_time() - start_s, peak)


if __name__ == "__main__":
    run(int(sys.argv[1]))
