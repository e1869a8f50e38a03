"""Markets: turns the universe's facts into what venues trade and what Aleatoric makes."""

from config.universe import SymbolFacts
from venues.aleatoric import manifest_model
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.presets import manifest_of
from venues.market import Instrument

FIELDS = tuple(field for field in Instrument.__struct_fields__ if field in SymbolFacts.__struct_fields__)


def instrument_of(facts: SymbolFacts) -> Instrument:
    """What an order for it must obey."""
    return Instrument(**{field: getattr(facts, field) for field in FIELDS})


def model_of(facts: SymbolFacts) -> SymbolModel:
    """How its synthetic market moves: the preset of its name, as `obid generate` makes it."""
    return manifest_model.model_of(manifest_of(facts))
