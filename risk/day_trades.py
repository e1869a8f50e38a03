"""Day trades: shares that were bought and sold again within one New York day, of which a small account has few.

A margin account that makes four in five business days is a pattern day trader's (FINRA Rule 4210(f)(8)(B)) and needs
25,000 USD of equity; Alpaca refuses the order that would be the fourth with 40310100. Every position that is left
before the close is a day trade, so the gate counts what is held as one that is done.
"""

from datetime import date

from msgspec import Struct

from risk.ledger.postings import Entry
from risk.position import Position
from risk.session import NS_PER_S, SessionCalendar, local_date, sessions_back
from venues.market import Instrument

CLASS = "equity"
"""Whose day trades are counted: the rule is about margin accounts in securities, not about coins."""

SESSIONS = 5
"""Sessions, today's included, over which they are counted."""

KEPT_NS = 14 * 86_400 * NS_PER_S
"""How long one is remembered: five sessions, the days shut between them, and some."""


class DayTraded(Struct, frozen=True):
    """Shares were bought and sold again, or sold and bought back, within one New York day."""

    engine: str
    symbol: str
    opened_ns: int
    at_ns: int


class DayTrades:
    """Those that the ledger has seen lately, by engine; what was traded beside obid is not among them."""

    def __init__(self) -> None:
        self.by_engine: dict[str, list[DayTraded]] = {}  # oldest first

    def fold(self, before: Position, entry: Entry, instrument: Instrument) -> None:
        """Take in an entry of the books and the position before it: a fill may close or turn what was opened today."""
        opened_ns = before.opened_ns
        closed = entry.position is not None and opened_ns and entry.position.opened_ns != opened_ns
        if not closed or instrument.asset_class != CLASS or local_date(opened_ns) != local_date(entry.at_ns):
            return
        trades = self.by_engine.setdefault(entry.engine, [])
        trades.append(DayTraded(entry.engine, entry.symbol, opened_ns, entry.at_ns))
        while trades[0].at_ns < entry.at_ns - KEPT_NS:
            del trades[0]

    def of(self, engine: str) -> tuple[DayTraded, ...]:
        """An engine's, oldest first."""
        return tuple(self.by_engine.get(engine, ()))

    def made_by(self, entry: Entry) -> tuple[DayTraded, ...]:
        """The one that an entry just folded has made, if it has."""
        newest = self.of(entry.engine)[-1:]
        return tuple(one for one in newest if (one.symbol, one.at_ns) == (entry.symbol, entry.at_ns))


def first_counted(at_ns: int, calendar: SessionCalendar) -> date | None:
    """The first day whose trades still count; None beyond the calendar, where every known one does."""
    return sessions_back(at_ns, SESSIONS, calendar)
