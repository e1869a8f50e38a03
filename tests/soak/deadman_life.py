"""The real daemon, for the dead man's drill: it rests orders far from the market, and hangs in two ways when told to.

    python -m tests.soak.deadman_life live perps CONFIG DATA

SIGUSR1: its loop spins for ever. SIGUSR2: its ledger awaits for ever. Everything but what it wants is obid's own.
"""

import signal
import sys
from pathlib import Path
from typing import Any

from actors.messages import OrderChanged, TradingState
from actors.signal import Signal
from daemon import graph, run, session
from daemon.options import Mode, RunOptions
from risk import gate
from risk.intent import Evidence, Intent, Purpose, Refused, Trading
from risk.order import OVER
from risk.pricing import maker_ticks
from supervisor.clock import NS_PER_S, Clock
from supervisor.program import Program
from supervisor.supervisor import House
from venues.market import Side, TimeInForce

EACH, ORDERS = 3, 20
"""Orders of one symbol, and of all."""

FAR, USD = 0.9, 50.0
"""So far below the bid they rest, each worth so much."""

AGAIN_NS = NS_PER_S // 4
"""Between wishes for one symbol."""


class Placer:
    """In the place of the strategy: wants EACH orders of every symbol at rest, always."""

    hears, says = Signal.hears, Signal.says

    def __init__(self, profile: Any, instruments: Any, new_id: Any, calendar: Any = None, **_: Any):
        self.instruments, self.new_id, self.engine = instruments, new_id, profile.engine
        self.alive: dict[str, set[str]] = {symbol: set() for symbol in instruments}
        self.wished_ns = dict.fromkeys(instruments, 0)

    def hear(self, message: Any) -> Any:
        """Answer a book with a wish where one is due."""
        if isinstance(message, OrderChanged):
            alive = self.alive[message.symbol]
            alive.discard(message.intent_id) if message.state in OVER else alive.add(message.intent_id)
        elif isinstance(message, Refused):
            self.alive[message.wish.symbol].discard(getattr(message.wish, "id", ""))
        elif type(message).__name__ == "Imbalance":
            return self._wish(message)
        return ()

    def _wish(self, book: Any) -> Any:
        symbol, now_ns = book.symbol, book.received_ns
        instrument = self.instruments.get(symbol)
        if sum(map(len, self.alive.values())) >= ORDERS:
            return ()
        if instrument is None or len(self.alive[symbol]) >= EACH or now_ns - self.wished_ns[symbol] < AGAIN_NS:
            return ()
        self.wished_ns[symbol] = now_ns
        price = book.bid * FAR
        evidence = Evidence(
            bar_start_ns=0, close=price, z=-9.0, z_bound=-1.0, obi=0.5, obi_bound=0.0,
            obi_at_ns=now_ns, obi_age_ns=0, trend=price, facade=False,
        )  # fmt: skip
        wish = Intent(
            id=self.new_id(), engine=self.engine, symbol=symbol, side=Side.BUY,
            lots=max(1, int(USD / price / float(instrument.lot))), ticks=maker_ticks(Side.BUY, price, instrument),
            time_in_force=TimeInForce.ALO, purpose=Purpose.ENTRY, reason="z_entry", at_ns=now_ns, evidence=evidence,
        )  # fmt: skip
        self.alive[symbol].add(wish.id)
        return (wish,)


def install() -> None:
    """Put the placer in, and the two ways to hang."""
    graph.Signal = Placer  # type: ignore[misc,assignment]
    for name in ("RULES", "WATCHED_RULES"):  # one entry of a symbol at a time: twenty orders need more
        setattr(gate, name, tuple(rule for rule in getattr(gate, name) if rule.name != "flip_guard"))
    usual = session.on_signals

    async def never(self: Clock, what: Any) -> Any:
        await self.loop.create_future()

    houses: list[House] = []

    class Known(Program):
        def __init__(self, house: House):
            super().__init__(house)
            houses.append(house)

    def hang() -> None:
        """The ledger's disk never answers again, and there is something to be written."""
        Clock.in_thread = never  # type: ignore[assignment,method-assign]
        told = TradingState("", Trading.ACTIVE, "a drill", "operator", houses[-1].clock.now_ns())
        houses[-1].mailboxes["ledger"].lanes[TradingState].put(told)

    def spin() -> None:
        while True:
            pass

    def armed(loop: Any, stop: Any, reload: Any) -> None:
        usual(loop, stop, reload)
        loop.add_signal_handler(signal.SIGUSR1, spin)
        loop.add_signal_handler(signal.SIGUSR2, hang)

    session.on_signals, session.Program = armed, Known  # type: ignore[misc,assignment]


def main() -> int:
    """Run."""
    mode, engine, config, data = sys.argv[1:]
    install()
    return run.run(RunOptions(mode=Mode(mode), engines=(engine,), data_dir=Path(data), config=Path(config), plain=True))


if __name__ == "__main__":
    raise SystemExit(main())
