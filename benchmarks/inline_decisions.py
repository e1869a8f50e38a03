"""What the inline function does once a bar and coin: strategy and gate, by the pure functions that the actors call."""

from collections import deque
from collections.abc import Iterator, Sequence
from math import fsum, nan

from actors.gate import Gate
from actors.symbol_state import ANSWER_NS_MAX
from actors.urgency import limit_ticks, time_in_force
from actors.windows import z_score
from benchmarks.frames import ENGINE
from benchmarks.graph_path import Outcome
from benchmarks.scene import START_NS, Scene
from risk.gate import judge
from risk.gate_state import GateState, new_state
from risk.intent import Evidence, Intent, Purpose
from risk.session import is_open, is_rth
from risk.sizing import lots_for
from supervisor.clock import NS_PER_MS, NS_PER_S
from venues.market import Instrument, Side


class Coin:
    """What is remembered of one coin."""

    __slots__ = (
        "ask", "at_ns", "awaited_ns", "bar_close", "bar_end_ns", "bar_high", "bar_low", "bid", "books", "closes",
        "entry", "facade", "instrument", "lots", "marked", "obi", "obi_1", "obi_5", "opened_ns", "received_ns",
        "window",
    )  # fmt: skip

    def __init__(self, instrument: Instrument, closes: Sequence[float], sizes: tuple[int, int], bar_end_ns: int):
        self.instrument = instrument
        self.window: deque[float] = deque(closes, maxlen=sizes[0])
        self.closes: deque[float] = deque(closes, maxlen=sizes[1])
        self.bar_end_ns = bar_end_ns
        self.bar_high = self.bar_low = self.bar_close = closes[-1]
        self.at_ns = self.received_ns = self.awaited_ns = self.lots = self.books = self.opened_ns = 0
        self.bid = self.ask = self.obi = self.obi_1 = self.obi_5 = 0.0
        self.marked = (0.0, 0.0)
        self.entry = nan
        self.facade = False


