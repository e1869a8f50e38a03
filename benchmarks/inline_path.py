"""The tick path as one function: the same arithmetic on the same frames, with local variables instead of actors.

What happens for every book is written out here; what happens once a bar is in inline_decisions.py.
"""

import time
from collections.abc import Sequence
from itertools import count

from actors.obi_pump import EPSILON
from benchmarks.frames import Frame
from benchmarks.graph_path import Outcome
from benchmarks.inline_decisions import Decisions
from benchmarks.scene import MARKS_OFFSET_NS, Scene
from supervisor.clock import NS_PER_S
from venues.hyperliquid.wire import decode
from venues.market import Book


def inline(scene: Scene, frames: Sequence[Frame]) -> Outcome:
    """Run the frames through one loop."""
    outcome = Outcome()
    decisions = Decisions(scene, count(1), outcome)
    coins, stop = decisions.coins, 1 - scene.profile.signal.stop_loss
    second, obi_sum = 0, 0.0
    start_s = time.process_time()
    for data, received_ns in frames:
        book = decode(data, received_ns)
        assert type(book) is Book
        bids, asks, at_ns = book.bids, book.asks, book.at_ns
        coin = coins[book.symbol]
        # the feed's verdict
        if not bids or not asks:
            continue
        bid, ask = bids[0].price, asks[0].price
        if bid >= ask or at_ns < coin.at_ns:
            continue
        # imbalance at three depths, and the facade
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
        coin.obi_1 = (bid_first - ask_first) / (bid_first + ask_first + EPSILON)
        coin.obi_5 = lean / (bid_front + ask_front + EPSILON)
        coin.obi = obi_20 = (bid_all - ask_all) / (bid_all + ask_all + EPSILON)
        coin.facade = lean * (bid_deep - ask_deep) < 0.0
        obi_sum += obi_20
        # marks, once a second
        if (now := (at_ns + MARKS_OFFSET_NS) // NS_PER_S) != second:
            second = now
            decisions.mark()
        # the touch, and the stop
        coin.at_ns, coin.received_ns, coin.bid, coin.ask = at_ns, received_ns, bid, ask
        mid = (bid + ask) * 0.5
        if coin.lots and mid <= coin.entry * stop:
            decisions.leave(coin, "stop_loss", None, 0.0, received_ns)
        # the bar
        if at_ns >= coin.bar_end_ns:
            decisions.close_bar(coin, at_ns)
        if not coin.books:
            coin.bar_high = coin.bar_low = mid
        elif mid > coin.bar_high:
            coin.bar_high = mid
        elif mid < coin.bar_low:
            coin.bar_low = mid
        coin.bar_close = mid
        coin.books += 1
    outcome.took_s = time.process_time() - start_s
    outcome.obi_20 = obi_sum
    return outcome
