"""Whether what an actor keeps of positions is what the ledger says that is held."""

from collections.abc import Mapping

from actors.messages import InvariantBroken, Stated
from risk.invariants import Checks, Invariant


class Agreement:
    """One keeper of positions. A difference counts when it is seen twice, unchanged: what is under way crosses."""

    def __init__(self, keeper: str, checks: Checks | None = None):
        self.keeper = keeper
        self.checks = Checks() if checks is None else checks
        self.before: dict[
            str, dict[str, tuple[int, int]]
        ] = {}  # engine -> symbol -> kept and stated lots that differed

    def compare(self, stated: Stated, kept: Mapping[str, int]) -> tuple[InvariantBroken, ...]:
        """Compare by symbol; what is kept may hold zeros. Says what differs as it did the last time."""
        differs = {
            symbol: (kept.get(symbol, 0), stated.lots.get(symbol, 0))
            for symbol in sorted({*kept, *stated.lots})
            if kept.get(symbol, 0) != stated.lots.get(symbol, 0)
        }
        before = self.before.get(stated.engine, {})
        self.before[stated.engine] = differs
        lasting = [
            f"{symbol} {here}, ledger {there}"
            for symbol, (here, there) in differs.items()
            if before.get(symbol) == (here, there)
        ]
        wrong = f"lots that {self.keeper} keeps: {'; '.join(lasting)}" if lasting else ""
        if not self.checks.see(Invariant.EXPOSURE_IS_POSITIONS, wrong):
            return ()
        return (InvariantBroken(stated.engine, Invariant.EXPOSURE_IS_POSITIONS, wrong, stated.at_ns),)
