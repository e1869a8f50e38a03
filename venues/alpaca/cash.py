"""The account's money: what came or went that was no trade.

Source: /v2/account/activities (docs, "Account Activities").
Deposits, withdrawals, journals, dividends, interest and the regulators' fees on shares are told as money that moved,
each once by the venue's id, however often it is listed. The fees of coins are not: a fill has its fee already. An
account that engines share is shared out as its opening cash was; a row that names a share is its engine's.

What was there when the books were opened is in the opening balance. Rows have a date, and not all of them a time: of
the opening's own day those without are all booked, and taken off the opening balance where they are in it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec import Raw, Struct

from supervisor.clock import NS_PER_S, Clock
from venues.alpaca.market_wire import nanoseconds
from venues.alpaca.rest import Rest
from venues.alpaca.rules import NEW_YORK, day_of
from venues.alpaca.trading_wire import plain_symbol, read, sane, timely
from venues.market import MINOR_PER_USD, MoneyMoved
from venues.venue import VenueMisspoke, VenueUnreachable

PATH = "/v2/account/activities"
LOOK_S = 120.0
"""Between looks, at least: a withdrawal that nobody knows of is a loss to the breaker for so long."""

LATE_NS = 7 * 24 * 3600 * NS_PER_S
"""Rows come days after the date that they bear: a Friday's fee on Monday, a cheque when it is cleared."""

DATED_NS = 2 * 24 * 3600 * NS_PER_S
"""How long before books are opened their own day may have begun, wherever the venue's clock counts it."""

PAGE_ROWS, PAGES_MAX = 100, 500
"""The most rows that the venue gives, and more pages of a week than anybody has: of coins each fill has a row, its fee,
and 7,000 fills a day are 490 pages."""

PAGES_AT_ONCE, PAGE_S = 5, 1.0
"""So many pages are asked for in a row, further ones once a second: what is asked meanwhile about orders and positions
shares the account's 200 requests a minute."""

LOOK_PAGE_S = 12.0
"""Of the time between looks, for each page that the last one took: five requests a minute, however busy the account."""

TOLD_MAX = 10_000
"""Ids of rows that were heard."""

MOVES = frozenset(
    {
        *("CSD", "CSW", "TRANS", "ACATC", "JNL", "JNLC"),
        *("DIV", "DIVCGL", "DIVCGS", "DIVFEE", "DIVFT", "DIVNRA", "DIVROC", "DIVTW", "DIVTXEX", "DIVWH"),
        *("INT", "INTNRA", "INTTW", "FEE", "PTC", "PTR", "WH", "CORR"),
    }
)
"""Kinds whose net_amount is money that came or went and nothing else. One that moves shares too, a merger or a
spin-off, shows as a position that differs; its money is told and not booked."""

COIN_FEES = ("CFEE",)
COIN_FEE_TEXT = "Coin Pair Transaction Fee"
"""How the description of a coin's fee begins, whatever its kind (docs, "Crypto Fees")."""

TRADES, CANCELED = "FILL", "canceled"
STAMP_DIGITS = 17
"""Of the beginning of an id: the time in New York, to the millisecond, of some kinds with nothing but zeros."""


class CashRow(Struct, frozen=True, kw_only=True):
    """One row that is no trade."""

    id: str
    activity_type: str
    date: str = ""
    created_at: str = ""
    net_amount: Decimal = Decimal(0)
    symbol: str = ""
    description: str = ""
    status: str = ""

    def __post_init__(self) -> None:
        sane(self.net_amount)
        timely(self.at_ns)
        if self.date:
            date.fromisoformat(self.date)

    @property
    def at_ns(self) -> int:
        """When it was made; 0 where it says no more than a date."""
        if self.created_at:
            return nanoseconds(self.created_at)
        digits = self.id.partition("::")[0]
        if len(digits) != STAMP_DIGITS or not digits.isdecimal() or not digits.isascii() or not int(digits[8:]):
            return 0
        told = datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=NEW_YORK)
        return max(0, round(told.astimezone(UTC).timestamp())) * NS_PER_S

    @property
    def of_coins(self) -> bool:
        """Whether it is a fee that fills have told."""
        return self.activity_type in COIN_FEES or self.description.startswith(COIN_FEE_TEXT)

    def after(self, opened_ns: int) -> bool:
        """Whether it is not in a balance of a time, as far as it says; see `dated`."""
        return self.at_ns > opened_ns if self.at_ns else self.date >= day_of(opened_ns)

    @property
    def amount_minor(self) -> int:
        """What came, or went, in millionths of a dollar; 0 where it is nobody's to book."""
        books = self.activity_type in MOVES and not self.of_coins and self.status.lower() != CANCELED
        return round(self.net_amount * MINOR_PER_USD) if books else 0


class Bearer(Struct, frozen=True):
    """One engine of the account, as far as its money goes."""

    engine: str
    symbols: frozenset[str]  # without slash
    shares: bool
    opened_ns: int  # when its opening balance was taken; 0: it is being taken


