"""Markets: turns the universe's facts into what venues trade and what Aleatoric makes."""

from config.universe import SymbolFacts
from venues.aleatoric.model import YEAR_ALWAYS_S, YEAR_EQUITIES_S, BookShape, FlowShape, SymbolModel
from venues.market import Instrument

FIELDS = tuple(field for field in Instrument.__struct_fields__ if field in SymbolFacts.__struct_fields__)
PERPETUAL = ("native", "hip3")
EQUITY = "equity"


def instrument_of(facts: SymbolFacts) -> Instrument:
    """What an order for it must obey."""
    return Instrument(**{field: getattr(facts, field) for field in FIELDS})


def model_of(facts: SymbolFacts) -> SymbolModel:
    """How its synthetic market moves."""
    equity = facts.asset_class == EQUITY
    return SymbolModel(
        symbol=facts.symbol,
        tick=facts.step,
        lot=facts.lot,
        price_initial=facts.price_usd,
        volatility_annual=facts.volatility_annual,
        touch_usd=facts.depth_usd,
        year_s=YEAR_EQUITIES_S if equity else YEAR_ALWAYS_S,
        session="us_equities" if equity else "always",
        perpetual=facts.asset_class in PERPETUAL,
        book=BookShape(spread_ticks=float(facts.spread_steps)),
        flow=FlowShape(trades_per_s=facts.trades_per_s),
    )