class Decisions:
    """Everything that is not done for every book."""

    def __init__(self, scene: Scene, ids: Iterator[int], outcome: Outcome):
        self.scene = scene
        self.profile = scene.profile
        self.ids = ids
        self.outcome = outcome
        self.state = opened(scene)
        limits = scene.profile.signal
        self.interval_ns = limits.bar_s * NS_PER_S
        sizes = (limits.window_bars, limits.trend_bars)
        self.coins = {
            symbol: Coin(one, [bar.close for bar in scene.bars[symbol]], sizes, START_NS + self.interval_ns)
            for symbol, one in scene.instruments.items()
        }
        for held in scene.positions:
            coin = self.coins[held.symbol]
            coin.lots, coin.opened_ns = held.lots, held.opened_ns
            coin.entry = held.entry_ticks * float(coin.instrument.tick)

    def mark(self) -> None:
        """Once a second: the touches that moved."""
        for symbol, coin in self.coins.items():
            touch = (coin.bid, coin.ask)
            if coin.bid and touch != coin.marked:
                coin.marked = touch
                self.state.marks[symbol] = (coin.bid + coin.ask) / 2 / float(coin.instrument.tick)

    def close_bar(self, coin: Coin, at_ns: int) -> None:
        """Close the bar that a book is past, silent ones with it, and decide on each."""
        while coin.bar_end_ns <= at_ns:
            coin.window.append(coin.bar_close)
            coin.closes.append(coin.bar_close)
            self._decide(coin)
            coin.bar_end_ns += self.interval_ns
            coin.books = 0

    def _decide(self, coin: Coin) -> None:
        now_ns = max(coin.bar_end_ns, coin.received_ns)
        if not is_open(self.profile.risk.session, now_ns, self.scene.calendar):
            return
        z = z_score(coin.window)
        trend = fsum(coin.closes) / len(coin.closes)
        if coin.lots:
            self._leave_by_z(coin, z, trend, now_ns)
        elif z is not None:
            self._enter(coin, z, trend, now_ns)

    def _leave_by_z(self, coin: Coin, z: float | None, trend: float, now_ns: int) -> None:
        limits, tier = self.profile.signal, self.profile.tier(coin.instrument.symbol)
        held_s_max = limits.time_stop_rth_s if is_rth(now_ns, self.scene.calendar) else limits.time_stop_s
        if coin.bar_close / coin.entry - 1 <= -limits.stop_loss:
            self.leave(coin, "stop_loss", z, trend, now_ns)
        elif (now_ns - coin.opened_ns) / NS_PER_S >= held_s_max:
            self.leave(coin, "time_stop", z, trend, now_ns)
        elif z is not None and z > -tier.z_exit:
            self.leave(coin, "z_revert", z, trend, now_ns)

    def leave(self, coin: Coin, reason: str, z: float | None, trend: float, now_ns: int) -> None:
        """Close the position, unless that was asked for a moment ago."""
        if now_ns < coin.awaited_ns:
            return
        forced = reason == "stop_loss"
        route = self.profile.routes[coin.instrument.asset_class]  # type: ignore[index]
        how = time_in_force(route, Purpose.EXIT, 0.0, forced=forced)
        slippage_bps = self.profile.signal.taker_slippage_bps
        ticks = limit_ticks(coin.instrument, Side.SELL, (coin.bid, coin.ask), how, slippage_bps)
        self._judge(coin, (Purpose.EXIT, Side.SELL, coin.lots, ticks, how), (reason, z, trend, nan), now_ns)

    def _enter(self, coin: Coin, z: float, trend: float, now_ns: int) -> None:
        limits, instrument = self.profile.signal, coin.instrument
        bound = self.profile.tier(instrument.symbol).z_entry
        if -bound <= z <= bound or now_ns - coin.received_ns > limits.obi_age_ms_max * NS_PER_MS:
            return
        long = z < 0
        if not (coin.obi > limits.obi_theta if long else coin.obi < -limits.obi_theta):
            return
        if (coin.bar_close < trend if long else coin.bar_close > trend) or now_ns < coin.awaited_ns:
            return
        side = Side.BUY if long else Side.SELL
        route = self.profile.routes[instrument.asset_class]  # type: ignore[index]
        how = time_in_force(route, Purpose.ENTRY, abs(z))
        ticks = limit_ticks(instrument, side, (coin.bid, coin.ask), how, limits.taker_slippage_bps)
        lots = lots_for(self.profile.notional_usd(instrument.asset_class), ticks, instrument)  # type: ignore[arg-type]
        if lots > 0:
            self._judge(coin, (Purpose.ENTRY, side, lots, ticks, how), ("z_entry", z, trend, bound), now_ns)

    def _judge(self, coin: Coin, order: tuple, why: tuple, now_ns: int) -> None:  # type: ignore[type-arg]
        purpose, side, lots, ticks, how = order
        reason, z, trend, bound = why
        evidence = Evidence(
            bar_start_ns=coin.bar_end_ns - self.interval_ns,
            close=coin.bar_close,
            z=nan if z is None else z,
            z_bound=bound,
            obi=coin.obi,
            obi_bound=self.profile.signal.obi_theta,
            obi_at_ns=coin.at_ns,
            obi_age_ns=now_ns - coin.received_ns,
            trend=trend,
            facade=coin.facade,
        )
        intent = Intent(
            id=f"0x{next(self.ids):032x}",
            engine=ENGINE,
            symbol=coin.instrument.symbol,
            side=side,
            lots=lots,
            ticks=ticks,
            time_in_force=how,
            purpose=purpose,
            reason=reason,
            at_ns=now_ns,
            evidence=evidence,
        )
        coin.awaited_ns = now_ns + ANSWER_NS_MAX
        verdict, self.state = judge(intent, self.state, now_ns)
        self.outcome.count(verdict)


def opened(scene: Scene) -> GateState:
    """The gate's state once it has heard what opens it."""
    gate = Gate(new_state(scene.profile, scene.instruments.values(), scene.calendar))
    for message in scene.opened():
        gate.hear(message)
    return gate.state
