"""One symbol, block by block: the seed's single-asset reactor (HyperSynthReactor)."""

from math import sqrt

import numpy as np
from msgspec import Struct
from msgspec.structs import astuple

from supervisor.clock import NS_PER_S
from venues.aleatoric.activity import STEPS, Days, activity, bursts
from venues.aleatoric.book import LOG_SPAN, UNITS, Ladder, lots_table
from venues.aleatoric.flow import Arrivals, Books, Fills, Flow, Orders, walk
from venues.aleatoric.model import BLOCK_STEPS, BookShape, State, SymbolModel
from venues.aleatoric.prices import FRACTION, GAP_MAX, Lead, Path, Pricer
from venues.aleatoric.scenario_books import publish, resize, stand_back
from venues.aleatoric.scenario_knobs import Knobs, Schedule
from venues.aleatoric.transforms import exp_of, first_order, quick_normals
from venues.aleatoric.words import Floats, Ints, Lane, Marks, Stream

CLOCKS, PRESSURES = 3, 2
LATE_CHANCE_MIN = 1e-12  # a chance of zero divides nothing
PROCESSES = CLOCKS + PRESSURES + 1  # and the facade
FACTOR_STREAM = "factor:{cadence_ns}:{session}"  # symbols that step together share their market


class Block(Struct):
    """1024 steps of one symbol in whole ticks and lots. Arrays of books are (side, step, level), bids first.

    The books are the published ones; only where a scenario damages them are they not those that were traded on.
    """

    index: int
    start_ns: int  # when its first step begins; the book of step i is there at start_ns + (i + 1) cadences
    ticks: Ints
    lots: Ints
    age_ns: Ints  # how much older than its arrival each book's venue stamp is
    trade_step: Ints
    trade_ns: Ints  # from the start of the block's first step
    trade_ticks: Ints
    trade_lots: Ints
    trade_sign: Ints
    silent: Marks | None = None  # (step,) of which nothing is published; its trades are left out already
    empty: Marks | None = None  # (side, step) that are published without a level


