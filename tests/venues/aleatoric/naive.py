"""The control that guards the realism judge: a market made of the textbook's words taken literally.

Merton's jump diffusion (1976) for the mid price on the clock, a spread of two ticks, queues that are drawn anew for
each book and know of nothing, and trades that arrive as a Poisson process with Pareto sizes and a coin for their sign.
A judge that cannot tell this from a market proves nothing about Aleatoric.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVELS = 20
STEP_S = 0.55  # between books, as on Hyperliquid
NS_PER_S = 1_000_000_000
YEAR_S = 365 * 86_400
TICK, PRICE, VOLATILITY_ANNUAL = 0.1, 4_400.0, 0.60  # ETH in September 2025
JUMPS_PER_H, JUMP_STD = 20.0, 0.0005
QUEUE_MEAN = 40.0
TRADES_PER_S, SIZE_MIN, SIZE_TAIL = 1.4, 0.05, 1.5


def mids(random: np.random.Generator, steps: int) -> Floats:
    """Merton's jump diffusion at each step."""
    diffusion = random.normal(0.0, VOLATILITY_ANNUAL * (STEP_S / YEAR_S) ** 0.5, steps)
    jumps = random.poisson(JUMPS_PER_H * STEP_S / 3600, steps) * random.normal(0.0, JUMP_STD, steps)
    return PRICE * np.exp(np.cumsum(diffusion + jumps))


def naive_market(seed: int, seconds: int, start_ns: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The columns of a canonical pair of (book, trades); prices and sizes of books are (step, level)."""
    random = np.random.default_rng(seed)
    steps = round(seconds / STEP_S)
    mid = mids(random, steps)
    touch = np.floor(mid / TICK)[:, None]
    ranks = np.arange(LEVELS)
    book = {"ts": start_ns + np.arange(1, steps + 1) * round(STEP_S * NS_PER_S)}
    for side, ticks in (("bid", touch - ranks), ("ask", touch + 2 + ranks)):
        book[f"{side}_px"] = ticks * TICK
        book[f"{side}_sz"] = random.exponential(QUEUE_MEAN, (steps, LEVELS))
    count = random.poisson(TRADES_PER_S * seconds)
    when = np.sort(random.uniform(0.0, steps * STEP_S, count))
    buys = random.random(count) < 0.5
    at = np.minimum((when / STEP_S).astype(int), steps - 1)
    trades = {
        "ts": start_ns + (when * NS_PER_S).astype(np.int64),
        "px": np.where(buys, book["ask_px"][at, 0], book["bid_px"][at, 0]),
        "sz": SIZE_MIN * (1.0 + random.pareto(SIZE_TAIL, count)),
        "side": np.where(buys, 1, -1).astype(np.int8),
    }
    return book, trades
