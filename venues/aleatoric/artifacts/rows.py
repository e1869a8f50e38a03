"""Rows: what a block publishes, each with its times. Files, streams and the cache are all made of these."""

from hashlib import sha256

import numpy as np
from msgspec import Struct

from venues.aleatoric.symbol import Block
from venues.aleatoric.words import Ints, Marks

DIGESTED = (
    *("received_ns", "at_ns", "ticks", "lots"),
    *("trade_received_ns", "trade_at_ns", "trade_ticks", "trade_lots", "trade_sign"),
)


class Rows(Struct):
    """The books and trades of one block in whole ticks and lots. Books are (side, row, level), bids first."""

    block: int
    received_ns: Ints  # (row,) when each book arrives
    at_ns: Ints  # and its venue stamp
    ticks: Ints
    lots: Ints
    empty: Marks | None  # (side, row) that have no level at all
    trade_row: Ints  # the row before which each trade comes
    trade_received_ns: Ints
    trade_at_ns: Ints
    trade_ticks: Ints
    trade_lots: Ints
    trade_sign: Ints  # +1: a buyer took

    @property
    def events(self) -> int:
        """Books and trades together."""
        return len(self.received_ns) + len(self.trade_row)

    def order(self) -> Ints:
        """Where each event stands, books before trades in the index: trades of a row come before its book."""
        keys = np.concatenate([2 * np.arange(len(self.received_ns)) + 1, 2 * self.trade_row])
        return np.argsort(keys, kind="stable")

    def digest(self) -> bytes:
        """SHA-256 of every number, the same on every machine."""
        total = sha256()
        for name in DIGESTED:
            total.update(np.ascontiguousarray(getattr(self, name), "<i8").tobytes())
        if self.empty is not None:
            total.update(np.ascontiguousarray(self.empty, np.uint8).tobytes())
        return total.digest()


def rows_of(block: Block, arrivals_ns: Ints, cadence_ns: int) -> Rows:
    """What a block publishes. `arrivals_ns` has a time for each step, or for the first steps only: the rest is cut."""
    steps = len(arrivals_ns)
    shown = np.arange(steps) if block.silent is None else np.flatnonzero(~block.silent[:steps])
    trades = int(np.searchsorted(block.trade_step, steps))
    step = block.trade_step[:trades]
    arrived = arrivals_ns[step]
    return Rows(
        block=block.index,
        received_ns=arrivals_ns[shown],
        at_ns=arrivals_ns[shown] - block.age_ns[shown],
        ticks=block.ticks[:, shown],
        lots=block.lots[:, shown],
        empty=None if block.empty is None else block.empty[:, shown],
        trade_row=np.searchsorted(shown, step),
        trade_received_ns=arrived,
        trade_at_ns=arrived - cadence_ns + block.trade_ns[:trades] - step * cadence_ns,
        trade_ticks=block.trade_ticks[:trades],
        trade_lots=block.trade_lots[:trades],
        trade_sign=block.trade_sign[:trades],
    )


def digest_of(digests: list[bytes]) -> str:
    """One digest of the digests of all blocks in order: it does not depend on who made which."""
    return f"sha256:{sha256(b''.join(digests)).hexdigest()}"