class Reactor:
    """Turns (model, seed, state) into blocks; holds nothing else that matters."""

    def __init__(self, model: SymbolModel, seed: int, state: State | None = None, stream: str = "") -> None:
        self.model = model
        self.state = state if state is not None else first_state(model)
        self._stream = Stream(seed, stream or model.stream)
        self._factor = Stream(seed, FACTOR_STREAM.format(cadence_ns=model.cadence_ns, session=model.session))
        self._days = Days(model.clock, self._stream, self._factor)
        self._pricer = Pricer(model, self._stream, self._factor)
        self._ladder, self._flow = Ladder(model, self._stream), Flow(model, self._stream)
        taus = np.array([*model.clock.taus_s, *model.price.pressure_taus_s, model.book.facade_s])
        self._keeps = np.array([exp_of(-model.cadence_ns / NS_PER_S / tau) for tau in taus])
        self._gains = np.sqrt(1.0 - self._keeps * self._keeps)
        self._schedule = Schedule(model.scenarios, model.cadence_ns)
        self.lead: Lead | None = None
        """How the hidden price went in the last block, for a symbol that goes with it."""
        self._usual_lots = float(lots_table(model)[LOG_SPAN * UNITS]) * model.flow.size_over_touch

    def next_block(self, start_ns: int, lead: Lead | None = None) -> Block:
        """The next 1024 steps; `start_ns` is when the first of them begins, for the profile of the day.

        A symbol that goes with another is given the other's lead over the same steps.
        """
        state = self.state
        knobs = self._schedule.knobs(state.block)
        path, arrivals, rows = self._steps(start_ns, knobs, lead)
        ticks = self._ladder.prices(path.bid, path.ask)
        shown, leaning = self._held(path, rows)
        lots = self._ladder.lots(state.block, ticks, leaning, shown).swapaxes(1, 2)
        ticks = ticks.swapaxes(1, 2)
        if knobs:
            lots = resize(knobs, lots)
        orders = self._flow.signs(state, arrivals, path.due, path.way)
        size = self._flow.sizes(state.block, orders, self._usual_lots, path)
        block = self._block(start_ns, orders, size, Books(ticks, lots))
        if knobs:
            damage(block, knobs, state)
        state.ticks, state.lots = ticks[:, -1].tolist(), lots[:, -1].tolist()
        state.block += 1
        return block

    def next_path(self, start_ns: int) -> Path:
        """The next 1024 steps of the price alone, for history: no queues and no trades."""
        path, arrivals, _ = self._steps(start_ns, self._schedule.knobs(self.state.block))
        self._flow.signs(self.state, arrivals, path.due, path.way)
        self.state.block += 1
        return path

    def skip_block(self, start_ns: int) -> None:
        """Go on by a block without its queues, at a third of the cost.

        The state is that of `next_block` but for the last book, which only the first trades of the next block need;
        where a scenario holds on to a book, the block is made after all.
        """
        state = self.state
        if self._schedule.knobs(state.block) or self._schedule.knobs(state.block + 1):
            self.next_block(start_ns)
            return
        path, arrivals, rows = self._steps(start_ns, None)
        self._held(path, rows)
        self._flow.signs(state, arrivals, path.due, path.way)
        self._ages()
        state.ticks, state.lots = [], []
        state.block += 1

    def _steps(self, start_ns: int, knobs: Knobs | None, lead: Lead | None = None) -> tuple[Path, Arrivals, Floats]:
        """What decides the block: prices, arrivals, and the rows that the book leans on."""
        state, model = self.state, self.model
        shocks, rows = self._processes(lead)
        gain, burst_steps = bursts(model.clock, self._stream, state.block, model.cadence_ns, state.burst_steps)
        profile = self._days.profile(start_ns, model.cadence_ns)
        clock = activity(model.clock, rows[:CLOCKS], profile, gain)
        if knobs:
            clock = clock * knobs.activity[1:]
            profile = profile * knobs.activity[1:]
        pushes = knobs.pushes(state.latent) if knobs else None
        course = self._pricer.course(state, shocks, clock, pushes, lead)
        arrivals = self._flow.arrivals(state, clock, profile, course.stress_relative)
        state.burst_steps = burst_steps
        traded = np.bincount(arrivals.step, minlength=BLOCK_STEPS)[:BLOCK_STEPS] > 0
        path = self._pricer.path(state, course, traded)
        self.lead = Lead(course.latent, shocks)
        if not knobs:
            return path, arrivals, rows[CLOCKS:]
        path.bid, path.ask = stand_back(model.book, knobs, path.bid, path.ask, model.ticks_deep)
        path.gap, path.due = leaned(path.gap, knobs), leaned(path.due, knobs)
        return path, arrivals, rows[CLOCKS:]

    def _processes(self, lead: Lead | None) -> tuple[Floats, Floats]:
        """The hidden price's shocks and the carried processes (clocks, pressures, facade), all of unit variance."""
        state, price, clock = self.state, self.model.price, self.model.clock
        own = self._stream.shorts(state.block, Lane.SHOCKS, (PROCESSES + 1) * BLOCK_STEPS)
        noises = quick_normals(own).reshape(-1, BLOCK_STEPS)
        market = self._factor.shorts(state.block, Lane.FACTOR, (CLOCKS + 1) * BLOCK_STEPS)
        factors = quick_normals(market).reshape(-1, BLOCK_STEPS)
        shocks = shared(noises[-1], factors[-1], price.factor_share) if lead is None else lead.shocks
        noises[:CLOCKS] = shared(noises[:CLOCKS], factors[:CLOCKS], clock.factor_share)
        pressures = noises[CLOCKS : CLOCKS + PRESSURES]
        pressures *= sqrt(1.0 - price.pressure_informed * price.pressure_informed)
        pressures += shocks * price.pressure_informed
        rows = first_order(noises[:PROCESSES] * self._gains[:, None], self._keeps, np.array(state.processes))
        state.processes = rows[:, -1].tolist()
        return shocks, rows

    def _held(self, path: Path, rows: Floats) -> tuple[Ints, Floats]:
        """The step whose flicker the queues show, and what they lean on.

        They answer to pressure now and then, and always when the price moves; at still steps nothing is new.
        """
        state, book = self.state, self.model.book
        still, fresh = self._refresh(book, path)
        at = np.maximum.accumulate(np.where(fresh, STEPS, -1))
        gap = path.gap * (1.0 - book.lean_bend + np.abs(path.gap) * book.lean_bend)
        leaning = np.concatenate([gap[None, :], rows])
        held = np.where(at >= 0, leaning[:, np.maximum(at, 0)], np.array(state.leaning)[:, None])
        state.leaning = held[:, -1].tolist()
        return np.maximum.accumulate(np.where(still, 0, STEPS)), held

    def _refresh(self, book: BookShape, path: Path) -> tuple[Marks, Marks]:
        """At which steps nothing is new, and at which the queues answer."""
        draws = self._stream.chances(self.state.block, Lane.REFRESH, BLOCK_STEPS)
        still = (draws < book.still_chance) & ~path.moved
        fresh = path.moved | (~still & (draws < book.still_chance + book.refresh_chance))
        return still, fresh

    def _block(self, start_ns: int, orders: Orders, size: Ints, books: Books) -> Block:
        """Let the orders take from the books shown before them, and put all side by side."""
        fills = self._fills(orders, size, books)
        return Block(
            index=self.state.block,
            start_ns=start_ns,
            ticks=books.ticks,
            lots=books.lots,
            age_ns=self._ages(),
            trade_step=orders.step[fills.order],
            trade_ns=orders.offset_ns[fills.order],
            trade_ticks=fills.ticks,
            trade_lots=fills.lots,
            trade_sign=orders.sign[fills.order],
        )

    def _ages(self) -> Ints:
        """How old each book is when it arrives; never so old that stamps go back."""
        state, model = self.state, self.model
        draws = self._stream.chances(state.block, Lane.STAMPS, 2 * BLOCK_STEPS).reshape(2, -1)
        late = np.where(draws[1] < model.late_chance, draws[1] / max(model.late_chance, LATE_CHANCE_MIN), 0.0)
        ages = (draws[0] * (2.0 * model.delay_ns) + late * model.late_ns).astype(np.int64)
        if model.latency_ns[1]:
            low, high = model.latency_ns
            ways = self._stream.chances(state.block, Lane.LATENCY, BLOCK_STEPS)
            ages += low + (ways * (high - low)).astype(np.int64)
        arrivals = (STEPS + 1) * model.cadence_ns
        stamps = arrivals - ages
        stamps[0] = max(int(stamps[0]), -state.age_ns)
        ages = arrivals - np.maximum.accumulate(stamps)
        state.age_ns = int(ages[-1])
        return ages

    def _fills(self, orders: Orders, size: Ints, books: Books) -> Fills:
        """What the orders take. Those of the first step find the last book of the block before, if there was one."""
        side = (orders.sign > 0).astype(np.int64)  # a buyer takes from the asks
        first = int(np.searchsorted(orders.step, 1))
        later = walk(side[first:], orders.step[first:] - 1, size[first:], books)
        later.order += first
        if not self.state.ticks:
            return later
        last = Books(np.array(self.state.ticks)[:, None], np.array(self.state.lots)[:, None])
        early = walk(side[:first], orders.step[:first], size[:first], last)
        pairs = zip(astuple(early), astuple(later), strict=True)
        return Fills(*(np.concatenate(pair) for pair in pairs))


