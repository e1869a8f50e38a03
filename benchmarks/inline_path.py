"""The tick path as one function: the same arithmetic on the same frames, with local variables instead of actors.

What happens for every book is written out here. What happens once a bar and coin, or once an intent (limit price, size,
the rules of the gate), calls the same pure functions that the actors call.
"""

import time
from collections import deque
from collections.abc import Sequence
from itertools import count
from math import fsum, isnan, nan

from actors.obi_pump import EPSILON
from actors.symbol_state import ANSWER_NS_MAX
from actors.urgency import limit_ticks, time_in_force
from actors.windows import z_score
from benchmarks.frames import ENGINE, Frame
from benchmarks.graph_path import Outcome
from benchmarks.scene import Scene
from config.profile import Profile
from risk.gate import judge
from risk.gate_state import GateState, new_state
from risk.intent import Evidence, Intent, Purpose
from risk.sizing import lots_for
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.hyperliquid.wire import decode
from venues.market import Book, Instrument, Side, TimeInForce


class Coin:
    """What is remembered of one coin."""

    __slots__ = (
        "ask", "at_ns", "awaited_ns", "bar_close", "bar_end_ns", "bar_high", "bar_low", "bid", "closes", "entry", "facade",
        "instrument", "lots", "marked", "obi_20", "received_ns",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, closes: Sequence[float], size: int, bar_end_ns: int):
        self.instrument = instrument
        self.closes: deque[float] = deque(closes, maxlen=size)
        self.bar_end_ns = bar_end_ns
        self.bar_high = self.bar_low = self.bar_close = closes[-1]
        self.at_ns = self.received_ns = self.awaited_ns = self.lots = 0
        self.bid = self.ask = self.obi_20 = 0.0
        self.marked = (0.0, 0.0)
        self.entry = nan
        self.facade = False


def inline(scene: Scene, frames: Sequence[Frame]) -> Outcome:
    """Run the frames through one loop."""
    outcome = Outcome()
    profile, state = scene.profile, opened(scene)
    size = max(profile.signal.window_bars, profile.signal.trend_bars)
    coins = {
        symbol: Coin(one, [bar.close for bar in scene.bars[symbol]], size, scene.bars[symbol][-1].end_ns)
        for symbol, one in scene.instruments.items()
    }
    for held in scene.positions:
        coin = coins[held.symbol]
        coin.lots, coin.entry = held.lots, held.entry_ticks * float(coin.instrument.tick)
    ids = count(1)
    interval_ns, stop = profile.signal.bar_s * NS_PER_S, -profile.signal.stop_loss
    second, obi_sum = 0, 0.0
    start_s = time.process_time()
    for data, received_ns in frames:
        book = decode(data, received_ns)
        assert type(book) is Book
        bids, asks, at_ns = book.bids, book.asks, book.at_ns
        coin = coins[book.symbol]
        # feed
        if not bids or not asks:
            continue
        bid, ask = bids[0].price, asks[0].price
        if bid >= ask or at_ns < coin.at_ns:
            continue
        coin.at_ns, coin.received_ns = at_ns, received_ns
        # pump
        a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t = bids  # noqa: E741
        bid_first, bid_front = a.size, a.size + b.size + c.size + d.size + e.size
        bid_deep = (
            f.size + g.size + h.size + i.size + j.size + k.size + l.size + m.size
            + n.size + o.size + p.size + q.size + r.size + s.size + t.size
        )  # fmt: skip
        a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t = asks  # noqa: E741
        ask_first, ask_front = a.size, a.size + b.size + c.size + d.size + e.size
        ask_deep = (
            f.size + g.size + h.size + i.size + j.size + k.size + l.size + m.size
            + n.size + o.size + p.size + q.size + r.size + s.size + t.size
        )  # fmt: skip
        bid_all, ask_all = bid_front + bid_deep, ask_front + ask_deep
        lean = bid_front - ask_front
        obi_1 = (bid_first - ask_first) / (bid_first + ask_first + EPSILON)
        obi_5 = lean / (bid_front + ask_front + EPSILON)
        coin.obi_20 = obi_20 = (bid_all - ask_all) / (bid_all + ask_all + EPSILON)
        coin.facade = lean * (bid_deep - ask_deep) < 0.0
        obi_sum += obi_20
        # marks, once a second
        if at_ns // NS_PER_S != second:
            second = at_ns // NS_PER_S
            for symbol, other in coins.items():
                if other.bid and (other.bid, other.ask) != other.marked:
                    other.marked = (other.bid, other.ask)
                    state.marks[symbol] = (other.bid + other.ask) / 2 / float(other.instrument.tick)
        coin.bid, coin.ask = bid, ask
        mid = (bid + ask) * 0.5
        # stop
        if coin.lots and (mid / coin.entry - 1) * (1 if coin.lots > 0 else -1) <= stop and received_ns >= coin.awaited_ns:
            state = leave(coin, profile, ("stop_loss", nan, received_ns, next(ids)), state, outcome)
        # bar
        if at_ns < coin.bar_end_ns:
            coin.bar_close = mid
            if mid > coin.bar_high:
                coin.bar_high = mid
            elif mid < coin.bar_low:
                coin.bar_low = mid
            continue
        while coin.bar_end_ns <= at_ns:
            if coin.bar_end_ns > scene.bars[book.symbol][-1].end_ns:
                coin.closes.append(coin.bar_close)
                state = decide(coin, profile, coin.bar_end_ns - interval_ns, ids, state, outcome)
            coin.bar_end_ns += interval_ns
        coin.bar_high = coin.bar_low = coin.bar_close = mid
    outcome.took_s = time.process_time() - start_s
    outcome.obi_20 = obi_sum
    assert obi_1 <= 1 >= obi_5
    return outcome
