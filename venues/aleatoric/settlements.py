"""Which interval of funding a time is in, step after step, and what was settled on the way."""

import numpy as np

from venues.aleatoric.funding.figures import rule_of
from venues.aleatoric.funding.payments import FundingRate, period_at
from venues.aleatoric.funding.schedule import Period
from venues.aleatoric.model import SymbolModel
from venues.aleatoric.words import Ints


class Settlements:
    """The intervals of one perpetual; keeps the current one at hand, and nothing that matters."""

    def __init__(self, model: SymbolModel, seed: int) -> None:
        self._model, self._seed = model, seed
        self._pays = rule_of(model.funding_venue, model.funding_profile).pays
        self._now: Period | None = None

    def at(self, at_ns: int) -> Period:
        """The interval that a time is in: at a settlement it is already the next, as venues stamp it."""
        if self._now is None or not self._now.start_ns <= at_ns < self._now.end_ns:
            self._now = period_at(self._model, self._seed, at_ns)
        return self._now

    def steps(self, at_ns: Ints) -> tuple[list[Period], Ints]:
        """The intervals that some rising times are in, and of each time the index of its own."""
        found, begins = [self.at(int(at_ns[0]))], [0]
        while (end := int(np.searchsorted(at_ns, found[-1].end_ns))) < len(at_ns):
            found.append(self.at(int(at_ns[end])))
            begins.append(end)
        return found, np.repeat(np.arange(len(found)), np.diff([*begins, len(at_ns)]))

    def settled(self, after_ns: int, until_ns: int) -> list[FundingRate]:
        """What was paid after a time and until another, that one included."""
        paid: list[FundingRate] = []
        period = self.at(after_ns)
        while self._pays and period.end_ns <= until_ns:
            paid.append(FundingRate(self._model.symbol, period.end_ns, period.rate, period.premium))
            period = self.at(period.end_ns)
        return paid