def leaned(gap: Floats, knobs: Knobs) -> Floats:
    """The way that quotes still have to go, with what a scenario makes of it."""
    return np.minimum(np.maximum(gap + knobs.lean[1:], -GAP_MAX), GAP_MAX)


def damage(block: Block, knobs: Knobs, state: State) -> None:
    """Publish of a block only what a scenario lets through.

    Nobody takes from a side that is empty, and the first word after a silence is a book.
    """
    block.ticks, block.lots = publish(knobs, state, block.ticks, block.lots)
    if knobs.empty[:, 1:].any():
        block.empty = knobs.empty[:, 1:]
    if knobs.silent[1:].any():
        block.silent = knobs.silent[1:]
    taken = (block.trade_sign > 0).astype(np.int64)
    # Index 0 of a knob is the step before the block: trades take from the book before theirs.
    told = ~((knobs.silent[1:] | knobs.silent[:-1])[block.trade_step] | knobs.empty[taken, block.trade_step])
    for name in ("trade_step", "trade_ns", "trade_ticks", "trade_lots", "trade_sign"):
        setattr(block, name, getattr(block, name)[told])


def shared(own: Floats, market: Floats, share: float) -> Floats:
    """A mix of one's own noise and the market's, of variance 1, in which the market has this share of the variance."""
    return own * sqrt(1.0 - share) + market * sqrt(share)


def first_state(model: SymbolModel) -> State:
    """The state before the first block: calm, at the initial price."""
    quote = round(model.price_initial / model.tick)
    if quote < 2 * model.ticks_min:
        raise ValueError(
            f"price_initial of {model.symbol} is {model.price_initial}, which is {quote} ticks of {model.tick};"
            f" {2 * model.ticks_min} ticks at least leave room for {model.levels} levels"
        )
    return State(latent=quote * FRACTION + FRACTION // 2, quote=quote)
