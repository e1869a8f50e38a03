"""One symbol, block by block: the seed's single-asset reactor (HyperSynthReactor)."""

from math import sqrt

import numpy as np
from msgspec import Struct

from venues.aleatoric.activity import NS_PER_S, activity, bursts, intraday
from venues.aleatoric.book import LOG_SPAN, UNITS, Ladder, lots_table, wander
from venues.aleatoric.flow import Flow, Orders
from venues.aleatoric.model import BLOCK_STEPS, State, SymbolModel, Touch
from venues.aleatoric.prices import (
    FRACTION,
    FRACTION_BITS,
    GAP_MAX,
    Path,
    hidden,
    jumps,
    lags,
    quotes,
    step_ticks,
)
from venues.aleatoric.transforms import exp_of, first_order, normals
from venues.aleatoric.words import Floats, Ints, Lane, Stream

CLOCKS, PRESSURES = 3, 2
PROCESSES = CLOCKS + PRESSURES
FACTOR_STREAM = "factor:{cadence_ns}:{session}"  # symbols that step together share their market


class Block(Struct):
    """1024 steps of one symbol in whole ticks and lots. Arrays of books are (side, step, level), bids first."""

    index: int
    ticks: Ints
    lots: Ints
    stamp_ns: Ints  # how much older than its arrival each book's venue stamp is
    trade_step: Ints
    trade_ns: Ints  # from the start of the block's first step
    trade_ticks: Ints
    trade_lots: Ints
    trade_sign: Ints


