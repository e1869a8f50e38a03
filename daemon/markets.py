"""Markets: turns the universe's facts into what venues trade and what Aleatoric makes."""

from msgspec.structs import replace

from config.universe import SymbolFacts
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.presets import EQUITY as SHARE
from venues.aleatoric.presets import SPOT, in_market, perpetual
from venues.market import Instrument

FIELDS = tuple(field for field in Instrument.__struct_fields__ if field in SymbolFacts.__struct_fields__)
PERPETUAL = ("native", "hip3")
EQUITY = "equity"


def instrument_of(facts: SymbolFacts) -> Instrument:
    """What an order for it must obey."""
    return Instrument(**{field: getattr(facts, field) for field in FIELDS})


def model_of(facts: SymbolFacts) -> SymbolModel:
    """How its synthetic market moves."""
    spread, trades = float(facts.spread_steps), facts.trades_per_s
    if facts.asset_class in PERPETUAL:
        base = perpetual(spread, trades)
    else:
        base = in_market(SHARE if facts.asset_class == EQUITY else SPOT, spread, trades)
    return replace(
        base,
        symbol=facts.symbol,
        tick=facts.step,
        lot=facts.lot,
        price_initial=facts.price_usd,
        volatility_annual=facts.volatility_annual,
        touch_usd=facts.depth_usd,
    )
