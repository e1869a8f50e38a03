"""A synthetic market of shares to screen: Aleatoric's models of the universe and of the candidates beside it.

Volume is that of a few minutes of IEX, as the models have it, brought to a session and to the whole tape.
"""

from collections.abc import Sequence

from config.universe import SymbolFacts, load_universe
from daemon.markets import model_of
from daemon.modes import SYNTHETIC_START_NS, session_calendar
from daemon.stocks import DAYS, Stock
from risk.session import is_open
from supervisor.clock import NS_PER_S
from venues.aleatoric.history import NS_PER_DAY, history
from venues.aleatoric.symbol import Reactor

TAPE = 40
"""What is traded everywhere for each share on IEX, which has some 2.5 % of the volume of US shares."""

SESSION_NS = 23_400 * NS_PER_S
BLOCKS = 2
"""Of 1024 books each: enough trades for a mean."""


class SyntheticStocks:
    """Answers like a venue that lists the universe and the candidates."""

    def __init__(self, seed: int):
        self.name = f"synthetic market, seed {seed}"
        self.seed = seed

    async def stocks(self, known: Sequence[str], *, new_only: bool) -> Sequence[Stock]:
        """Those of the names, or the candidates beside them."""
        universe, candidates = load_universe("equities"), load_universe("equities_candidates")
        return [self._stock(one) for one in (candidates.values() if new_only else [universe[name] for name in known])]

    async def close(self) -> None:
        """Nothing is open."""

    def _stock(self, facts: SymbolFacts) -> Stock:
        model, calendar = model_of(facts), session_calendar()
        opened = lambda at_ns: is_open("us_equities", at_ns, calendar)  # noqa: E731
        bars = history(model, self.seed, SYNTHETIC_START_NS, NS_PER_DAY, DAYS, opened)
        reactor, at_ns, lots, span_ns = Reactor(model, self.seed), SYNTHETIC_START_NS, 0, 0
        for _ in range(BLOCKS):
            block = reactor.next_block(at_ns)
            lots += int(block.trade_lots.sum())
            span_ns += block.ticks.shape[1] * model.cadence_ns
            at_ns += block.ticks.shape[1] * model.cadence_ns
        shares = float(lots * facts.lot) * TAPE * SESSION_NS / span_ns
        return Stock(symbol=facts.symbol, closes=tuple(bar.close for bar in bars), volumes=(shares,) * len(bars))
