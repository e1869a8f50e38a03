"""What befalls a synthetic market on purpose: `--scenario [SYMBOLS:]KIND@TIME,...`, for some symbols or for all."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from config.profile import EngineName, Profile
from daemon.errors import BadInput
from daemon.options import SYMBOL
from venues.aleatoric.scenarios import BadScenario, Scenario, parse_scenario

FIELD = "--scenario"


@dataclass(frozen=True, slots=True)
class AskedScenario:
    """One scenario and whom it befalls."""

    scenario: Scenario
    symbols: tuple[str, ...] = ()  # none: all of the run

    @property
    def text(self) -> str:
        """As it can be typed, with nothing left to defaults."""
        return f"{'+'.join(self.symbols)}{':' if self.symbols else ''}{self.scenario.text}"


def parse_scenarios(texts: Iterable[str]) -> tuple[AskedScenario, ...]:
    """'BTC+xyz:TSLA:flash_crash@10m,size=0.08' and the like; raises BadInput for the first that is wrong."""
    return tuple(_parse(text) for text in texts)


def _parse(text: str) -> AskedScenario:
    # Symbols may have colons and at signs in them, kinds and times have none.
    where = text.partition(",")[0].rpartition("@")[0]
    names = where.rpartition(":")[0]
    symbols = tuple(names.split("+")) if names else ()
    for symbol in symbols:
        if not SYMBOL.fullmatch(symbol):
            raise BadInput(FIELD, symbol, "symbols as the venue spells them, joined by +: BTC+xyz:TSLA:frozen@10m")
    if double := [symbol for at, symbol in enumerate(symbols) if symbol in symbols[:at]]:
        raise BadInput(FIELD, double[0], "is named twice")
    try:
        return AskedScenario(parse_scenario(text[len(names) + 1 :] if names else text), symbols)
    except BadScenario as error:
        raise BadInput(FIELD, text, str(error)) from error


def scenarios_of(symbol: str, asked: Iterable[AskedScenario]) -> tuple[Scenario, ...]:
    """What befalls a symbol, in the order it was asked for."""
    return tuple(one.scenario for one in asked if not one.symbols or symbol in one.symbols)


def refuse_unknown(asked: Iterable[AskedScenario], profiles: Mapping[EngineName, Profile]) -> None:
    """Say so when something is to befall a symbol that nobody trades. Raises BadInput."""
    known = [symbol for profile in profiles.values() for symbol in profile.symbols]
    for one in asked:
        for symbol in one.symbols:
            if symbol not in known:
                raise BadInput(FIELD, symbol, f"one of the run's symbols: {', '.join(known)}")