class Reactor:
    """Turns (model, seed, state) into blocks; holds nothing else that matters."""

    def __init__(self, model: SymbolModel, seed: int, state: State | None = None, stream: str = "") -> None:
        self.model = model
        self.state = state if state is not None else first_state(model)
        self._stream = Stream(seed, stream or model.stream)
        self._factor = Stream(seed, FACTOR_STREAM.format(cadence_ns=model.cadence_ns, session=model.session))
        self._ladder, self._flow = Ladder(model, self._stream), Flow(model, self._stream)
        self._step_s = model.cadence_ns / NS_PER_S
        taus = np.array([*model.clock.taus_s, *model.price.pressure_taus_s])
        self._keeps = np.array([exp_of(-self._step_s / tau) for tau in taus])
        self._gains = np.sqrt(1.0 - self._keeps * self._keeps)
        self._median_lots = float(lots_table(model)[LOG_SPAN * UNITS])

    def next_block(self, start_ns: int) -> Block:
        """The next 1024 steps; `start_ns` is when the first of them begins, for the profile of the day."""
        state = self.state
        path, orders = self._steps(start_ns)
        ticks = self._ladder.prices(path.bid, path.ask)
        lots = self._ladder.lots(state.block, ticks, path.leaning, path.activity)
        block = self._trades(state, orders, ticks, lots)
        state.touch = Touch(*(int(side) for side in (*ticks[:, -1, 0], *lots[:, -1, 0])))
        state.block += 1
        return block

    def next_path(self, start_ns: int) -> Path:
        """The next 1024 steps of the price alone, for history: no queues and no trades."""
        path, _ = self._steps(start_ns)
        self.state.block += 1
        return path

    def _steps(self, start_ns: int) -> tuple[Path, Orders]:
        """What decides the block: activity, orders and prices."""
        state, model = self.state, self.model
        shocks, logs, pressures = self._processes(state)
        gain, burst_steps = bursts(model.clock, self._stream, state.block, model.cadence_ns, state.burst_steps)
        clock = activity(model.clock, logs, intraday(model.clock, start_ns, model.cadence_ns), gain)
        orders = self._flow.orders(state, clock, pressures[0])
        state.burst_steps = burst_steps
        return self._path(state, shocks, clock, orders, pressures), orders

    def _processes(self, state: State) -> tuple[Floats, Floats, Floats]:
        """The hidden price's shocks, the clock's logs and the two pressures, all of unit variance."""
        count = (PROCESSES + 1) * BLOCK_STEPS
        noises = normals(self._stream.uniforms(state.block, Lane.NOISES, count)).reshape(-1, BLOCK_STEPS)
        market = normals(self._factor.uniforms(state.block, Lane.FACTOR, BLOCK_STEPS))
        price = self.model.price
        shocks = noises[-1] * sqrt(1.0 - price.factor_share) + market * sqrt(price.factor_share)
        informed = price.pressure_informed
        own = noises[CLOCKS:PROCESSES] * sqrt(1.0 - informed * informed)
        noises[CLOCKS:PROCESSES] = own + shocks * informed
        rows = first_order(noises[:PROCESSES] * self._gains[:, None], self._keeps, np.array(state.processes))
        state.processes = rows[:, -1].tolist()
        return shocks, rows[:CLOCKS], rows[CLOCKS:]

    def _path(self, state: State, shocks: Floats, clock: Floats, orders: Orders, pressures: Floats) -> Path:
        """Hidden price, quotes and spread of the block."""
        model, shape = self.model, self.model.price
        std = step_ticks(model, state.latent >> FRACTION_BITS)
        usual = max(1.0, std / sqrt(shape.moves_per_step))
        leaps = jumps(shape, self._stream, state.block, clock, self._step_s, std)
        latent = hidden(state, shocks, leaps, std, shape.jump_share, clock)
        draws = self._stream.uniforms(state.block, Lane.MOVES, 4 * BLOCK_STEPS).reshape(4, -1)
        traded = np.bincount(orders.step, minlength=BLOCK_STEPS) > 0
        chance = shape.moves_per_step * np.sqrt(clock) * np.where(traded, 1.0 + shape.moves_trade_gain, 1.0)
        moves = (draws[0] < chance) | (leaps != 0.0)
        quote, behind = quotes(model, state, latent, moves)
        move = np.diff(quote, prepend=state.quote)
        close = usual * self._step_s / shape.spread_close_s
        bid_lag = lags(shape, move, draws[1], close, state.bid_lag)
        ask_lag = lags(shape, -move, draws[1], close, state.ask_lag)
        half, rest = divmod(round(model.book.spread_ticks) - 1, 2)
        bid = quote - half - whole(bid_lag) - wander(model.book, draws[2])
        ask = quote + 1 + half + rest + whole(ask_lag) + wander(model.book, draws[3])
        gap = np.minimum(np.maximum((latent / FRACTION - quote - 0.5) / usual, -GAP_MAX), GAP_MAX)
        state.latent, state.quote, state.aim = int(latent[-1]), int(quote[-1]), float(behind[-1])
        state.bid_lag, state.ask_lag = int(bid_lag[-1]), int(ask_lag[-1])
        return Path(bid, ask, clock, np.vstack([gap[None, :], pressures]))

    def _trades(self, state: State, orders: Orders, ticks: Ints, lots: Ints) -> Block:
        """Trades at the touch of the book before them, put beside the books."""
        if state.touch is None:  # nothing is displayed before the first book, so nothing can trade there
            later = orders.step > 0
            orders = Orders(orders.offset_ns[later], orders.step[later], orders.sign[later])
            state.touch = Touch(*(int(side) for side in (*ticks[:, 0, 0], *lots[:, 0, 0])))
        touch = state.touch
        prices = np.hstack([[[touch.bid], [touch.ask]], ticks[:, :-1, 0]])
        rooms = np.hstack([[[touch.bid_lots], [touch.ask_lots]], lots[:, :-1, 0]])
        side = (orders.sign > 0).astype(np.int64)  # a buyer takes from the asks
        room = rooms[side, orders.step]
        size = self._flow.sizes(state.block, self._median_lots * self.model.flow.size_over_touch, room)
        draws = self._stream.uniforms(state.block, Lane.STAMPS, 2 * BLOCK_STEPS).reshape(2, -1)
        stamps = ((draws[0] + draws[1]) * self.model.stamp_jitter_ns).astype(np.int64)
        return Block(
            index=state.block,
            ticks=ticks,
            lots=lots,
            stamp_ns=stamps,
            trade_step=orders.step,
            trade_ns=orders.offset_ns,
            trade_ticks=prices[side, orders.step],
            trade_lots=size,
            trade_sign=orders.sign,
        )


def whole(parts: Ints) -> Ints:
    """Ticks / 2^16 to the nearest whole tick."""
    return (parts + FRACTION // 2) >> FRACTION_BITS


def first_state(model: SymbolModel) -> State:
    """The state before the first block: calm, at the initial price."""
    quote = round(model.price_initial / model.tick)
    return State(latent=quote * FRACTION + FRACTION // 2, quote=quote)