def part_minor(row: CashRow, engine: str, bearers: Sequence[Bearer]) -> int:
    """An engine's part of a row: all of what names its own symbol, else as much as each of those whom it concerns."""
    open_ = [one for one in bearers if row.after(one.opened_ns)]
    named = [one for one in open_ if row.symbol and plain_symbol(row.symbol) in one.symbols]
    fee = [one for one in open_ if row.activity_type == "FEE" and one.shares]
    concerned = [one.engine for one in named or fee or open_]
    if engine not in concerned:
        return 0
    return split_minor(row.amount_minor, concerned.index(engine), len(concerned))


def split_minor(amount_minor: int, place: int, count: int) -> int:
    """One of so many equal parts; the first has what is left over, so that they add up."""
    return amount_minor // count + (amount_minor % count if place == 0 else 0)


class CashRows:
    """What is listed of an account beside its trades."""

    def __init__(self, rest: Rest, tell: Callable[[str], None]):
        self.rest = rest
        self.tell = tell
        self.pages = 0  # that the last answer took
        self._unread: dict[str, None] = {}

    async def since(self, since_ns: int) -> list[CashRow]:
        """Every row since a time but the fees of coins, oldest first; what cannot be read is told once and left out.

        Raises VenueUnreachable and VenueMisspoke.
        """
        stamp = datetime.fromtimestamp(max(0, since_ns) // NS_PER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"category": "non_trade_activity", "after": stamp, "direction": "asc", "page_size": str(PAGE_ROWS)}
        rows: dict[str, CashRow] = {}
        last = ""
        for self.pages in range(1, PAGES_MAX + 1):
            if self.pages > PAGES_AT_ONCE:
                await self.rest.clock.sleep(PAGE_S)
            page = await self.rest.must(tuple[Raw, ...], PATH, query)
            read_rows = [row for said in page if (row := self._row(bytes(said))) is not None]
            rows |= {row.id: row for row in read_rows if row.activity_type != TRADES and not row.of_coins}
            if len(page) < PAGE_ROWS:
                return list(rows.values())
            if not read_rows or read_rows[-1].id == last:
                break
            query["page_token"] = last = read_rows[-1].id
        raise VenueMisspoke(f"{PATH}: rows do not come to an end after {self.pages} pages")

    def _row(self, said: bytes) -> CashRow | None:
        try:
            return read(CashRow, said)
        except VenueMisspoke as error:
            text = f"an activity of the account cannot be read and is not booked: {error}"
            if text not in self._unread:
                self._unread[text] = None
                if len(self._unread) > TOLD_MAX:
                    del self._unread[next(iter(self._unread))]
                self.tell(text)
            return None


class CashWatch:
    """Looks every two minutes, the more seldom the more pages there are, and says what moved of one engine's part."""

    def __init__(self, rows: CashRows, engine: str, bearers: Callable[[], Sequence[Bearer]], known_ns: int):
        self.rows = rows
        self.engine = engine
        self.bearers = bearers
        self.since_ns = known_ns - LATE_NS
        self._heard: dict[str, None] = {}
        self._fault = ""

    @property
    def clock(self) -> Clock:
        """The time."""
        return self.rows.rest.clock

    async def keep(self, put: Callable[[MoneyMoved], None]) -> None:
        """Look, for ever; a look that fails is said once and made again."""
        while True:
            try:
                for moved in await self.look():
                    put(moved)
                self._fault = ""
            except (VenueUnreachable, VenueMisspoke) as error:
                if not self._fault:
                    self._fault = f"deposits and withdrawals are not known: {type(error).__name__}: {error}"
                    self.rows.tell(self._fault)
            await self.clock.sleep(max(LOOK_S, self.rows.pages * LOOK_PAGE_S))

    async def look(self) -> list[MoneyMoved]:
        """What is new. Raises VenueUnreachable and VenueMisspoke."""
        now_ns = self.clock.now_ns()
        told = []
        for row in await self.rows.since(self.since_ns):
            if row.id in self._heard:
                continue
            self._heard[row.id] = None
            if len(self._heard) > TOLD_MAX:
                del self._heard[next(iter(self._heard))]
            if amount := part_minor(row, self.engine, self.bearers()):
                told.append(MoneyMoved(self.engine, row.id, amount, row.activity_type, row.at_ns or now_ns))
            elif row.net_amount and not row.amount_minor:
                why = "is canceled" if row.status.lower() == CANCELED else "means nothing here"
                self.rows.tell(f"{row.activity_type} of {row.net_amount} USD ({row.id}) {why} and is not booked")
        self.since_ns = max(self.since_ns, now_ns - LATE_NS)
        return told


def dated_minor(rows: Sequence[CashRow], engine: str, bearers: Sequence[Bearer], opened_ns: int) -> int:
    """An engine's part of rows that are listed already and that will be booked, since they say no more than a day."""
    opening = [Bearer(one.engine, one.symbols, one.shares, one.opened_ns or opened_ns) for one in bearers]
    return sum(part_minor(row, engine, opening) for row in rows if not row.at_ns)
