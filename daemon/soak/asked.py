"""What a soak was asked to be, checked, and how it is begun."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from config.load import ENGINES, load_profile
from config.universe import load_universe
from daemon.errors import BadInput
from daemon.soak.evidence import WELL_S_MAX, Evidence
from daemon.soak.mix import mix
from daemon.soak.plan import LIVELY, WorldPlan

CALM_S_PER_SYMBOL = 2.0
"""So much later than all is well every symbol must be traded again. A start asks for a history of each, 20 of the
1,200 that Hyperliquid allows a minute, beside what the life before it has spent of the same minute."""


class Asked(Struct, frozen=True, kw_only=True):
    """A soak to be."""

    hours: float
    seed: int
    faults: str
    engines: tuple[str, ...]
    symbols: tuple[str, ...] = ()  # none: all that the profiles have
    real: bool = False
    lively: bool = False  # a strategy that trades some times a minute, not the packaged one

    def plan(self) -> WorldPlan:
        """The world it happens in. Raises BadInput."""
        return WorldPlan(
            seed=self.seed,
            hours=self.hours,
            calm_s=WELL_S_MAX + CALM_S_PER_SYMBOL * len(self.symbols_of()),
            engines=self.engines,
            symbols=self.symbols_of(),
            strategy=LIVELY if self.lively else "",
            faults=mix(self.faults, self.engines, self.hours),
        )

    def symbols_of(self) -> tuple[str, ...]:
        """What is traded. Raises BadInput for a symbol that none of the engines knows."""
        chosen = [ENGINES[ENGINES.index(engine)] for engine in self.engines]
        if not self.symbols:
            return tuple(symbol for engine in chosen for symbol in load_profile(engine).symbols)
        known = [symbol for engine in chosen for symbol in load_universe(engine)]
        for symbol in self.symbols:
            if symbol not in known:
                raise BadInput("--symbols", symbol, f"one that the engines know: {', '.join(known)}")
        return self.symbols

    def soak(self, folder: Path, *, quiet: bool = False) -> Evidence:
        """Do it."""
        if self.real:
            from daemon.soak.real import soak_real

            return soak_real(self.plan(), self.faults, folder, quiet=quiet)
        from daemon.soak.witness import soak_virtual

        return soak_virtual(self.plan(), self.faults, folder, quiet=quiet)


@contextmanager
def empty_folder(asked: Path | None) -> Iterator[Path]:
    """Where the daemon lives: the folder that was named, if it is empty, else one that is gone afterwards."""
    if asked is None:
        with tempfile.TemporaryDirectory(prefix="obid-soak-") as made:
            yield Path(made)
        return
    if asked.exists() and (not asked.is_dir() or any(asked.iterdir())):
        raise BadInput("--data-dir", asked, "a soak begins with nothing: name an empty directory, or none")
    asked.mkdir(parents=True, exist_ok=True)
    yield asked.absolute()
